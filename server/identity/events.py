"""What happened to people; enough about it to tell somebody, never a password, a code or a token."""

from dataclasses import dataclass
from typing import ClassVar

from server.core.bus import Event


@dataclass(frozen=True, slots=True)
class UserEvent(Event):
    """Something happened to somebody's account; ``ip`` is where it was done from."""

    user_id: str
    username: str = ""
    ip: str = ""


@dataclass(frozen=True, slots=True)
class EntranceEvent(UserEvent):
    """Something happened at the door; ``method`` is local, passkey, oidc or discord."""

    user_agent: str = ""
    method: str = "local"


@dataclass(frozen=True, slots=True)
class DeedEvent(UserEvent):
    """Somebody did something to an account; ``actor`` is the name of who did."""

    actor: str = ""


@dataclass(frozen=True, slots=True)
class UserSignedIn(EntranceEvent):
    """Somebody signed in."""

    name: ClassVar[str] = "user_login"


@dataclass(frozen=True, slots=True)
class UserSignInFailed(EntranceEvent):
    """Somebody tried to sign in as an account and could not."""

    name: ClassVar[str] = "user_login_failed"


@dataclass(frozen=True, slots=True)
class AccountLocked(EntranceEvent):
    """An account was locked; announced once per lock."""

    name: ClassVar[str] = "account_locked"


@dataclass(frozen=True, slots=True)
class UserCreated(DeedEvent):
    """There is a new account."""

    name: ClassVar[str] = "user_created"


@dataclass(frozen=True, slots=True)
class TwoFactorDisabled(DeedEvent):
    """A person is no longer asked for a code."""

    name: ClassVar[str] = "user_tfa_disabled"


@dataclass(frozen=True, slots=True)
class UserRoleChanged(DeedEvent):
    """Somebody has another role."""

    name: ClassVar[str] = "user_role_changed"


@dataclass(frozen=True, slots=True)
class UserLimitsChanged(DeedEvent):
    """Somebody sees and changes the hosts of other groups."""

    name: ClassVar[str] = "user_limits_changed"


@dataclass(frozen=True, slots=True)
class RoleLimitsChanged(Event):
    """Everybody with a role sees and changes the hosts of other groups."""

    name: ClassVar[str] = "role_limits_changed"
    role: str
    ip: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class UserDeleted(Event):
    """An account is gone."""

    name: ClassVar[str] = "user_deleted"
    user_id: str
