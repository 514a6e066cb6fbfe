"""What the identity room refuses."""

from server.core.errors import Conflict, Invalid, Missing, Refused, TooMany, Unknown


class WrongCredentials(Unknown):
    """Unknown name, wrong password or inactive account: always the same words."""

    text = "Invalid credentials"


class BadToken(Unknown):
    """The token was never given out, was revoked, or its owner is gone or inactive."""

    text = "Invalid token"


class SessionEnded(Unknown):
    """The session lived as long as a session may, or its token expired."""

    text = "Session expired"


class SessionIdle(Unknown):
    """Nobody did anything for too long."""

    text = "Session expired due to inactivity"


class LockedOut(TooMany):
    """Too many wrong passwords for this name; waiting helps, the right password does not."""

    code = "locked_out"
    text = "Too many failed login attempts. Try again later."

    def __init__(self, seconds: int) -> None:
        super().__init__(after_seconds=seconds, remaining_seconds=seconds)


class RoleUnknown(Refused):
    """The person's role does not exist any more."""

    code = "role_unknown"
    text = "Access denied"


class PersonsOnly(Refused):
    """Something that only a person with a session may do, not a token."""

    code = "persons_only"
    text = "An API token cannot do this. Sign in and do it yourself."


class ModuleOff(Refused):
    """The capability module of this route is switched off."""

    code = "module_not_available"
    text = "module not available in your plan"


class AdminExists(Invalid):
    """Somebody was faster, or the set-up is long over."""

    code = "admin_exists"
    text = "Admin users already exist. This endpoint is only for first-time setup."


class BadSetupLink(Refused):
    """The set-up was asked for without the one-time link."""

    code = "bad_setup_link"
    text = "This set-up link is not valid. Open the link that the server printed when it started, or make a new one."


class WeakPassword(Invalid):
    """The password breaks a rule; ``complaints`` says which."""

    code = "weak_password"
    text = "Password does not meet the password policy"


class WrongPassword(Invalid):
    """The person who asks did not prove to be the one who signed in."""

    code = "wrong_password"
    text = "The current password is not right"


class BadPerson(Invalid):
    """What was said about a person is not usable; ``complaints`` has one sentence per field."""

    code = "bad_person"
    text = "Some fields need another value"


class NameTaken(Conflict):
    """Another account has this name or address."""

    code = "name_taken"
    text = "This username or email address is already in use"


class PersonMissing(Missing):
    """There is no such account."""

    text = "User not found"


class SessionMissing(Missing):
    """There is no such session, or it belongs to somebody else."""

    text = "Session not found"


class TokenMissing(Missing):
    """There is no such token, or it belongs to somebody else."""

    text = "Token not found"
