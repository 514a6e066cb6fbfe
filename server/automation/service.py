"""Launching, stopping and reading jobs; what other rooms and the doors call."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.automation import approving, catalogue, joining, librarian, native, publishing, repeats, rules, stopping
from server.automation.errors import (
    BadResult,
    JobFinished,
    JobMissing,
    JobStillRunning,
    NothingToRelaunch,
    NotLaunchable,
    PlaybookMissing,
    ResultMissing,
)
from server.automation.events import JobAwaitsApproval, JobListChanged, JobsQueued, JobStopAsked
from server.automation.ledger import Ledger
from server.automation.models import (
    Blob,
    Choices,
    EventLine,
    EventRow,
    Job,
    JobHost,
    Options,
    Order,
    ResultOf,
    Status,
    Target,
    Variables,
)
from server.automation.queries import events as event_rows
from server.automation.queries import jobs as job_rows
from server.automation.queries import library as library_rows
from server.automation.queries import life
from server.automation.queries import relay as relay_rows
from server.channel import service as channel
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx, as_json
from server.core.ids import HostId, JobId, is_uuid
from server.core.paging import Page, Window

_MOST_HOSTS: Final = 50_000
#: So many hosts stand in a launch form beside those that are chosen; the others are found by their names.
_OFFERED: Final = 50


publish_builtin = publishing.publish_builtin
publish_in = publishing.publish_in
playbooks = publishing.playbooks
playbook = publishing.playbook
launchable = publishing.launchable
may_launch = publishing.may_launch
demand_launch = publishing.demand
offered = librarian.offered
Provided = librarian.Provided
Offered = librarian.Offered
Level = librarian.Level
PROJECT = librarian.PROJECT
register_librarian = librarian.register
distributed = catalogue.root
job_status = rules.job_status
exit_code = rules.exit_code


# ---------------------------------------------------------------- launching


async def launch(call: Call, order: Order) -> Job:
    """Start a job: its hosts are queued when this returns, and run as soon as their links allow."""
    async with call.transaction() as tx:
        job = await launch_in(tx, call, order)
    return await fetch(call, job)


async def launch_in(tx: Tx, call: Call, order: Order, relaunch_of: JobId | None = None) -> str:
    """Start a job within another room's transaction; return its UUID."""
    found = await library_rows.find_playbook(tx, order.playbook)
    if found is None:
        raise PlaybookMissing(name=order.playbook)
    await librarian.demand(tx, call, found)
    if (earlier := await _earlier(tx, call, order)) is not None:
        return earlier
    checked = catalogue.check(found, order.variables)
    targets, complaints = await _targets(tx, call, order)
    complaints |= {f"variables.{name}": text for name, text in checked.complaints.items()} | _misused(order)
    surrounded = await joining.around(tx, call, order, found)
    provided = joining.together(await librarian.provide(tx, call, found, order), surrounded.provided)
    complaints |= surrounded.complaints | dict(provided.complaints)
    if complaints:
        raise NotLaunchable(complaints)
    deadline_at = call.now + timedelta(seconds=order.deadline_seconds)
    row = await job_rows.insert_job(
        tx, call, order, surrounded.playbook, checked.plain, sorted(checked.secret), deadline_at
    )
    sealed = call.world.box.seal(as_json(secret)) if (secret := provided.sealed(checked.secret)) else None
    status = Status.AWAITING_APPROVAL if provided.approval and not order.check else Status.QUEUED
    await job_rows.insert_job_hosts(
        tx, row["id"], targets, status, changing=not order.check, secrets_sealed=sealed, relaunch_of=relaunch_of
    )
    if order.options.executor or order.options.forks or order.options.serial:
        await relay_rows.mark_relayed(tx, row["id"])
    detail = {"playbook": found.name, "check": order.check, "hosts": len(targets), "variables": sorted(order.variables)}
    subject = Subject("job", row["uuid"], order.title or found.title)
    await audit.record(tx, call, "automation.job_launched", subject, detail)
    if status == Status.QUEUED:
        tx.after_commit(announce(JobsQueued(tuple(target.id for target in targets))))
    else:
        tx.after_commit(announce(JobAwaitsApproval(str(row["uuid"]), order.title or found.title, len(targets))))
    tx.after_commit(announce(JobListChanged()))
    if order.idempotency_key:
        await repeats.answered_in(tx, call, order.idempotency_key, row["uuid"])
    return str(row["uuid"])


