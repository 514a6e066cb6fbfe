"""Scanners, scans, what they found, and what agents are asked to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, Literal

Kind = Literal["openscap", "docker-bench", "oscap-docker"]
Scanner = Literal["openscap", "docker-bench"]
Asked = Literal["all", "openscap", "docker-bench"]
TaskKind = Literal["scan", "remediate", "install", "upgrade"]
Origin = Literal["manual", "scheduled", "agent"]
Severity = Literal["critical", "high", "medium", "low", "unknown"]

SCANNERS: Final[tuple[Scanner, ...]] = ("openscap", "docker-bench")
KINDS: Final[tuple[Kind, ...]] = ("openscap", "docker-bench", "oscap-docker")
SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "high", "medium", "low", "unknown")
#: What people call them.
TITLES: Final[dict[str, str]] = {
    "openscap": "OpenSCAP",
    "docker-bench": "Docker Bench",
    "oscap-docker": "OpenSCAP images",
}
DEFAULT_PROFILE: Final = "level1_server"
#: From which score in percent on a host is compliant, and from which on it is not critical yet.
GOOD: Final = 80.0
FAIR: Final = 60.0
#: Profiles that are offered everywhere, whatever agents say.
PROFILES: Final = (
    ("level1_server", "CIS Level 1 Server", "openscap"),
    ("level2_server", "CIS Level 2 Server", "openscap"),
    ("docker-bench", "Docker Bench for Security", "docker-bench"),
)
SYSTEMS: Final = (
    "Ubuntu", "Debian", "RHEL", "CentOS", "Rocky Linux", "AlmaLinux", "Fedora", "SLES", "OpenSUSE",
)  # fmt: skip


class ScanStatus(StrEnum):
    """Where a scan is."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TaskStatus(StrEnum):
    """Where a task is: it waits for its host, its agent is at it, or it is over."""

    WAITING = "waiting"
    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as a scanner reports it; ``fingerprint`` names its texts."""

    ref: str
    title: str
    severity: Severity
    section: str
    description: str
    rationale: str
    remediation: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Found:
    """What one scanner reports.

    Attributes:
        rules: in the order of their references; ``states`` has a letter for each.
        findings: by place (from 1) finding, actual, expected; only where something was said.
        digest: names the rules with their texts: what the same content leads to.
        received: names the whole sub-scan, so that it is stored once however often it arrives.
    """

    kind: Kind
    status: ScanStatus
    profile_id: str
    profile_name: str
    error: str
    started_at: datetime | None
    completed_at: datetime | None
    rules: tuple[Rule, ...]
    states: str
    findings: Mapping[str, list[str]]
    counts: Mapping[str, int]
    failed_by: tuple[int, ...]
    score: float | None
    remediation_applied: bool
    remediation_count: int
    digest: str
    received: str


@dataclass(frozen=True, slots=True)
class Submission:
    """What a host hands in at once; ``told_hash`` is the hash it said, ``own_hash`` ours."""

    scans: tuple[Found, ...]
    scan_type: str
    told_hash: str
    own_hash: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one sub-scan."""

    scan: str
    kind: Kind
    profile_name: str
    status: ScanStatus
    score: float | None
    counts: Mapping[str, int]
    results: int
    error: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a submission; ``rejected`` are scanners that are off on the host."""

    scans: tuple[Stored, ...]
    rejected: tuple[str, ...]
    received: int


@dataclass(frozen=True, slots=True)
class Target:
    """A host as compliance needs it; ``native``: its agent is an existing one."""

    id: int
    uuid: str
    name: str
    mode: str
    openscap: bool
    docker_bench: bool
    docker: bool
    default_profile: str | None
    native: bool
    told: dict[str, Any] | None = None

    @property
    def enabled(self) -> tuple[Scanner, ...]:
        """The scanners that may run on it."""
        on = {"openscap": self.openscap, "docker-bench": self.docker_bench and self.docker}
        return tuple(one for one in SCANNERS if on[one])


@dataclass(frozen=True, slots=True)
class Wanted:
    """A scan as somebody asks for it; ``arf``: with the scanner's own result, to be taken away."""

    asked: Asked = "all"
    profile_id: str | None = None
    remediate: bool = False
    arf: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """What an agent is asked to do."""

    id: str
    host_id: int
    host_uuid: str
    host_name: str
    kind: TaskKind
    status: TaskStatus
    origin: Origin
    scanners: list[Scanner]
    profile_id: str | None
    remediate: bool
    rules: list[str]
    version: str
    job: str | None
    job_host: str | None
    asked_by: str
    message: str
    progress: int
    created_at: datetime
    sent_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    cancel_asked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Triggered:
    """What came of asking one host; ``task`` is empty when it was refused with ``error``."""

    host: str
    name: str
    task: str = ""
    error: str = ""
    offline: bool = False


