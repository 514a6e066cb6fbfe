"""The refusals of the dossier room."""

from server.core.errors import Missing


class ReportMissing(Missing):
    """No such report of this host, or it is no longer kept."""

    text = "Report not found"
