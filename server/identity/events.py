"""What happened to people; enough about it to tell somebody, never a password, a code or a token."""

from dataclasses import dataclass
from typing import ClassVar

from server.core.bus import Event


@dataclass(frozen=True, slots=True)
class UserSignedIn(Event):
    """Somebody signed in."""

    name: ClassVar[str] = "user_login"
    user_id: str
    username: str = ""
    ip: str = ""
    user_agent: str = ""
    method: str = "local"


@dataclass(frozen=True, slots=True)
class UserSignInFailed(Event):
    """Somebody tried to sign in as an account and could not."""

    name: ClassVar[str] = "user_login_failed"
    user_id: str
    username: str = ""
    ip: str = ""
    user_agent: str = ""
    method: str = "local"


@dataclass(frozen=True, slots=True)
class AccountLocked(Event):
    """An account was locked; announced once per lock."""

    name: ClassVar[str] = "account_locked"
    user_id: str
    username: str = ""
    ip: str = ""
    user_agent: str = ""
    method: str = "local"


@dataclass(frozen=True, slots=True)
class UserCreated(Event):
    """There is a new account."""

    name: ClassVar[str] = "user_created"
    user_id: str
    username: str = ""
    ip: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class TwoFactorDisabled(Event):
    """A person is no longer asked for a code."""

    name: ClassVar[str] = "user_tfa_disabled"
    user_id: str
    username: str = ""
    ip: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class UserRoleChanged(Event):
    """Somebody has another role."""

    name: ClassVar[str] = "user_role_changed"
    user_id: str
    username: str = ""
    ip: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class UserLimitsChanged(Event):
    """Somebody sees and changes the hosts of other groups."""

    name: ClassVar[str] = "user_limits_changed"
    user_id: str
    username: str = ""
    ip: str = ""
    actor: str = ""


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
