"""Runs as their pages read them: lines of the history, what comes next, what went wrong."""

from dataclasses import dataclass
from datetime import datetime

from server.patching.models import PatchType, Status


@dataclass(frozen=True, slots=True)
class Sought:
    """Which runs a page asks for; empty texts do not narrow.

    Attributes:
        statuses: any of these; none is every one.
        batch: the runs of one trigger.
        search: part of a host's or a package's name.
    """

    host: str = ""
    statuses: tuple[str, ...] = ()
    patch_type: str = ""
    batch: str = ""
    search: str = ""
    sort_by: str = "created_at"
    sort_dir: str = "desc"
    limit: int = 25
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A run in a list; without its output, its plan and its packages."""

    id: str
    host_id: str
    host_name: str
    patch_type: PatchType
    package_names: list[str]
    security_only: bool
    dry_run: bool
    status: Status
    extra_deps: bool
    initiated_by: str | None
    error_message: str
    created_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Coming:
    """Runs that begin together; ``only_id`` and ``only_host`` when it is one."""

    at: datetime
    policy: str
    runs: int
    only_id: str
    only_host: str


@dataclass(frozen=True, slots=True)
class Cause:
    """Why runs failed.

    Attributes:
        hosts: how many different ones.
        names: up to four of them.
        run: the newest run it happened to.
    """

    text: str
    status: Status
    times: int
    hosts: int
    names: list[str]
    run: str
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A run that had a package in its hands."""

    run: str
    host_id: str
    host_name: str
    status: Status
    at: datetime
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Named:
    """A host or a group that can be patched, found by its name; ``hosts`` counts a group's."""

    kind: str
    id: str
    name: str
    hosts: int


@dataclass(frozen=True, slots=True)
class Part:
    """A package of a transaction; an empty version is one that is not there."""

    name: str
    before: str
    after: str
    action: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a run did not do what its dry run said; ``None`` for what one of them did not have."""

    name: str
    planned: Part | None
    done: Part | None