RemedyStatus = Literal["draft", "checking", "checked", "applying", "applied", "failed", "cancelled", "rejected"]
Predicted = Literal["", "changes", "nothing", "fails", "unknown"]


@dataclass(frozen=True, slots=True)
class RemedyRule:
    """One rule of a remediation.

    Attributes:
        before, after: its letter in the scan that it began with, and when it was looked at again.
        touches: what its fix changes, in words; ``left_out`` says why there is none.
        predicted: what the dry run says that the fix would do; ``said`` is Ansible's word where it fails.
    """

    ref: str
    title: str
    severity: str
    before: str
    touches: tuple[str, ...] = ()
    left_out: str = ""
    predicted: Predicted = ""
    said: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A remediation of one host by a playbook: tried first, then approved and applied, then looked at."""

    id: str
    host: str
    host_name: str
    profile_id: str
    guide: str
    rules: tuple[RemedyRule, ...]
    playbook: str
    status: RemedyStatus
    reason: str
    check_job: str | None
    apply_job: str | None
    asked_by: str
    asked_at: datetime
    approved_by: str
    approved_at: datetime | None
    finished_at: datetime | None
    asked_id: str = ""
    checked_at: datetime | None = None
    rejected_by: str = ""
    automatic: bool = False

    @property
    def fixable(self) -> tuple[RemedyRule, ...]:
        """The rules that the playbook fixes."""
        return tuple(one for one in self.rules if not one.left_out)


WaiverTarget = Literal["host", "group", "fleet"]
WaiverState = Literal["active", "expiring", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class Waiver:
    """A rule that may fail somewhere, for a reason and until a day.

    Attributes:
        place: the host's or the group's id, empty for the whole fleet; ``place_name`` is what people read.
        expires_on: the last day, in UTC, on which it is in force.
        ended_at: since when it is not in force any more.
        covers: on how many hosts the rule fails or warns there, by their newest scans.
    """

    id: str
    rule_id: str
    rule_ref: str
    rule_title: str
    severity: str
    kind: str
    target: WaiverTarget
    place: str
    place_name: str
    reason: str
    owner: str
    expires_on: date
    made_by: str
    made_at: datetime
    revoked_by: str
    revoked_at: datetime | None
    revoked_reason: str
    ended_at: datetime | None
    covers: int = 0


@dataclass(frozen=True, slots=True)
class WaiverChange:
    """What of a waiver shall be different; ``None`` stays."""

    reason: str | None = None
    owner: str | None = None
    expires_on: date | None = None


@dataclass(frozen=True, slots=True)
class NewWaiver:
    """A waiver as somebody asks for it; ``place`` is the id of the host or the group."""

    rule: str
    target: WaiverTarget
    place: str
    reason: str
    owner: str
    expires_on: date | None


PolicyApproval = Literal["wait", "apply"]


@dataclass(frozen=True, slots=True)
class NewPolicy:
    """What is fixed by itself where: rules by reference, on the hosts of a group (its UUID)."""

    name: str
    group: str
    rules: tuple[str, ...]
    approval: PolicyApproval = "wait"
    enabled: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """Automatic remediation of a group's hosts.

    Attributes:
        rules: references of the rules that it may fix; no others ever.
        approval: ``wait`` for somebody once it was tried, or ``apply`` what the dry run foresaw without failure.
        hosts: how many are in the group.
    """

    id: str
    group: str
    group_name: str
    name: str
    rules: list[str]
    approval: PolicyApproval
    enabled: bool
    made_by: str
    made_at: datetime
    changed_at: datetime
    hosts: int


@dataclass(frozen=True, slots=True)
class Verdicts:
    """How many hosts stand how: the numbers on top of every view."""

    total: int
    compliant: int
    warning: int
    critical: int
    unscanned: int


@dataclass(frozen=True, slots=True)
class Sought:
    """What a list of scans or rules shall show; empty is everything."""

    status: str = ""
    severity: str = ""
    kind: str = ""
    host: str = ""
    search: str = ""
    section: str = ""
    sort: str = ""
    direction: str = "asc"
    limit: int = 25
    offset: int = 0
    extra: Mapping[str, str] = field(default_factory=dict)
