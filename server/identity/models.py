"""People, sessions and tokens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class User:
    """A person, without anything secret."""

    id: str
    username: str
    email: str
    first_name: str
    last_name: str
    role: str
    is_active: bool
    tfa_enabled: bool
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def full_name(self) -> str:
        """First and last name, or the username when neither is known."""
        return f"{self.first_name} {self.last_name}".strip() or self.username


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is needed to check a password."""

    id: str
    username: str
    is_active: bool
    password_hash: str | None
    locked_until: datetime | None
    tfa_enabled: bool
    passkey_step: bool = False
    has_passkeys: bool = False

    @property
    def is_asked(self) -> bool:
        """Whether something is asked for after the password."""
        return self.tfa_enabled or (self.passkey_step and self.has_passkeys)


@dataclass(frozen=True, slots=True)
class Profile:
    """What a person says about themselves; the values are checked by the rules."""

    username: str
    email: str
    first_name: str = ""
    last_name: str = ""


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Who is to get an account, and the password they chose."""

    profile: Profile
    password: str


@dataclass(frozen=True, slots=True)
class Change:
    """What to change about an account; ``None`` leaves it as it is."""

    username: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    role: str | None = None
    is_active: bool | None = None

    def profile(self, before: User) -> Profile:
        """Return the profile after the change."""
        return Profile(
            before.username if self.username is None else self.username.strip(),
            before.email if self.email is None else self.email.strip(),
            before.first_name if self.first_name is None else self.first_name.strip(),
            before.last_name if self.last_name is None else self.last_name.strip(),
        )


@dataclass(frozen=True, slots=True)
class Browser:
    """Which program asks, for the list of sessions."""

    address: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """Everything the doorkeeper needs about the bearer of a session or a token, from one query.

    Attributes:
        id: of the session or token.
        permissions: what is stored for the role; ``None`` when there is no such role.
        last_active_at: last time a person did something (session), last use that was noted (token).
        expires_at: ``None`` for a token that does not expire.
        user_groups: UUIDs of the host groups that the person is limited to; ``None`` when there is no such limit.
        role_groups: the same of the role.
        scopes, name: of a token; ``None`` is every permission of its owner.
        has_second_factor, factor_asked_at, theme: as in ``Actor``.
    """

    id: str
    user_id: str
    username: str
    role: str
    is_active: bool
    permissions: list[str] | None
    last_active_at: datetime | None
    expires_at: datetime | None
    user_groups: list[str] | None = None
    role_groups: list[str] | None = None
    scopes: list[str] | None = None
    name: str = ""
    has_second_factor: bool = True
    factor_asked_at: datetime | None = None
    theme: str = ""


#: How somebody proved who they are.
Method = Literal["local", "oidc", "discord", "passkey"]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that was just opened or renewed; the two secrets are shown this once.

    Attributes:
        expires_at: until when ``token`` is good; the refresh token renews it.
        ends_at: until when the session may live.
    """

    user: User
    session_id: str
    token: str
    refresh_token: str
    expires_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class SignedOut:
    """A session that just ended: how it was opened, and the provider's proof, with which one leaves there too."""

    method: str = "local"
    id_token: str = ""


@dataclass(frozen=True, slots=True)
class SecondStep:
    """The password was right, and a code or a passkey is still missing; ``ticket`` is good for one attempt."""

    username: str
    ticket: str
    has_passkeys: bool = False


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """What checks a person's code.

    Attributes:
        sealed_secret: of the codes; while the second step is off, one that waits to be proved.
        backup_codes: a JSON list of hashes.
        last_step: the time step of the newest code that was accepted; it and older ones are not accepted again.
        failures: attempts since the last success, this one included.
        passkey_step: whether a passkey is asked for after the password.
    """

    user_id: str
    username: str
    enabled: bool
    sealed_secret: str | None
    backup_codes: str | None
    last_step: int
    failures: int
    locked_until: datetime | None
    has_password: bool
    passkey_step: bool = False

    @property
    def is_asked(self) -> bool:
        """Whether something is asked for after the password."""
        return self.enabled or self.passkey_step


@dataclass(frozen=True, slots=True)
class Enrolment:
    """How an account stands to the rule that people have to have a second factor.

    Attributes:
        asked_at: since when the person knows; ``None`` when they were not here since.
        due_at: until when they may go on without.
    """

    user_id: str
    role: str
    has_second_factor: bool
    asked_at: datetime | None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey as its owner sees it.

    Attributes:
        credential_id: how the authenticator calls it, as base64url.
        sign_count: how often it was used, as it says; 0 for those that do not count.
        rp_id: the name of the server that it belongs to; it works under no other.
        is_synced: whether it can be on several devices.
    """

    id: str
    credential_id: str
    sign_count: int
    rp_id: str
    name: str
    transports: list[str]
    is_synced: bool
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class KnownPasskey:
    """What checks a passkey, and whose it is."""

    id: str
    user_id: str
    username: str
    is_active: bool
    locked_until: datetime | None
    public_key: str
    rp_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a person chose: light, dark or auto (empty: never), and the key of the page to land on (empty: overview)."""

    theme: str
    landing: str


@dataclass(frozen=True, slots=True)
class SetupLink:
    """A link of the first set-up; ``user_id`` is the account that was made on the way, empty before."""

    verifier: str
    user_id: str
    sealed_draft: str


@dataclass(frozen=True, slots=True)
class TrustedDevice:
    """A browser that is not asked for a code; ``current`` is the one that asks."""

    id: str
    user_agent: str
    address: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class Trust:
    """A new trust: what the browser keeps, shown this once, and until when it counts."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its owner sees it."""

    id: str
    address: str
    user_agent: str
    method: str
    created_at: datetime
    last_activity_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NewToken:
    """What somebody wants a personal token to be.

    Attributes:
        days: until it ends; ``None``: it does not end by itself.
        scopes: the permissions it holds as long as its owner does; ``None``: all of its owner's.
    """

    name: str
    days: int | None = None
    scopes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A personal token as its owner sees it; ``prefix`` is how it begins, ``scopes`` as in ``NewToken``."""

    id: str
    name: str
    prefix: str
    scopes: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_address: str
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Role:
    """A role and its permission keys; built-in roles cannot be deleted."""

    role: str
    permissions: frozenset[str]
    built_in: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """Which host groups limit a person or a role; ``None`` where there is no limit.

    Attributes:
        role: the role, or that of the person.
        user_groups: UUIDs of the groups of the person.
        role_groups: UUIDs of the groups of the role.
    """

    role: str
    user_groups: list[str] | None
    role_groups: list[str] | None
