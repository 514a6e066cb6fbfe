"""What the list of hosts is asked for, and what it shows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from server.hosts.patched import NOT_YET, Patched

Status = Literal["pending", "active", "inactive", "error"]
#: What a host may need; ``package`` narrows the first two to one package.
Need = Literal[
    "", "needsUpdates", "security", "reboot", "stale", "duplicates", "never",
    "patchStale", "patchNever", "patchFailing", "unfinished",
]  # fmt: skip
Grouping = Literal["", "group", "status", "os"]
#: Stands for "in no group" where a group is asked for.
UNGROUPED: Final = "none"


@dataclass(frozen=True, slots=True)
class Listed:
    """Which part of the list of hosts is asked for; empty values do not narrow it.

    Attributes:
        group: a group's UUID, or ``UNGROUPED``.
        connection: online or offline.
        tag: ``key``, or ``key=value``.
        package: key of a package that is installed; ``None`` for any, -1 for one that does not exist.
        repository: key of a repository in use; likewise.
        patched_before: only hosts whose last successful patch run is older, or that had none since they were added.
        selected: UUIDs of the hosts to choose from.
    """

    search: str = ""
    group: str = ""
    status: str = ""
    connection: str = ""
    os: str = ""
    os_version: str = ""
    need: str = ""
    tag: str = ""
    package: int | None = None
    repository: int | None = None
    hide_stale: bool = False
    patched_before: datetime | None = None
    selected: Sequence[str] | None = None
    grouping: str = ""
    sort: str = "name"
    direction: str = "asc"


@dataclass(frozen=True, slots=True)
class GroupMark:
    """A group as it stands beside a host."""

    id: str
    name: str
    color: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class HostRow:
    """One line of the list of hosts.

    Attributes:
        status: one of ``Status``; ``state`` is its colour.
        unfinished: packages that an interrupted run left half installed.
        section: the head above the line, if it is the first of its section; ``section_hosts`` are in all of it.
    """

    id: str
    name: str
    hostname: str
    ip: str
    api_id: str
    os: str
    os_version: str
    agent_version: str
    auto_update: bool
    online: bool
    secure: bool
    status: str
    state: str
    needs_reboot: bool
    reboot_reason: str
    updates: int
    security: int
    packages: int
    last_seen_at: datetime | None
    created_at: datetime
    groups: tuple[GroupMark, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    patched: Patched = NOT_YET
    unfinished: tuple[str, ...] = ()
    section: str = ""
    section_hosts: int = 0

    @property
    def url(self) -> str:
        """Where its pages begin."""
        return f"/hosts/{self.id}"

    @property
    def link_word(self) -> str:
        """What people call the state of its link."""
        return ("WSS" if self.secure else "WS") if self.online else "Offline"

    @property
    def link_state(self) -> str:
        """The colour of it."""
        return ("good" if self.secure else "attention") if self.online else "bad"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many hosts there are, connected or not, and how many need something."""

    total: int = 0
    online: int = 0
    updates: int = 0
    security: int = 0
    reboot: int = 0
    pending: int = 0
    active: int = 0
    inactive: int = 0
    error: int = 0
    stale: int = 0

    @property
    def offline(self) -> int:
        """How many are not connected."""
        return self.total - self.online


@dataclass(frozen=True, slots=True)
class OsCount:
    """An operating system and how many hosts run it."""

    os_type: str
    os_version: str
    hosts: int

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.os_type} {self.os_version}".strip()


@dataclass(frozen=True, slots=True)
class TagCount:
    """A tag, and on how many hosts it is."""

    key: str
    value: str
    hosts: int

    @property
    def text(self) -> str:
        """How people write it."""
        return f"{self.key}={self.value}" if self.value else self.key


@dataclass(frozen=True, slots=True)
class ForEach:
    """What became of something that was done to many hosts; ``skipped`` are pairs of name and reason."""

    done: int = 0
    asked: int = 0
    skipped: tuple[tuple[str, str], ...] = field(default=())
