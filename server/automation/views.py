"""What the pages of jobs show, made from rows; pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import orjson

from server.automation import rules
from server.automation.models import EventRow as Stored
from server.automation.models import Job, JobHost, Playbook, Source, Status

State = Literal["good", "attention", "bad", "neutral"]
_HIDDEN: Final = "••••••••"
#: Ansible's own name for it repeats what the heading of the page says.
_ARGUMENT_CHECK: Final = re.compile(r"Validating arguments against arg spec .*", re.DOTALL)
_COUNTED: Final = (
    (Status.SUCCEEDED, "ok"),
    (Status.RUNNING, "running"),
    (Status.REBOOTING, "rebooting"),
    (Status.DISPATCHED, "starting"),
    (Status.QUEUED, "queued"),
    (Status.SCHEDULED, "scheduled"),
    (Status.AWAITING_APPROVAL, "awaiting approval"),
    (Status.FAILED, "failed"),
    (Status.TIMED_OUT, "timed out"),
    (Status.LOST, "lost"),
    (Status.UNREACHABLE, "unreachable"),
    (Status.CANCELLED, "cancelled"),
)
_TASK_ENDS: Final = {
    "runner_on_ok": "ok",
    "runner_on_failed": "failed",
    "runner_on_skipped": "skipped",
    "runner_on_unreachable": "unreachable",
    "runner_on_async_ok": "ok",
    "runner_on_async_failed": "failed",
}
_TASK_STARTS: Final = frozenset({"playbook_on_task_start", "playbook_on_handler_task_start", "runner_on_start"})
_ITEM_ENDS: Final = {"runner_item_on_failed": "failed", "runner_item_on_ok": "ok"}
_WARNINGS: Final[Mapping[str, State]] = {
    "warning": "attention", "deprecated": "neutral", "error": "bad", "cap_reached": "attention", "unreadable": "bad",
}  # fmt: skip
_STATES: Final[Mapping[str, State]] = {
    "ok": "good", "changed": "attention", "failed": "bad", "unreachable": "bad", "ignored": "attention",
}  # fmt: skip
_STAT_WORDS: Final = (
    ("ok", "ok"),
    ("changed", "changed"),
    ("failed", "failed"),
    ("unreachable", "unreachable"),
    ("skipped", "skipped"),
)


@dataclass(frozen=True, slots=True)
class JobView:
    """A job in lists and at the top of its page."""

    id: str
    title: str
    playbook: str
    check: bool
    status: str
    state: State
    live: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_seconds: float | None
    launched_by: str
    host_count: int
    counts: list[tuple[str, int, State]]
    only_host: str
    can_stop: bool
    can_relaunch: bool
    can_approve: bool
    needs_other: bool
    url: str
    variables: list[tuple[str, str]] = field(default_factory=list)
    error_groups: list[tuple[str, list[str]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class HostRow:
    """One host in the list of a job; ``id`` is the job host's own."""

    id: str
    name: str
    url: str
    status: str
    state: State
    duration_seconds: float | None
    started_at: datetime | None
    summary: str
    selected: bool


@dataclass(frozen=True, slots=True)
class EventRow:
    """A row of the tree; the same ``key`` later takes the place of the earlier one."""

    key: str
    position: int
    kind: Literal["play", "task", "result", "stats", "warning"]
    play: str
    task: str
    status: str
    state: State
    duration_seconds: float | None
    at: datetime
    message: str
    result_url: str


@dataclass(frozen=True, slots=True)
class ConsoleChunk:
    """A piece of output."""

    position: int
    source: Source
    text: str


@dataclass(frozen=True, slots=True)
class PlaybookView:
    """A playbook in the list and at the top of its launch form."""

    name: str
    title: str
    description: str
    source: str
    url: str
    last_job_url: str = ""
    last_at: datetime | None = None
    project: str = ""
    may_launch: bool = True


def job(found: Job, *, may_launch: bool, now: datetime, hosts: Sequence[JobHost] = (), own: bool = False) -> JobView:
    """Return a job as it is shown; who looks launched it themselves (``own``) or not."""
    waits = bool(found.counts.get(Status.AWAITING_APPROVAL))
    status = rules.job_status(found.counts)
    live = not rules.is_over(found.counts)
    bad = sum(number for word, number in found.counts.items() if word in rules.ENDED and word != Status.SUCCEEDED)
    end = now if live else found.finished_at
    return JobView(
        id=found.uuid,
        title=found.title,
        playbook=found.playbook,
        check=found.check_mode,
        status=status,
        state=rules.shown(status),
        live=live,
        created_at=found.created_at,
        started_at=found.started_at,
        finished_at=found.finished_at,
        duration_seconds=(end - found.started_at).total_seconds() if end and found.started_at else None,
        launched_by=found.launched_by,
        host_count=sum(found.counts.values()),
        counts=[(word, found.counts[name], rules.shown(name)) for name, word in _COUNTED if found.counts.get(name)],
        only_host=found.only_host,
        can_stop=may_launch and live,
        can_relaunch=may_launch and bad > 0 and not live,
        can_approve=may_launch and waits and not own,
        needs_other=waits and own,
        url=f"/jobs/{found.uuid}",
        variables=_variables(found),
        error_groups=_causes(hosts),
    )


def _variables(found: Job) -> list[tuple[str, str]]:
    shown = [(name, readable(value)) for name, value in found.variables.items()]
    return sorted(shown + [(name, _HIDDEN) for name in found.secret_names])


