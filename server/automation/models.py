"""Jobs, their hosts, their events and the playbooks behind them."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from agent.protocol.messages import JobEnded
from server.core.ids import HostId, JobHostId, JobId

#: What JSON can say; variables and results are opaque to us.
Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Variables: TypeAlias = dict[str, Json]
#: Sealed with a job and no variables: files of the project in clear, the play's environment, more texts to be masked.
FILES: Final = "patchmon_files"
ENVIRONMENT: Final = "patchmon_environment"
MASKED: Final = "patchmon_masked"
Source = Literal["runner", "live"]
#: How a source is stored.
SOURCE_NUMBERS: dict[str, int] = {"runner": 0, "live": 1}


class Status(StrEnum):
    """Where a job host (or a whole job) is."""

    QUEUED = "queued"
    SCHEDULED = "scheduled"
    AWAITING_APPROVAL = "awaiting_approval"
    DISPATCHED = "dispatched"
    RUNNING = "running"
    REBOOTING = "rebooting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    UNREACHABLE = "unreachable"


FieldKind = Literal["text", "number", "boolean", "choice", "choices", "list", "json", "password", "area"]


@dataclass(frozen=True, slots=True)
class Field:
    """One variable of a playbook, as its role's ``argument_specs`` declare it.

    Attributes:
        type: Ansible's type: str, int, float, bool, list, dict, path, raw.
        elements: type of the items when ``type`` is list.
        secret: declared ``no_log``: travels sealed and is never shown again.
        title: what a form calls it, where somebody said so.
        multiline: a text of several lines.
        least, most: of a number its value, of a text its length.
    """

    name: str
    type: str
    help: str = ""
    default: Json = None
    choices: tuple[Json, ...] = ()
    elements: str = "str"
    required: bool = False
    secret: bool = False
    title: str = ""
    multiline: bool = False
    least: int | None = None
    most: int | None = None

    @property
    def label(self) -> str:
        """What a form calls it: without the role's prefix would be guessing, so only readable."""
        return self.title or self.name.replace("_", " ").capitalize()

    @property
    def kind(self) -> FieldKind:
        """Which form field shows it."""
        if self.secret:
            return "password"
        if self.choices:
            return "choices" if self.type == "list" else "choice"
        if self.multiline:
            return "area"
        kinds: dict[str, FieldKind] = {
            "int": "number",
            "float": "number",
            "bool": "boolean",
            "list": "list",
            "dict": "json",
            "raw": "json",
        }
        return kinds.get(self.type, "text")


@dataclass(frozen=True, slots=True)
class Playbook:
    """A playbook that can be launched.

    Attributes:
        file: its name inside the project archive.
        project_digest: the archive that holds it.
    """

    name: str
    file: str
    title: str
    description: str
    project_digest: str
    fields: tuple[Field, ...] = ()
    origin: str = "builtin"


@dataclass(frozen=True, slots=True)
class Project:
    """Bytes that are pushed to hosts, named by their SHA-256."""

    digest: str
    content: bytes
    origin: str = "builtin"


