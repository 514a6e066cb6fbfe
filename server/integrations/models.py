"""Tokens of programs, what they enrol, and what they read."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal

from server.core.secretbox import Secret

#: What a token is for; the first two enrol hosts.
Usage = Literal["proxmox-lxc", "direct-host", "api", "gethomepage"]
USAGES: Final[tuple[Usage, ...]] = ("proxmox-lxc", "direct-host", "api", "gethomepage")
#: Tokens that read or delete, and so never enrol.
READERS: Final = frozenset({"api", "gethomepage"})
#: What may be granted on hosts; only the first two open anything yet.
HOST_ACTIONS: Final = ("get", "delete", "put", "patch", "update")

Scopes = dict[str, list[str]]
#: What a dashboard card shows: numbers, and the systems of the fleet by how many hosts have them.
Figures = dict[str, Any]
#: A row or part of one on its way into an answer of the contract.
Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret.

    Attributes:
        hosts_created_today: how many hosts it made since midnight in the server's zone.
        host_groups: id, name and color of the group that its hosts join; ``None`` for none.
        users: id, username, first_name and last_name of who made it; ``None`` when that account is gone.
    """

    id: str
    token_name: str
    token_key: str
    is_active: bool
    allowed_ip_ranges: list[str]
    max_hosts_per_day: int
    hosts_created_today: int
    last_used_at: datetime | None
    expires_at: datetime | None
    created_at: datetime
    default_host_group_id: str | None
    metadata: dict[str, Any]
    scopes: Scopes | None
    host_groups: dict[str, str] | None
    users: dict[str, str] | None

    @property
    def usage(self) -> str:
        """What it is for; a token that says nothing enrols containers."""
        return str(self.metadata.get("integration_type") or "proxmox-lxc")

    @property
    def enrols(self) -> bool:
        """Whether it creates hosts."""
        return self.usage not in READERS


@dataclass(frozen=True, slots=True)
class Keyring:
    """What is stored of a token's secret: bcrypt, and the fast verifier where there is one."""

    secret: str
    verifier: str | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """What somebody decides about a token before it exists."""

    token_name: str
    metadata: dict[str, Any] = field(default_factory=dict)
    max_hosts_per_day: int = 100
    default_host_group_id: str | None = None
    allowed_ip_ranges: tuple[str, ...] = ()
    expires_at: datetime | None = None
    scopes: Scopes | None = None

    @property
    def usage(self) -> str:
        """As of ``Token``."""
        return str(self.metadata.get("integration_type") or "proxmox-lxc")


@dataclass(frozen=True, slots=True)
class Stored:
    """A new token's columns that nobody may choose."""

    key: str
    keyring: Keyring
    creator_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Made:
    """A new token; its secret exists in the clear only here and with who asked for it."""

    token: Token
    secret: Secret[str]


@dataclass(frozen=True, slots=True)
class Change:
    """How a token is to change; ``given`` names the fields that are meant, the others stay as they are."""

    given: frozenset[str]
    token_name: str = ""
    is_active: bool = True
    max_hosts_per_day: int = 100
    allowed_ip_ranges: tuple[str, ...] = ()
    default_host_group_id: str | None = None
    expires_at: datetime | None = None
    scopes: Scopes | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """What a program brings: its token's key and secret, and the address it comes from."""

    key: str
    secret: Secret[str]
    address: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A host to enrol."""

    friendly_name: str
    machine_id: str = ""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A new host; its key exists in the clear only here and on the host."""

    id: str
    friendly_name: str
    api_id: str
    api_key: Secret[str]
    host_group: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class NotEnrolled:
    """A host that could not be enrolled, and why."""

    friendly_name: str
    error: str


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of a day."""

    day: date
    left: int
    ends_in_seconds: int


@dataclass(frozen=True, slots=True)
class InventoryFilter:
    """Which hosts belong into an inventory: empty and ``None`` ask for nothing; within one field any word will do.

    Attributes:
        groups: names as they are written, or ids.
        tags: ``key`` or ``key=value``.
        systems: ``debian`` or ``debian 12``, in small letters.
    """

    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    needs_reboot: bool | None = None
    outdated: bool | None = None
    security: bool | None = None
    stale: bool | None = None


@dataclass(frozen=True, slots=True)
class InventoryPage:
    """Which part of the list: after this host, so many; and since when hosts are overdue or stale."""

    after: str | None
    limit: int
    overdue_before: datetime
    inactive_before: datetime