def _causes(hosts: Iterable[JobHost]) -> list[tuple[str, list[str]]]:
    causes: dict[str, list[str]] = {}
    for one in hosts:
        if rules.shown(Status(one.status)) == "bad":
            causes.setdefault(one.reason or str(one.status).replace("_", " "), []).append(one.host_name)
    return sorted(causes.items(), key=lambda cause: -len(cause[1]))


def host(found: JobHost, job_url: str, *, now: datetime, selected: str = "") -> HostRow:
    """Return one host of a job as it is shown."""
    status = Status(found.status)
    end = found.finished_at or now
    return HostRow(
        id=found.uuid,
        name=found.host_name,
        url=f"{job_url}?host={found.uuid}",
        status=status,
        state=rules.shown(status),
        duration_seconds=(end - found.started_at).total_seconds() if found.started_at else None,
        started_at=found.started_at,
        summary=_summary(found, status),
        selected=found.uuid == selected,
    )


def _summary(found: JobHost, status: Status) -> str:
    if found.stop_asked_at is not None and status in rules.ON_HOST:
        return "stopping"
    if status in rules.ENDED and status != Status.SUCCEEDED:
        return found.reason
    waiting = "waits for the host" if status == Status.QUEUED else ""
    return tally(found.counters) or found.reason or waiting


def tally(counters: Mapping[str, int]) -> str:
    """Return a play's statistics in words."""
    return " · ".join(f"{counters[name]} {word}" for name, word in _STAT_WORDS if counters.get(name))


def chunk(row: Stored) -> ConsoleChunk | None:
    """Return what an event printed; nothing when it printed nothing."""
    return ConsoleChunk(row.position, row.source, row.stdout) if row.stdout else None


def tree(rows: Iterable[Stored], job_url: str) -> list[EventRow]:
    """Return the tree of one host's events: later rows take the place of earlier ones with the same key."""
    found: dict[str, EventRow] = {}
    for row in rows:
        made = event(row, job_url)
        if made is not None and not (made.status == "running" and made.key in found):
            found[made.key] = made
    return list(found.values())


def event(row: Stored, job_url: str) -> EventRow | None:  # noqa: PLR0911 (one line per kind)
    """Return an event as a row of the tree; nothing when it has no place there."""
    if row.event == "playbook_on_play_start":
        return _row(row, f"play-{row.position}", "play", "")
    if row.event in _TASK_STARTS:
        return _row(row, f"task-{row.task_uuid}", "task", "running")
    if row.event in _TASK_ENDS:
        return _row(row, f"task-{row.task_uuid}", "task", _end(row, _TASK_ENDS[row.event]), job_url)
    if row.event in _ITEM_ENDS and (row.changed or row.event == "runner_item_on_failed"):
        return _row(row, f"item-{row.position}", "result", _end(row, _ITEM_ENDS[row.event]), job_url)
    if row.event == "playbook_on_stats":
        return _row(row, f"stats-{row.position}", "stats", "Finished", job_url)
    if row.event in _WARNINGS:
        return _row(row, f"warning-{row.position}", "warning", "warning")
    return None


def _end(row: Stored, word: str) -> str:
    if word == "failed" and row.ignored:
        return "ignored"
    return "changed" if word == "ok" and row.changed else word


def _row(
    row: Stored, key: str, kind: Literal["play", "task", "result", "stats", "warning"], status: str, url: str = ""
) -> EventRow:
    message = row.message or ""
    if kind == "warning":
        message = message or (row.stdout or "").strip()
    return EventRow(
        key=key,
        position=row.position,
        kind=kind,
        play=row.play or "",
        task=_ARGUMENT_CHECK.sub("Validating arguments", row.task or ""),
        status=status,
        state=_WARNINGS[row.event] if kind == "warning" else _STATES.get(status, "neutral"),
        duration_seconds=row.duration,
        at=row.at,
        message=message,
        result_url=f"{url}/results/{row.position}" if url and row.has_result and status != "skipped" else "",
    )


def playbook(found: Playbook, last: Job | None = None, *, may_launch: bool = True) -> PlaybookView:
    """Return a playbook as it is shown."""
    builtin = found.origin == "builtin"
    return PlaybookView(
        found.name, found.title, found.description, "built in" if builtin else found.file,
        f"/playbooks/{found.name}/launch", f"/jobs/{last.uuid}" if last else "", last.created_at if last else None,
        "" if builtin else found.name.rpartition("/")[0], may_launch,
    )  # fmt: skip


def changes(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the packages of a module's result as the table shows them; none when it is about something else."""
    listed = result.get("changes")
    if not isinstance(listed, list):
        return []
    return [
        {
            "name": str(one.get("name", "")),
            "from_version": str(one.get("from") or ""),
            "to_version": str(one.get("to") or ""),
            "repository": str(one.get("repository") or ""),
            "security": bool(one.get("security")),
            "requested": bool(one.get("requested", True)),
            "action": str(one.get("action") or ""),
        }
        for one in listed
        if isinstance(one, dict)
    ]


def fields(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the short values of a result for reading; long and nested ones are in the raw text."""
    return [
        (name.replace("_", " "), readable(value))
        for name, value in sorted(result.items())
        if isinstance(value, str | int | float | bool)
        and name not in {"changed", "failed", "msg"}
        and len(str(value)) < 200  # noqa: PLR2004 (one or two lines)
    ]


def readable(value: object) -> str:
    """Return a value as a person reads it."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
