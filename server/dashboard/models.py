"""What the overview shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["good", "attention", "bad", "neutral"]


@dataclass(frozen=True, slots=True)
class Fleet:
    """The fleet in numbers: hosts, and the updates that wait on them (each host's own count)."""

    hosts: int
    need_updates: int
    need_security_updates: int
    need_reboot: int
    never_reported: int
    connected: int
    updates: int
    security_updates: int


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it is stored, with its hosts counted by status."""

    id: str
    title: str
    check_mode: bool
    launched_by: str
    created_at: datetime
    finished_at: datetime | None
    started_at: datetime | None
    counts: dict[str, int]
    only_host: str


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job as templates/automation/_jobs_table.html shows it."""

    id: str
    url: str
    title: str
    check: bool
    status: str
    state: State
    live: bool
    counts: Sequence[tuple[str, int, State]]
    only_host: str
    launched_by: str
    created_at: datetime
    started_at: datetime | None
    duration_seconds: float | None


@dataclass(frozen=True, slots=True)
class Tile:
    """A number that answers a question and leads to the list behind it."""

    label: str
    value: int
    url: str
    state: State
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the two services that everything stands on answer."""

    database: bool
    redis: bool

    @property
    def healthy(self) -> bool:
        """Whether requests can be served."""
        return self.database and self.redis
