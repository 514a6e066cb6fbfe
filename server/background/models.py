"""What is kept about background work."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Cause = Literal["schedule", "event", "person"]
State = Literal["waiting", "running", "done", "failed"]
STATES: tuple[State, ...] = ("waiting", "running", "done", "failed")


@dataclass(frozen=True, slots=True)
class Last:
    """How a task that runs by the clock went the last time.

    Attributes:
        duration_ms: of the last run that ended.
        error: of the last run, empty when it went well.
        failing_since: when it failed first without having gone well since.
    """

    name: str
    began_at: datetime
    ended_at: datetime | None
    duration_ms: int
    error: str
    runs: int
    failures: int
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a task.

    Attributes:
        cause: the clock, an event on the server, or a person.
        asked_by: the person's name.
        attempt: 1, and one more each time somebody tries it again.
    """

    id: str
    name: str
    args: list[Any]
    cause: Cause
    asked_by: str
    state: State
    attempt: int
    asked_at: datetime
    began_at: datetime | None
    ended_at: datetime | None
    error: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A task that runs by the clock.

    Attributes:
        title: its name for people.
        also: the name under which it may be started by hand, empty when not.
        next_at: when it is due, ``None`` when that cannot be told (Redis is away).
    """

    name: str
    title: str
    about: str
    also: str
    every_seconds: float
    last: Last | None
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Numbers:
    """How much work there is.

    Attributes:
        waiting: queued and not begun.
        running: in work now.
        failed: runs that failed within a day.
        done: runs that went well within a day.
    """

    waiting: int
    running: int
    failed: int
    done: int