async def _earlier(tx: Tx, call: Call, order: Order) -> str | None:
    if not order.idempotency_key:
        return None
    bare = replace(order, idempotency_key="")
    found = await repeats.earlier_in(tx, call, "jobs", order.idempotency_key, bare)
    return None if found is None else str(found)


check_variables = catalogue.check
earlier_in = repeats.earlier_in
answered_in = repeats.answered_in


async def _targets(tx: Tx, call: Call, order: Order) -> tuple[tuple[Target, ...], dict[str, str]]:
    names, groups = tuple(dict.fromkeys(order.hosts)), tuple(dict.fromkeys(order.groups))
    rows = await job_rows.list_targets(tx, call.actor.scope, names, groups)
    complaints: dict[str, str] = {}
    answered: dict[str, int] = {}
    for row in rows:
        for name in row["answers"]:
            answered[name] = answered.get(name, 0) + 1
    if unknown := [name for name in names if name not in answered]:
        complaints["hosts"] = "unknown: " + ", ".join(unknown[:20])
    elif ambiguous := [name for name, count in answered.items() if count > 1]:
        complaints["hosts"] = "several hosts have this name, use their ids: " + ", ".join(ambiguous[:20])
    known = await job_rows.list_known_groups(tx, call.actor.scope, groups) if groups else []
    if unknown := [group for group in groups if group not in known]:
        complaints["groups"] = "unknown: " + ", ".join(unknown[:20])
    if not rows and not complaints:
        complaints["hosts"] = "choose at least one host or a group with hosts"
    if len(rows) > _MOST_HOSTS:
        complaints["hosts"] = f"more than {_MOST_HOSTS} hosts at once"
    return tuple(Target(row["id"], row["uuid"], row["name"]) for row in rows), complaints


def _misused(order: Order) -> dict[str, str]:
    limits = {
        "timeout_seconds": (order.options.timeout_seconds, 1, 7 * 86_400),
        "grace_seconds": (order.options.grace_seconds, 0, 3600),
        "verbosity": (order.options.verbosity, 0, 4),
        "deadline_seconds": (order.deadline_seconds, 1, 90 * 86_400),
        "restart_seconds": (order.options.restart_seconds, 1, 86_400),
        "forks": (order.options.forks, 0, 500),
        "serial": (order.options.serial, 0, 10_000),
    }
    wrong = {} if order.options.executor in {"", "relayed"} else {"executor": "must be empty or relayed"}
    return wrong | {
        name: f"must be between {least} and {most}"
        for name, (value, least, most) in limits.items()
        if not least <= value <= most
    }


async def relaunch(call: Call, job: str, *, failed_only: bool = True, variables: Variables | None = None) -> Job:
    """Run a job again, on the hosts that failed or on all; secret values must be given again."""
    before = await fetch(call, job)
    await publishing.demand(call, before.playbook)
    if not failed_only and before.finished_at is None:
        raise JobStillRunning
    hosts = await job_rows.list_job_hosts(call.db, call.actor.scope, before.id)
    wanted = [
        h
        for h in hosts
        if h.host_uuid and (not failed_only or (h.status in rules.ENDED and h.status != Status.SUCCEEDED))
    ]
    if not wanted:
        raise NothingToRelaunch
    missing = [name for name in before.secret_names if name not in (variables or {})]
    if missing:
        raise NotLaunchable({f"variables.{name}": "is secret and must be given again" for name in missing})
    order = Order(
        before.playbook,
        hosts=tuple(str(h.host_uuid) for h in wanted),
        variables={**before.variables, **(variables or {})},
        check=before.check_mode,
        options=options_of(before),
        title=before.title,
        deadline_seconds=int((before.deadline_at - before.created_at).total_seconds()),
    )
    async with call.transaction() as tx:
        again = await launch_in(tx, call, order, relaunch_of=before.id)
    return await fetch(call, again)