@dataclass(frozen=True, slots=True)
class Options:
    """How ansible-playbook is called, beside the variables.

    Attributes:
        before: playbooks that must succeed before the job's own begins.
        after: playbooks that run when it succeeded, behind the restart of the host if there is one.
        restart_seconds: what a host may take for a restart in the middle of the job.
        credentials: UUIDs of stored credentials whose secrets travel with the job.
        executor: "relayed": a worker runs the play, on ``forks`` hosts at once, in batches of ``serial``.
    """

    timeout_seconds: int = 3600
    grace_seconds: int = 30
    diff: bool = False
    tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()
    verbosity: int = 0
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    restart_seconds: int = 1800
    credentials: tuple[str, ...] = ()
    executor: str = ""
    forks: int = 0
    serial: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """What someone wants to be run.

    Attributes:
        hosts: UUIDs or friendly names.
        groups: UUIDs or names of host groups, or "all".
        deadline_seconds: hosts that did not come back by then are given up as unreachable.
        idempotency_key: a second order of the same actor with the same key returns the first one's job.
    """

    playbook: str
    hosts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    variables: Variables = field(default_factory=dict)
    check: bool = False
    options: Options = field(default_factory=Options)
    deadline_seconds: int = 86_400
    idempotency_key: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A host a job shall run on."""

    id: HostId
    uuid: str
    name: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What a launch form offers: hosts as (UUID, name, online), groups as (UUID, name, number of hosts).

    Attributes:
        hosts: those that are chosen, then some that match what is looked for.
        total: how many hosts there are to look among.
        more: there are more that match.
    """

    hosts: list[tuple[str, str, bool]]
    groups: list[tuple[str, str, int]]
    total: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One execution of a playbook on one or more hosts; ``only_host`` is the name of a single one."""

    id: JobId
    uuid: str
    playbook: str
    playbook_file: str
    title: str
    project_digest: str
    check_mode: bool
    variables: Variables
    secret_names: list[str]
    options: dict[str, Json]
    launched_by: str
    launched_by_id: str
    position: int
    job_date: date
    created_at: datetime
    deadline_at: datetime
    finished_at: datetime | None
    started_at: datetime | None
    counts: dict[str, int]
    only_host: str = ""


@dataclass(frozen=True, slots=True)
class JobHost:
    """A job on one host: the unit that is dispatched, streamed, stopped and retried."""

    id: JobHostId
    uuid: str
    job_id: JobId
    host_id: HostId | None
    host_uuid: str | None
    host_name: str
    status: Status
    reason: str
    executor: str
    changing: bool
    stop_asked_at: datetime | None
    dispatched_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    rc: int | None
    runner_counter: int
    live_counter: int
    events: int
    bytes: int
    counters: dict[str, int]
    position: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job host this process has just claimed, or must offer again: all an executor needs to build the offer."""

    id: JobHostId
    uuid: str
    job_id: JobId
    job_uuid: str
    host_id: HostId
    host_name: str
    changing: bool
    runner_counter: int
    live_counter: int
    playbook: str
    playbook_file: str
    project_digest: str
    project_size: int
    check_mode: bool
    variables: Variables
    options: dict[str, Json]
    secrets_sealed: str | None
    request_id: str

    @property
    def has_stages(self) -> bool:
        """More than its own playbook runs."""
        return bool(self.options.get("before") or self.options.get("after"))

    def number(self, option: str, default: int) -> int:
        """Return an option that is a whole number."""
        value = self.options.get(option, default)
        return value if isinstance(value, int) else default


@dataclass(frozen=True, slots=True)
class Standing:
    """A job host under lock, as far as decisions about its progress need it."""

    id: JobHostId
    uuid: str
    job_id: JobId
    job_uuid: str
    job_date: date
    job_position: int
    host_id: HostId | None
    status: Status
    stop_asked_at: datetime | None
    runner_counter: int
    live_counter: int
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive events of one source, as they arrived; the items are passed on to PostgreSQL unread."""

    job_host_id: JobHostId
    source: Source
    first: int
    items: tuple[dict[str, Json], ...]
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Sighting:
    """The host says it has the job: receiving, running or ended."""

    job_host_id: JobHostId
    state: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The host says the job is over.

    Attributes:
        incomplete: events it counted never arrived although it was asked again and again: end without them.
    """

    job_host_id: JobHostId
    ended: JobEnded
    incomplete: bool = False


Note: TypeAlias = Batch | Sighting | Ending


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of a job host after its notes were taken.

    Attributes:
        gap: events before these are missing: the host must send again from what is stored.
        over: the job host is finished, the host may forget it.
    """

    job_host_id: JobHostId
    runner: int
    live: int
    gap: bool = False
    over: bool = False


@dataclass(frozen=True, slots=True)
class Blob:
    """A module's result file."""

    module: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class ResultOf:
    """Which job host reported which result."""

    job_host_id: JobHostId
    module: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event as the outside sees it: its position and its JSON text, made by PostgreSQL and never parsed here."""

    position: int
    text: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event, for pages and projections."""

    position: int
    job_host_id: JobHostId
    job_host: str
    host_name: str
    source: Source
    counter: int
    at: datetime
    event: str
    uuid: str | None
    play: str | None
    task: str | None
    task_uuid: str | None
    action: str | None
    duration: float | None
    changed: bool | None
    ignored: bool | None
    stdout: str | None
    message: str | None
    has_result: bool
