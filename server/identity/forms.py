"""The fields of identity's forms."""

from typing import Final

from server.core.errors import Invalid, Problem
from server.identity.errors import BadPerson, NameTaken
from server.identity.preferences import LANDINGS
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
)

SETUP_URL: Final = (
    Field("server_protocol", "Protocol", "choice", choices=(("https", "HTTPS"), ("http", "HTTP"))),
    Field("server_host", "Host", help="A DNS name or an IP address, as the agents reach it.", autocomplete="off"),
    Field("server_port", "Port", "number", help="Usually 443 for HTTPS, 80 for HTTP, or 3000."),
    Field("ignore_ssl_self_signed", "Will you be using a self-signed SSL certificate?", "boolean", required=False),
)

NEWSLETTER: Final = (
    Field(
        "newsletter",
        "Send me the newsletter",
        "boolean",
        required=False,
        help="Name and email of the account you just entered are sent once, when you finish, and only when ticked.",
    ),
)

LOOKS: Final = (
    Field(
        "theme",
        "Theme",
        "choice",
        choices=(("auto", "As the system"), ("light", "Light"), ("dark", "Dark")),
        help="Follows you to every browser you sign in with.",
    ),
    Field(
        "landing",
        "After signing in, open",
        "choice",
        choices=[(one.key, one.word) for one in LANDINGS],
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

CODE: Final = (
    Field(
        "token",
        "Verification Code",
        autocomplete="one-time-code",
        help="The 6 digits your authenticator shows, or one of your backup codes.",
    ),
    Field("remember_me", "Remember me on this computer (skip TFA for {days} days)", "boolean", required=False),
)

PROOF: Final = (
    Field("token", "Verification Code", autocomplete="one-time-code", help="The 6 digits your authenticator shows."),
)

PASSKEY: Final = (
    Field("passkey_name", "Name", autocomplete="off", placeholder="Work laptop", help="To tell it from others later."),
    Field("passkey_password", "Your password", "password", autocomplete="current-password"),
)

DISABLE: Final = (Field("password", "Your password", "password", autocomplete="current-password"),)

NEW_USER: Final = (
    Field("username", "Username", autocomplete="off", help="At least 3 characters; lowercase is easiest to type."),
    Field("email", "Email", "email", autocomplete="off"),
    Field("first_name", "First name", required=False, autocomplete="off"),
    Field("last_name", "Last name", required=False, autocomplete="off"),
    Field("password", "Password", "password", autocomplete="new-password"),
    Field("role", "Role", "choice"),
)

USER: Final = (
    Field("username", "Username", autocomplete="off"),
    Field("email", "Email", "email", autocomplete="off"),
    Field("first_name", "First name", required=False, autocomplete="off"),
    Field("last_name", "Last name", required=False, autocomplete="off"),
    Field("role", "Role", "choice", help="Another role takes effect at once and signs the user out."),
    Field("is_active", "Active", "boolean", required=False, help="Unticked: cannot sign in, and is signed out now."),
)

RESET: Final = (
    Field("new_password", "New password", "password", autocomplete="new-password"),
    Field("confirm", "New password again", "password", autocomplete="new-password"),
)

SIGN_UP: Final = (
    Field("username", "Username", autocomplete="username", help="At least 3 characters. You sign in with it."),
    Field("email", "Email", "email", autocomplete="email"),
    Field("first_name", "First name", required=False, autocomplete="given-name"),
    Field("last_name", "Last name", required=False, autocomplete="family-name"),
    Field("password", "Password", "password", autocomplete="new-password"),
    Field("confirm", "Password again", "password", autocomplete="new-password"),
)

SECURITY: Final = (
    Field(
        "two_factor_grace_days",
        "Days of grace",
        "number",
        help="From 0 to 365. They begin when a person is first told, not while they are away. 0 shuts out at once.",
    ),
)

REGISTRATION: Final = (
    Field("signup_enabled", "Enable User Self-Registration", "boolean", required=False),
    Field("default_user_role", "Default Role for New Users", "choice"),
)

ROLE: Final = (
    Field(
        "role",
        "Role Name",
        autocomplete="off",
        help="Lowercase, underscores for spaces. It cannot be renamed later.",
        placeholder="patch_crew",
    ),
)

TOKEN: Final = (
    Field("name", "Name", help="What will use it, so that you know later what to revoke."),
    Field("days", "Days until it ends", "number", value=90, required=False, help="Empty: it does not end by itself."),
    Field("access", "It may", "choice", help="Never more than you may yourself at that moment."),
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
