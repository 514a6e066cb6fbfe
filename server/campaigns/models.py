"""Campaigns, their waves and hosts, and maintenance windows."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, Literal

from server.core.ids import HostId
from server.patching.models import PatchType, RunOptions

#: The capability module they belong to: nothing begins while it is switched off.
MODULE: Final = "patching"


class Status(StrEnum):
    """Where a campaign is."""

    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    SOAKING = "soaking"
    CHECKING = "checking"
    PAUSED = "paused"
    STOPPED = "stopped"
    COMPLETED = "completed"
    ABANDONED = "abandoned"
    MISSED = "missed"
    EXPIRED = "expired"


class HostState(StrEnum):
    """Where a host of a campaign is.

    ``waiting`` has no run yet, ``queued`` has one that did not begin, ``cancelled`` was stopped while it ran,
    ``withdrawn`` had a run that never began, ``skipped`` never had one (or is gone).
    """

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"
    SKIPPED = "skipped"


#: States in which waves follow each other by themselves.
LIVE: Final = (Status.RUNNING, Status.SOAKING, Status.CHECKING)
#: Not begun yet.
AHEAD: Final = (Status.DRAFT, Status.AWAITING_APPROVAL, Status.SCHEDULED)
#: Nothing more happens unless somebody relaunches what failed.
OVER: Final = (Status.COMPLETED, Status.ABANDONED, Status.MISSED, Status.EXPIRED)
#: Host states that count as failures of a wave.
BAD: Final = (HostState.FAILED, HostState.CANCELLED)
#: Host states whose run is not over.
OPEN: Final = (HostState.QUEUED, HostState.RUNNING)


@dataclass(frozen=True, slots=True)
class Share:
    """Which hosts a wave takes of those that are left: these, or so many, or so many percent of all; else the rest."""

    hosts: int | None = None
    percent: int | None = None
    host_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """What is done on every host; options that are not said are left to each host's policy."""

    patch_type: PatchType = "patch_all"
    package_names: tuple[str, ...] = ()
    options: RunOptions = field(default_factory=RunOptions)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a campaign goes about it.

    Attributes:
        waves: empty is one wave of all; hosts that no wave takes come in a last one.
        soak_minutes: how long a finished wave is watched before the next begins.
        max_failure_percent: of a wave's hosts; more than this stops the campaign at once.
        check_playbook: has to succeed on a wave's hosts before the next begins; empty for none.
        dry_run: every run only says what it would do.
    """

    work: Work = field(default_factory=Work)
    waves: tuple[Share, ...] = ()
    soak_minutes: int = 0
    max_failure_percent: int = 10
    check_playbook: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Targets:
    """Which hosts; what is named is looked up when the campaign starts.

    Attributes:
        hosts: UUIDs.
        groups: UUIDs of host groups.
        tags: ``key`` or ``key=value``.
        everyone: the whole fleet, as far as whoever made it sees it.
    """

    hosts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    everyone: bool = False

    @property
    def empty(self) -> bool:
        """Nothing was named at all."""
        return not (self.hosts or self.groups or self.tags or self.everyone)


@dataclass(frozen=True, slots=True)
class NewCampaign:
    """A campaign to be made.

    Attributes:
        draft: it waits until somebody launches it.
        approve_first: it waits for an approval.
        starts_at: not before; ``None`` is at once.
        ends_at: what did not begin by then is withdrawn.
    """

    name: str
    plan: Plan
    targets: Targets
    draft: bool = False
    approve_first: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    rehearsal: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A host a campaign reaches."""

    id: HostId
    uuid: str
    name: str


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as decisions about it need it, under lock."""

    id: str
    name: str
    status: Status
    reason: str
    plan: Plan
    targets: Targets
    limited_to: list[str] | None
    dry_run: bool
    approve_first: bool
    window_id: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    wave: int
    created_by: str | None
    approved_by: str | None
    started_at: datetime | None


CheckStatus = Literal["", "running", "passed", "failed", "overruled"]


@dataclass(frozen=True, slots=True)
class Wave:
    """A wave and how many of its hosts are where.

    Attributes:
        open: queued or running.
        bad: failed or stopped.
        forgiven: of the bad ones, those somebody has accepted.
    """

    number: int
    size: int
    waiting: int = 0
    queued: int = 0
    open: int = 0
    bad: int = 0
    forgiven: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    check_status: CheckStatus = ""
    check_job: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything the next step of a campaign depends on; ``wave`` is the number of the one under way."""

    status: Status
    plan: Plan
    wave: int = 0
    waves: tuple[Wave, ...] = ()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    approve_first: bool = False


class StepKind(StrEnum):
    """What the machinery does next by itself."""

    START = "start"
    MISS = "miss"
    EXPIRE = "expire"
    STOP = "stop"
    RELEASE = "release"
    HOLD_BACK = "hold_back"
    WITHDRAW = "withdraw"
    WAVE_OVER = "wave_over"
    SOAK = "soak"
    CHECK = "check"
    NEXT_WAVE = "next_wave"
    FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Step:
    """One step and why."""

    kind: StepKind
    reason: str = ""


# ---------------------------------------------------------------- windows


@dataclass(frozen=True, slots=True)
class Blackout:
    """Whole days, in the window's zone, on which it does not open; both ends belong to it."""

    first: date
    last: date
    name: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """A recurring time in which work may be done by itself.

    Attributes:
        cron: minute, hour, day of month, month, day of week.
        timezone: IANA name; the hours of ``cron`` are read there.
        notice_hours: so long before, it is announced; 0 not at all.
        approve_first: its campaigns wait for an approval, and are missed without one.
    """

    id: str
    name: str
    cron: str
    timezone: str
    duration_minutes: int
    plan: Plan
    targets: Targets
    blackouts: tuple[Blackout, ...] = ()
    description: str = ""
    approve_first: bool = False
    notice_hours: int = 0
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One opening of a window.

    Attributes:
        ends_at: earlier than the duration says where a blackout day begins.
        blackout: the name of the blackout it falls on (or the word itself); empty when it opens.
    """

    starts_at: datetime
    ends_at: datetime
    blackout: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """Which campaigns are asked for; empty texts do not narrow."""

    status: str = ""
    window: str = ""
    search: str = ""
    limit: int = 25
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Cause:
    """Hosts that failed for the same reason, in plain words.

    Attributes:
        hint: what to do about it; empty when nothing general can be said.
        sample: what one of them said.
    """

    text: str
    hint: str
    hosts: tuple[tuple[str, str], ...] = ()
    sample: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is; ``expected_end_at`` is ``None`` while nothing can be said."""

    total: int = 0
    done: int = 0
    percent: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    expected_end_at: datetime | None = None


Row = dict[str, Any]
