"""The refusals of the lists room."""

from server.core.errors import Invalid, Missing, Refused


class ViewMissing(Missing):
    """No such view, or it is somebody's own."""

    code = "view_missing"
    text = "View not found"


class BadView(Invalid):
    """What was sent is no view."""

    code = "invalid_body"
    text = "Invalid view"


class TooManyViews(Invalid):
    """Somebody keeps more views than anybody reads."""

    code = "too_many_views"
    text = "You keep {most} views already; remove one first"


class PeopleOnly(Refused):
    """Views and choices belong to people."""

    code = "people_only"
    text = "Only people keep views of lists"