def options_of(job: Job) -> Options:
    """Return how a job calls ansible-playbook."""
    stored: dict[str, Any] = dict(job.options)
    for name in ("tags", "skip_tags", "before", "after", "credentials"):
        stored[name] = tuple(stored.get(name) or ())
    return Options(**stored)


async def stop(call: Call, job: str, hosts: list[str] | None = None) -> Job:
    """End a job or some of its hosts: what waits is cancelled at once, what runs is interrupted."""
    before = await fetch(call, job)
    await publishing.demand(call, before.playbook)
    async with call.transaction() as tx:
        standings = await life.lock_job_standings(tx, call.actor.scope, job, hosts)
        open_ones = [row for row in standings if row.status in rules.OPEN]
        if not open_ones:
            raise JobFinished
        ledger = Ledger(standings, call.now)
        for row in open_ones:
            if row.status in rules.WAITING:
                ledger.move(row.id, Status.CANCELLED, f"stopped by {call.actor.name or call.actor.id}")
            else:
                ledger.ask_stop(row.id)
        await ledger.write(tx)
        await audit.record(
            tx,
            call,
            "automation.job_stopped",
            Subject("job", job, before.title),
            {"hosts": len(open_ones), "of": sum(before.counts.values())},
        )
        on_host = tuple(row.host_id for row in open_ones if row.status in rules.ON_HOST and row.host_id is not None)
        if on_host:
            tx.after_commit(announce(JobStopAsked(on_host)))
    return await fetch(call, job)


stop_in = stopping.stop_in
approve = approving.approve
is_own = approving.is_own
adopt_native_in = native.adopt_in
resume_native_in = native.resume_in
append_native_in = native.append_in
end_native_in = native.end_in


# ---------------------------------------------------------------- reading


async def fetch(call: Call, job: str) -> Job:
    """Return a job by UUID; ``JobMissing`` when there is none."""
    found = await job_rows.find_job(call.db, call.actor.scope, job) if is_uuid(job) else None
    if found is None:
        raise JobMissing
    return found


async def page_of_jobs(
    call: Call, window: Window, *, playbook: str = "", search: str = "", only: str = ""
) -> Page[Job]:
    """Return jobs, newest first; ``only`` is open, failed or empty."""
    jobs = await job_rows.list_jobs(call.db, call.actor.scope, window, playbook=playbook, search=search, only=only)
    total = await job_rows.count_jobs(call.db, call.actor.scope, playbook=playbook, search=search, only=only)
    return Page(jobs, total, window)


async def jobs_of_host(call: Call, host_id: HostId, limit: int = 50) -> list[Job]:
    """Return the last jobs of a host, with this host's own state as their counts."""
    return await job_rows.list_host_jobs(call.db, host_id, limit)


async def hosts_of(call: Call, job: Job, *, after: int = 0) -> list[JobHost]:
    """Return a job's hosts, or those that changed after a position."""
    return await job_rows.list_job_hosts(call.db, call.actor.scope, job.id, after=after)


async def host_of(call: Call, job: Job, name: str) -> JobHost:
    """Return one host of a job by its own id, its host's id or the name."""
    found = await job_rows.find_job_host(call.db, call.actor.scope, job.id, name)
    if found is None:
        raise JobMissing
    return found


async def last_jobs(call: Call) -> dict[str, Job]:
    """Return the newest job of each playbook."""
    return {job.playbook: job for job in await job_rows.list_last_jobs(call.db, call.actor.scope)}


