"""Runs, policies, and what is asked of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

from server.core.ids import HostId

PatchType = Literal["patch_all", "patch_package"]
DelayType = Literal["immediate", "delayed", "fixed_time"]
Reboot = Literal["never", "if_required", "always"]


class Status(StrEnum):
    """Where a run is."""

    QUEUED = "queued"
    PENDING_VALIDATION = "pending_validation"
    VALIDATED = "validated"
    PENDING_APPROVAL = "pending_approval"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    COMPLETED = "completed"
    DRY_RUN_COMPLETED = "dry_run_completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    AGENT_DISCONNECTED = "agent_disconnected"


#: What the word active stands for in filters.
ACTIVE: Final = (Status.QUEUED, Status.RUNNING)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How far a run goes and what surrounds it; ``None`` is not said, so that somebody else may say it.

    Attributes:
        security_only: of everything, only what fixes a weakness.
        hold_patterns: names of packages that are left alone.
        allow_patterns: when there are any, only packages whose names fit are updated.
        full_upgrade: updates too that remove other packages.
        reboot: whether the host is restarted afterwards.
        snapshot: keep /etc and the package database first.
        pre_playbook: run before anything changes; empty is none.
        post_playbook: run at the end, after the restart if there is one; empty is none.
    """

    security_only: bool | None = None
    hold_patterns: tuple[str, ...] | None = None
    allow_patterns: tuple[str, ...] | None = None
    full_upgrade: bool | None = None
    reboot: Reboot | None = None
    snapshot: bool | None = None
    pre_playbook: str | None = None
    post_playbook: str | None = None

    def told(self) -> dict[str, Any]:
        """Return every option by its name, as JSON takes it."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}

    def over(self, other: "RunOptions") -> "RunOptions":
        """Return these options, and what is not said here as the other says it."""
        return RunOptions(
            *(
                getattr(other, one.name) if getattr(self, one.name) is None else getattr(self, one.name)
                for one in fields(self)
            )
        )


#: What holds where nobody says anything.
PLAIN: Final = RunOptions(
    security_only=False, hold_patterns=(), allow_patterns=(), full_upgrade=False, reboot="never", snapshot=False,
    pre_playbook="", post_playbook="",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Policy:
    """When runs begin and how they run unless somebody says otherwise; ``id`` is empty for the implicit Default."""

    id: str
    name: str
    patch_delay_type: DelayType = "immediate"
    delay_minutes: int | None = None
    fixed_time_utc: str | None = None
    timezone: str | None = None
    description: str = ""
    options: RunOptions = RunOptions()

    def snapshot(self) -> dict[str, object]:
        """Return what a run keeps of the policy for ever."""
        return {
            "id": self.id or None,
            "name": self.name,
            "description": self.description,
            "patch_delay_type": self.patch_delay_type,
            "delay_minutes": self.delay_minutes,
            "fixed_time_utc": self.fixed_time_utc,
            "timezone": self.timezone,
            **self.options.told(),
        }


DEFAULT = Policy("", "Default")


@dataclass(frozen=True, slots=True)
class Assignment:
    """A policy given to a host (``direct``) or to a group the host is in; lists of these are oldest first."""

    policy_id: str
    direct: bool


@dataclass(frozen=True, slots=True)
class Target:
    """A host a run is for, and what holds there whatever runs.

    Attributes:
        reboot_exempt: no run restarts it.
        hold_patterns: names of packages that no run touches.
    """

    id: HostId
    uuid: str
    name: str
    reboot_exempt: bool = False
    hold_patterns: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """What a run does to its host; ``options`` of a run that was made are all said."""

    patch_type: PatchType
    package_names: tuple[str, ...] = ()
    dry_run: bool = False
    options: RunOptions = RunOptions()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody triggers.

    Attributes:
        work: what it does not say, the policy of each host says.
        hosts: UUIDs.
        groups: UUIDs; each stands for its members at this moment.
        validate_only: the dry run shall not become a real run.
        submit: wait for somebody's approval.
        immediately: whatever the policy says.
        at_once: hosts for which the same is true, by UUID.
    """

    work: Work
    hosts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    validate_only: bool = False
    submit: bool = False
    immediately: bool = False
    at_once: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was made."""

    id: str
    host_id: str
    host_name: str
    status: Status
    run_at: datetime | None
    validation_run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run as decisions about it need it, under lock."""

    id: str
    host_id: HostId
    host_uuid: str
    host_name: str
    patch_type: PatchType
    package_names: list[str]
    security_only: bool
    hold_patterns: list[str]
    allow_patterns: list[str]
    full_upgrade: bool
    reboot: Reboot
    snapshot: bool
    pre_playbook: str
    post_playbook: str
    notes: list[str]
    reboot_exempt: bool
    host_hold_patterns: list[str]
    dry_run: bool
    validate_only: bool
    status: Status
    policy_snapshot: dict[str, Any]
    initiated_by: str | None
    approved_by: str | None
    stopped_by: str | None
    job_host: str | None
    scheduled_at: datetime | None
    started_at: datetime | None

    @property
    def work(self) -> Work:
        """What it does to its host, as it was decided when the run was made."""
        options = RunOptions(
            self.security_only, tuple(self.hold_patterns), tuple(self.allow_patterns), self.full_upgrade, self.reboot,
            self.snapshot, self.pre_playbook, self.post_playbook,
        )  # fmt: skip
        return Work(self.patch_type, tuple(self.package_names), self.dry_run, options)

    @property
    def target(self) -> Target:
        """The host it is for, as it is today."""
        return Target(self.host_id, self.host_uuid, self.host_name, self.reboot_exempt, self.host_hold_patterns)


@dataclass(frozen=True, slots=True)
class Listed:
    """Which runs are asked for; empty texts do not narrow."""

    host: str = ""
    status: str = ""
    patch_type: str = ""
    sort_by: str = "created_at"
    sort_dir: str = "desc"
    limit: int = 25
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Preview:
    """What would happen to a host if it were patched now.

    Attributes:
        options: all said.
        notes: what is different from what was asked for, in sentences.
    """

    target: Target
    policy: Policy
    run_at: datetime
    options: RunOptions = PLAIN
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Word:
    """What is known of a run's job host."""

    status: str
    reason: str
    started_at: datetime | None
    finished_at: datetime | None
    restarted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the module on the host found out.

    Attributes:
        plan: its result as it came, without the tail of the output; ``None`` when there is none.
        packages: the transaction as rows of name, from, to, action, security, requested.
        extra_deps: the transaction is larger than the request.
        error: why it gave up.
    """

    plan: dict[str, Any] | None = None
    packages: list[dict[str, Any]] = field(default_factory=list)
    extra_deps: bool = False
    error: str = ""
    reboot_required: bool = False
    reboot_reason: str = ""
