"""The fields of identity's forms."""

from typing import Final

from server.core.errors import Invalid, Problem
from server.identity.errors import BadPerson, NameTaken
from server.web.fields import Field

LOGIN: Final = (
    Field("username", "Username or email", autocomplete="username"),
    Field("password", "Password", "password", autocomplete="current-password"),
)

SETUP: Final = (
    Field("first_name", "First name", autocomplete="given-name"),
    Field("last_name", "Last name", autocomplete="family-name"),
    Field("username", "Username", autocomplete="username", help="You sign in with it."),
    Field("email", "Email", "email", autocomplete="email"),
    Field("password", "Password", "password", autocomplete="new-password"),
    Field("confirm", "Password again", "password", autocomplete="new-password"),
    Field(
        "server_url",
        "Server URL",
        help="Under which agents and people reach this server. Used in install commands; can be changed later.",
    ),
)

PROFILE: Final = (
    Field("first_name", "First name", required=False, autocomplete="given-name"),
    Field("last_name", "Last name", required=False, autocomplete="family-name"),
    Field("username", "Username", autocomplete="username"),
    Field("email", "Email", "email", autocomplete="email"),
)

PASSWORD: Final = (
    Field("current_password", "Current password", "password", autocomplete="current-password"),
    Field("new_password", "New password", "password", autocomplete="new-password"),
    Field("confirm", "New password again", "password", autocomplete="new-password"),
)

TOKEN: Final = (
    Field("name", "Name", help="What will use it, so that you know later what to revoke."),
    Field("days", "Days until it ends", "number", value=90, required=False, help="Empty: it does not end by itself."),
)


def demand_same(first: str, second: str, field: str) -> None:
    """Refuse a password that was not typed the same way twice."""
    if first != second:
        raise BadPerson({field: "The two passwords are not the same"})


def complaints_of(refused: Problem) -> dict[str, str]:
    """Return what to show for a refused form: a sentence per field, or the one sentence there is."""
    if isinstance(refused, Invalid) and refused.complaints:
        return refused.complaints
    return {"username" if isinstance(refused, NameTaken) else "": str(refused)}