async def choices(call: Call, words: str = "", hosts: Sequence[str] = (), chosen_groups: Sequence[str] = ()) -> Choices:
    """Return what a launch form offers: what is chosen already, and hosts and groups with these words in their name."""
    scope = call.actor.scope
    kept = await job_rows.list_chosen_targets(call.db, scope, hosts) if hosts else []
    found = await job_rows.list_found_targets(call.db, scope, words, hosts, _OFFERED + 1)
    rows = [*kept, *found[:_OFFERED]]
    online = await channel.online(call, [row.id for row in rows])
    groups = [(g["uuid"], g["name"], g["count"]) for g in await job_rows.list_groups(call.db, scope)]
    total = await job_rows.count_targets(call.db, scope)
    return Choices(
        [(row.uuid, row.name, row.id in online) for row in rows],
        [group for group in groups if words.lower() in group[1].lower() or group[0] in chosen_groups],
        total,
        more=len(found) > _OFFERED,
    )


async def event_lines(
    call: Call, job: Job, *, after: int = 0, limit: int = 1000, host: JobHost | None = None
) -> list[EventLine]:
    """Return events behind a position as JSON text."""
    return await event_rows.list_lines(
        call.db, call.actor.scope, job.job_date, job.id, after=after, limit=limit, job_host_id=host.id if host else None
    )


async def events(
    call: Call, job: Job, *, after: int = 0, limit: int = 1000, host: JobHost | None = None
) -> list[EventRow]:
    """Return events behind a position for pages."""
    return await event_rows.list_rows(
        call.db, call.actor.scope, job.job_date, job.id, after=after, limit=limit, job_host_id=host.id if host else None
    )


async def runner_events(call: Call, job: Job, host: JobHost, *, until: int, limit: int) -> list[EventRow]:
    """Return the play's own events of one host up to a position, without what its modules printed meanwhile."""
    return await event_rows.list_runner_rows(call.db, job.job_date, job.id, host.id, until=until, limit=limit)


async def last_output(call: Call, job: Job, host: JobHost, *, until: int, limit: int) -> list[EventRow]:
    """Return the last events of one host that printed something, in order."""
    return await event_rows.list_last_output(call.db, job.job_date, job.id, host.id, until=until, limit=limit)


async def is_forgotten(call: Call, job: Job, host: JobHost) -> bool:
    """Tell whether what a host sent about its job is kept no longer."""
    if job.finished_at is None or not host.events:
        return False
    return not await event_rows.has_events(call.db, job.job_date, host.id)


async def event_result(call: Call, job: Job, position: int) -> Mapping[str, Any]:
    """Return one event's result."""
    found = await event_rows.find_event_result(call.db, call.actor.scope, job.job_date, job.id, position)
    if found is None:
        raise ResultMissing
    return found


# ---------------------------------------------------------------- result files


async def keep_result(call: Call, digest: str, content: bytes) -> bool:
    """Keep a module's result file that an agent uploads; False when it was here already."""
    if hashlib.sha256(content).hexdigest() != digest:
        raise BadResult
    return await library_rows.insert_blob(call.db, digest, content)


async def results_of(call: Call, host: JobHost) -> list[Blob]:
    """Return what a job host reported."""
    return await library_rows.list_results(call.db, host.id)


async def results_of_job(call: Call, job: Job) -> list[ResultOf]:
    """Return what all hosts of a job reported."""
    return [ResultOf(**row) for row in await library_rows.list_job_results(call.db, call.actor.scope, job.id)]


async def result(call: Call, job_host: str, digest: str) -> bytes:
    """Return a result file that this job host named."""
    content = await result_if_here(call, job_host, digest)
    if not content:
        raise ResultMissing
    return content


async def result_if_here(call: Call, job_host: str, digest: str) -> bytes:
    """Return a result file that this job host named; empty when it never arrived."""
    if not is_uuid(job_host):
        return b""
    return await library_rows.find_result(call.db, call.actor.scope, job_host, digest) or b""
