"""What signing in with another service refuses; ``heading`` is what the sign-in page says first."""

from typing import ClassVar

from server.core.errors import Conflict, Invalid, Problem, Refused, Unavailable, Unknown


class SignOnFailed(Unknown):
    """The service did not prove who this is; the log says why, the person only that it failed."""

    code = "sign_on_failed"
    text = "Authentication Failed"


class SignOnExpired(Unknown):
    """The way back was taken too late, twice, in another browser, or was never begun here."""

    code = "sign_on_expired"
    text = "Session Expired"


class NoAccount(Unknown):
    """The service knows this person, we do not, and nobody said that unknown people get an account."""

    code = "no_account"
    text = "User Not Found"


class NoAccountForDiscord(NoAccount):
    """The same for Discord, whose sentence programs know."""

    text = "User not found"


class EmailNotVerified(Unknown):
    """An account has this address, but the service does not say that it is this person's."""

    code = "email_not_verified"
    text = "Email not verified by identity provider"


class AddressClaimed(Unknown):
    """An account has this address because whoever has the account typed it: it may be somebody else's."""

    code = "address_claimed"
    text = "Link your account first"


class NoEmail(Unknown):
    """Without an address there is neither an account to find nor a name for a new one."""

    code = "no_email"
    text = "The identity provider sent no email address"


class LinkedToAnother(Conflict):
    """The account belongs to another identity of this service, or the identity to another account."""

    code = "already_linked"
    text = "Already linked"


class SignOnNotReady(Unavailable):
    """Single sign-on is off, or its provider was not reached yet."""

    code = "sign_on_not_ready"
    text = "Single sign-on is not available right now"


class SignOnOff(Invalid):
    """Nobody switched single sign-on on."""

    code = "sign_on_off"
    text = "Single sign-on is not enabled"


class DiscordIncomplete(Invalid):
    """Something about Discord is missing in the settings."""

    code = "discord_incomplete"
    text = "Discord is not fully configured"


class HttpsNeeded(Refused):
    """Secrets would travel in the open."""

    code = "https_needed"
    text = "Single sign-on needs https"


class LocalSignInOff(Refused):
    """People sign in with the provider only."""

    code = "local_auth_disabled"
    text = "Local authentication is disabled"


class ManagedByProvider(Refused):
    """Groups at the provider decide about roles, so nobody decides about them here."""

    code = "managed_by_oidc"
    text = "Users and roles are managed by your OIDC provider"


class OnlyWayIn(Invalid):
    """Without this identity its owner could not sign in any more."""

    code = "only_sign_in_method"
    text = "This is your only way to sign in. Set a password first."


class SignOnIncomplete(Invalid):
    """The environment switches single sign-on on and does not say enough; the server does not start."""

    code = "sign_on_incomplete"
    text = "OIDC is enabled but missing required configuration: {missing}"


class NotLinked(Invalid):
    """There is nothing to unlink."""

    code = "not_linked"
    text = "No such account is linked"


class SaidElsewhere(Problem):
    """The service itself refused; its own words go to the person and the log."""

    code: ClassVar[str] = "sign_on_refused"
    text: ClassVar[str] = "Authentication Failed"

    def __init__(self, said: str) -> None:
        super().__init__()
        self.said = said
