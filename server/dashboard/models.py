"""What the overview shows, and how each person arranged it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

State = Literal["good", "attention", "bad", "neutral"]


@dataclass(frozen=True, slots=True)
class Fleet:
    """The fleet in numbers.

    Attributes:
        active: hosts whose agent has reported.
        up_to_date: hosts that reported and wait for no update.
        stale: hosts that have been silent for three of their intervals.
        updates, security_updates: each host's own count, added up: a package that waits on two hosts counts twice.
    """

    hosts: int = 0
    active: int = 0
    need_updates: int = 0
    up_to_date: int = 0
    need_security_updates: int = 0
    need_reboot: int = 0
    never_reported: int = 0
    stale: int = 0
    connected: int = 0
    updates: int = 0
    security_updates: int = 0


@dataclass(frozen=True, slots=True)
class Kinds:
    """Packages by name, each counted once however many hosts wait for an update of it; ``packages`` is all of them."""

    outdated: int
    security: int
    packages: int = 0


@dataclass(frozen=True, slots=True)
class UnderWay:
    """Hosts on which a job runs, and those for which one waits."""

    running: int
    waiting: int


@dataclass(frozen=True, slots=True)
class SystemCount:
    """How many hosts have an operating system in one version."""

    kind: str
    version: str
    hosts: int

    @property
    def name(self) -> str:
        """Its name for people."""
        return f"{self.kind} {self.version}".strip()


@dataclass(frozen=True, slots=True)
class HostLine:
    """A host as a card lists it: its name, a word about it, and since when."""

    id: str
    name: str
    note: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class ReportLine:
    """A host and what it said last."""

    id: str
    name: str
    hostname: str
    at: datetime
    packages: int
    updates: int
    security_updates: int


@dataclass(frozen=True, slots=True)
class PersonLine:
    """Who signed in, and when."""

    id: str
    username: str
    role: str
    email: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """A cause for which jobs failed: how often, on how many hosts, and the newest job of it."""

    cause: str
    status: str
    times: int
    hosts: int
    names: Sequence[str]
    last_at: datetime
    job: str
    title: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How hosts stand against security benchmarks, by their newest scan: below 80 %, and of those below 60 %."""

    scanned: int = 0
    behind: int = 0
    critical: int = 0


@dataclass(frozen=True, slots=True)
class Freshness:
    """How freshly the hosts that joined are patched.

    Attributes:
        stale: without a successful patch run for longer than it should be; on ``waiting`` of them an update waits.
        never: without any.
        failing: the last patch run failed.
        unfinished: the package manager was interrupted.
    """

    stale: int = 0
    waiting: int = 0
    never: int = 0
    failing: int = 0
    unfinished: int = 0


@dataclass(frozen=True, slots=True)
class PatchFailure:
    """A cause for which patching fails now: on how many hosts, how often since it last worked, and the newest run."""

    cause: str
    hosts: int
    times: int
    last_at: datetime
    names: Sequence[str]
    run: str | None


@dataclass(frozen=True, slots=True)
class Day:
    """The last that is known of a day: packages by name, and those of them that wait for an update."""

    day: date
    packages: int
    outdated: int
    security: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened."""

    at: datetime
    icon: str
    state: State
    title: str
    text: str = ""
    url: str = ""
    who: str = ""

    @property
    def day(self) -> str:
        """Its day, as the timeline's heads write it."""
        return self.at.strftime("%Y-%m-%d")


@dataclass(frozen=True, slots=True)
class Found:
    """Something that a search found."""

    id: str
    name: str
    note: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A card where somebody put it; ``span`` is how many columns it is wide."""

    card: str
    enabled: bool
    position: int
    span: int


@dataclass(frozen=True, slots=True)
class Columns:
    """How many columns the numbers and the charts stand in."""

    stats: int
    charts: int


@dataclass(frozen=True, slots=True)
class Card:
    """A card that there is.

    Attributes:
        kind: a number that leads somewhere, or a panel with a chart or a list.
        enabled, span: as it is before anybody arranged anything.
        permission: who may have it; empty = everyone who sees the overview.
        module: the capability module it belongs to; nobody sees it while that is switched off.
    """

    id: str
    title: str
    about: str
    icon: str
    kind: Literal["tile", "panel"]
    enabled: bool = True
    span: int = 1
    permission: str = ""
    module: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A card as one person sees it, or does not."""

    card: Card
    enabled: bool
    position: int
    span: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The overview as one person arranged it; only cards that this person may have, in their order."""

    places: Sequence[Place]
    columns: Columns

    def shown(self, kind: str) -> list[Place]:
        """Return the cards of a kind that are switched on."""
        return [one for one in self.places if one.enabled and one.card.kind == kind]

    def shows(self, *cards: str) -> bool:
        """Tell whether one of these is switched on."""
        return any(one.enabled and one.card.id in cards for one in self.places)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which hosts the overview is about, and over how many days; an empty group is every host of the asker."""

    group: str = ""
    days: int = 30


@dataclass(frozen=True, slots=True)
class Board:
    """What the cards say; of cards that are switched off nothing was read.

    Attributes:
        days: what is known of each day; ``None`` when it is only known of the whole fleet, and that is not what is
            looked at.
    """

    layout: Layout
    asked: Asked
    groups: Sequence[tuple[str, str]]
    fleet: Fleet
    at: datetime
    kinds: Kinds | None = None
    freshness: Freshness | None = None
    patch_failures: Sequence[PatchFailure] = ()
    under_way: UnderWay | None = None
    patch_runs: UnderWay | None = None
    standing: Standing | None = None
    group_count: int = 0
    repository_count: int = 0
    people_count: int = 0
    systems: Sequence[SystemCount] = ()
    days: Sequence[Day] | None = None
    jobs: Sequence["JobSummary"] = ()
    failures: Sequence[Failure] = ()
    moments: Sequence[Moment] = ()
    reports: Sequence[ReportLine] = ()
    reboots: Sequence[HostLine] = ()
    silent: Sequence[HostLine] = ()
    people: Sequence[PersonLine] = ()


@dataclass(frozen=True, slots=True)
class Stats:
    """Every number of the overview; ``people`` is ``None`` for who must not see accounts."""

    at: datetime
    fleet: Fleet
    kinds: Kinds
    groups: int
    repositories: int
    people: int | None
    systems: Sequence[SystemCount]
    days: Sequence[Day]


@dataclass(frozen=True, slots=True)
class Trends:
    """The last days of the fleet or of one host, the same as of now, and the hosts to choose from."""

    period: int
    host: str
    days: Sequence[Day]
    now: Kinds
    hosts: Sequence[dict[str, str]]


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
