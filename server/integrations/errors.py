"""The refusals of the integrations, word for word as scripts and dashboards have always read them."""

from server.core.errors import Invalid, Missing, Refused, TooMany, Unknown


class TokenMissing(Missing):
    """No such token."""

    text = "Token not found"


class HostMissing(Missing):
    """No such host."""

    text = "Host not found"


class ScriptMissing(Missing):
    """The server's own file is not where it should be."""

    text = "Enrollment script not found: {type}"


class BadToken(Invalid):
    """What was asked of a token is wrong; ``complaints`` says what, field by field."""

    code = "invalid_body"
    text = "{error}"

    @classmethod
    def of(cls, complaints: dict[str, str]) -> "BadToken":
        """Return the refusal that says the first complaint and carries all of them."""
        return cls(complaints, error=next(iter(complaints.values())))


class BadHostId(Invalid):
    """The id in the path is not one of ours."""

    code = "invalid_body"
    text = "Invalid host ID format"


class BadFilter(Invalid):
    """A word in the query that cannot be read; what it should be is said."""

    code = "invalid_body"
    text = "{name} must be {words}"


class BadScriptType(Invalid):
    """There is no such script."""

    code = "invalid_body"
    text = "Invalid or missing type. Supported types: proxmox-lxc, direct-host"


class BadBulk(Invalid):
    """Too few or too many hosts at once."""

    code = "invalid_body"
    text = "Hosts array is required with 1 to 50 hosts"


# ------------------------------------------------------------------------------------------------ enrolment


class CredentialsNeeded(Unknown):
    """A header is missing."""

    text = "Auto-enrollment credentials required"


class QueryCredentialsNeeded(Unknown):
    """A part of the query is missing."""

    text = "Token key and secret required as query parameters"


class TokenUnusable(Unknown):
    """Unknown or switched off: which of the two is not said."""

    text = "Invalid or inactive token"


class WrongSecret(Unknown):
    """The key is known, the secret is another."""

    text = "Invalid token secret"


class TokenExpired(Unknown):
    """Its time is over."""

    text = "Token expired"


class WrongAddress(Refused):
    """The token may not be used from there."""

    text = "IP address not authorized for this token"


class WrongTokenType(Refused):
    """A token that reads must not create."""

    text = "Invalid token type"


class DailyLimit(TooMany):
    """The token has made its hosts of today; ``message`` says how many those are."""

    text = "{message}"


# ------------------------------------------------------------------------------------------------ the scoped API


class HeaderNeeded(Unknown):
    """No Basic credentials."""

    text = "Missing or invalid authorization header"


class BadCredentials(Unknown):
    """Not ``key:secret``."""

    text = "Invalid credentials format"


class UnknownKey(Unknown):
    """No token has this key."""

    text = "Invalid API key"


class KeyDisabled(Unknown):
    """Switched off."""

    text = "API key is disabled"


class KeyExpired(Unknown):
    """Its time is over."""

    text = "API key has expired"


class WrongKeyType(Unknown):
    """A token for something else."""

    text = "Invalid API key type"


class WrongKeySecret(Unknown):
    """The key is known, the secret is another."""

    text = "Invalid API secret"


class AddressRefused(Refused):
    """The key may not be used from there."""

    text = "IP address not allowed"


class AccessDenied(Refused):
    """The scopes do not cover what was asked; ``message`` says what is missing."""

    code = "access_denied"
    text = "Access denied"

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message
