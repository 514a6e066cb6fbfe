"""What the dashboard refuses."""

from server.core.errors import Invalid, Missing, Refused


class BadLayout(Invalid):
    """A card that there is not, or one that is too wide."""

    code = "bad_layout"
    text = "The overview cannot be arranged like that"


class GroupMissing(Missing):
    """No such host group, or one that the asker does not see."""

    code = "host_group_missing"
    text = "Host group not found"


class PeopleOnly(Refused):
    """The overview of somebody is arranged by that person."""

    code = "people_only"
    text = "Only people arrange their overview"


class HostMissing(Missing):
    """No such host, or one that the asker does not see."""

    code = "host_missing"
    text = "Host not found"
