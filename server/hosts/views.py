"""What the pages of hosts show."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Happening:
    """A line of the host's history, for people."""

    at: datetime
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Listed:
    """Which part of the list of hosts is asked for."""

    search: str = ""
    sort: str = "name"
    direction: str = "asc"
    group: str = ""
    state: str = ""
    page: int = 1
    size: int = 50


@dataclass(frozen=True, slots=True)
class HostRow:
    """One line of the list of hosts."""

    id: str
    name: str
    hostname: str
    api_id: str
    os: str
    status: str
    state_word: str
    state: str
    online: bool
    secure: bool
    updates: int
    security: int
    packages: int
    needs_reboot: bool
    reboot_reason: str
    groups: list[str]
    last_seen_at: datetime | None
    agent_version: str
    ip: str

    @property
    def url(self) -> str:
        """Where its pages begin."""
        return f"/hosts/{self.id}"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many hosts there are, connected or not, and how many need something."""

    total: int = 0
    online: int = 0
    updates: int = 0
    security: int = 0
    reboot: int = 0

    @property
    def offline(self) -> int:
        """How many are not connected."""
        return self.total - self.online
