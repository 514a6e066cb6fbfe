"""Triggering, approving, repeating, stopping, deleting and reading runs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec

from server.audit import service as audit
from server.audit.models import Subject
from server.automation import service as automation
from server.channel import service as channel
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx
from server.core.ids import is_uuid, new_uuid
from server.core.log import get_log
from server.patching import approving, causes, hooks, planning, projection, rules, schedule
from server.patching.errors import (
    AgentAway,
    BadRun,
    NotDeletable,
    NotRetryable,
    NotStoppable,
    RunFinished,
    RunMissing,
    RunStarting,
    TargetMissing,
)
from server.patching.events import PatchRunCancelled, PatchRunChanged, PatchRunEvent, PatchRunsChanged
from server.patching.models import DEFAULT, Listed, Preview, Run, Started, Status, Target, Wanted, Word, Work
from server.patching.queries import progress
from server.patching.queries import runs as run_rows

log = get_log(__name__)

_MOST_HOSTS: Final = 50_000


# ---------------------------------------------------------------- beginning


async def trigger(call: Call, wanted: Wanted) -> list[Started]:
    """Make one run per host, and begin those that are due; raises ``BadRun`` or ``TargetMissing``."""
    async with call.transaction() as tx:
        return await trigger_in(tx, call, wanted, by=approving.name_of(call))


async def trigger_once(call: Call, wanted: Wanted, key: str) -> tuple[list[Started], bool]:
    """Do the same under an idempotency key, and tell whether an equal order was carried out before: it is not again.

    Without a key every order is another one.
    """
    if not key:
        return await trigger(call, wanted), False
    async with call.transaction() as tx:
        if (earlier := await automation.earlier_in(tx, call, "patching", key, wanted)) is not None:
            return msgspec.convert(earlier, list[Started]), True
        made = await trigger_in(tx, call, wanted, by=approving.name_of(call))
        await automation.answered_in(tx, call, key, made)
        return made, False


async def trigger_in(
    tx: Tx, call: Call, wanted: Wanted, *, by: str | None, approved_by: str | None = None
) -> list[Started]:
    """Do the same within another room's transaction, in the name of whoever asked that room (``by``)."""
    await demand(call, wanted)
    targets = await _targets(tx, call, wanted)
    policies = await planning.policies(tx, call, [target.id for target in targets])
    batch = new_uuid()
    rows, made = [], []
    for target in targets:
        policy = policies.get(target.id, DEFAULT)
        soon = wanted.immediately or target.uuid in wanted.at_once
        work, notes = rules.work_for(wanted.work, policy, target)
        begins = rules.beginning(work, policy, call.now, submit=wanted.submit, immediately=soon)
        made.append((Started(new_uuid(), target.uuid, target.name, begins.status, begins.scheduled_at), begins.now))
        rows.append(
            run_rows.row_of(
                target, work, policy, notes=list(notes),
                id=made[-1][0].id, status=begins.status, scheduled_at=begins.scheduled_at, batch_id=batch,
                validate_only=wanted.validate_only, initiated_by=by, approved_by=approved_by,
                schedule_override="immediate" if soon else None,
            )
        )  # fmt: skip
    await run_rows.insert_runs(tx, rows, call.now)
    if due := [started.id for started, now in made if now]:
        await schedule.release_in(tx, call, await run_rows.lock_runs(tx, due))
    await _record_trigger(tx, call, wanted, targets, batch)
    tx.after_commit(announce(PatchRunsChanged()))
    return [started for started, _ in made]


async def demand(call: Call, wanted: Wanted) -> None:
    """Raise what ``trigger`` would, as far as that does not depend on which hosts there are."""
    if wrong := rules.complaints_of(wanted):
        raise BadRun.of(wrong)
    await hooks.demand(call, wanted.work.options)


async def _record_trigger(tx: Tx, call: Call, wanted: Wanted, targets: Sequence[Target], batch: str) -> None:
    detail = {
        "patch_type": wanted.work.patch_type,
        "packages": list(wanted.work.package_names),
        "dry_run": wanted.work.dry_run,
        "options": {name: value for name, value in wanted.work.options.told().items() if value is not None},
        "for_approval": wanted.submit,
        "immediately": wanted.immediately,
        "hosts": [target.name for target in targets[:20]],
        "host_count": len(targets),
    }
    subject = Subject("patch_batch", batch, rules.title(wanted.work))
    await audit.record(tx, call, "patching.run_triggered", subject, detail)


async def _targets(tx: Tx, call: Call, wanted: Wanted) -> list[Target]:
    hosts, groups = list(dict.fromkeys(wanted.hosts)), list(dict.fromkeys(wanted.groups))
    if not all(map(is_uuid, hosts)):
        raise TargetMissing(kind="Host")
    if not all(map(is_uuid, groups)) or await run_rows.count_groups(tx, call.actor.scope, groups) < len(groups):
        raise TargetMissing(kind="Host group")
    found = await run_rows.list_targets(tx, call.actor.scope, hosts, groups)
    known = {target.uuid for target in found}
    if any(host.lower() not in known for host in hosts):
        raise TargetMissing(kind="Host")
    if not found:
        raise BadRun.of({"host_group_id": "The host group has no hosts"})
    if len(found) > _MOST_HOSTS:
        raise BadRun.of({"host_ids": f"More than {_MOST_HOSTS} hosts at once"})
    return found


async def preview(call: Call, host: str) -> Preview:
    """Return which policy holds for a host, and when a run triggered now would begin."""
    async with call.transaction() as tx:
        targets = await _targets(tx, call, Wanted(Work("patch_all"), (host,)))
    return (await planning.previews(call, targets))[0]


# ---------------------------------------------------------------- deciding


async def approve(call: Call, run: str, *, immediately: bool = False) -> Started:
    """Sign a run off: it stays for the record, and a real run is made under the policy that holds now."""
    made, refused = await approving.approve(call, [run], immediately=immediately)
    if refused:
        raise refused[0].why
    return made[0]


async def retry(call: Call, run: str) -> Run:
    """Queue a dry run that waits for its host once more; it stays the same run."""
    async with call.transaction() as tx:
        before = await _locked(tx, call, run)
        if not before.dry_run or rules.after(before.status, rules.Happening.RETRY) is None:
            raise NotRetryable
        waits = [before.job_host] if before.job_host is not None else []
        if set(waits) == await automation.stop_in(tx, call, waits, "validation is tried again", only_waiting=True):
            await schedule.release_in(tx, call, [before])
        await _record(tx, call, "patching.validation_retried", before, {})
        log.info("patching: validation retried", task=f"patch-run-{run}-retry")
    return before


async def withdraw_in(tx: Tx, call: Call, runs: Sequence[str], reason: str) -> frozenset[str]:
    """Take back runs that wait for their hosts, within another room's transaction; return those that never begin.

    What is on its host already, or on its way there, goes on and is not in the answer. Whoever calls has asked whether
    the actor may. The runs stay for the record and are moved to cancelled with the reason.
    """
    locked = {run.job_host: run.id for run in await run_rows.lock_runs(tx, runs) if run.job_host is not None}
    idle = await automation.stop_in(tx, call, list(locked), reason, only_waiting=True)
    words = await progress.list_words(tx, list(idle))
    tx.after_commit(announce(PatchRunsChanged()))
    return frozenset(locked[hand] for hand in idle if not _began(words, hand))


async def stop(call: Call, run: str) -> Run:
    """Ask the host to end a run that is running; its partial output is kept."""
    await projection.catch_up(call, [run] if is_uuid(run) else [])
    async with call.transaction() as tx:
        before = await _locked(tx, call, run)
        if before.status in rules.FINISHED:
            raise RunFinished
        if before.status not in rules.STOPPABLE or before.job_host is None:
            raise NotStoppable
        if before.host_id not in await channel.online(call, [before.host_id]):
            raise AgentAway
        await run_rows.update_stopped_by(tx, before.id, approving.name_of(call) or "an operator", call.now)
        await automation.stop_in(tx, call, [before.job_host], "stopped")
        await _record(tx, call, "patching.run_stopped", before, {})
    return before


async def delete(call: Call, run: str) -> Run:
    """Remove a run that has not begun; from here on it never does. Raises ``NotDeletable`` or ``RunStarting``."""
    async with call.transaction() as tx:
        before = await _locked(tx, call, run)
        if before.status not in rules.DELETABLE:
            raise NotDeletable(status=before.status.replace("_", " "))
        if before.job_host is not None and before.status in {Status.QUEUED, Status.PENDING_VALIDATION}:
            held = [before.job_host]
            idle = await automation.stop_in(tx, call, held, "the run was deleted", only_waiting=True)
            if not idle or _began(await progress.list_words(tx, held), held[0]):
                raise RunStarting
        await run_rows.delete_run(tx, before.id)
        await _record(tx, call, "patching.run_deleted", before, {"status": before.status})
        _announce(tx, before, PatchRunCancelled)
        log.info("patching: deleted", task=f"patch-run-{before.id}")
    return before


def _began(words: dict[str, Word], job_host: str) -> bool:
    # Begun, or over without us having looked yet: what happened on the host stays on record.
    return job_host in words and words[job_host].status not in {"cancelled", "unreachable"}


async def _locked(tx: Tx, call: Call, run: str) -> Run:
    found = await run_rows.lock_run(tx, call.actor.scope, run) if is_uuid(run) else None
    if found is None:
        raise RunMissing
    return replace(found, status=Status(found.status))


async def _record(tx: Tx, call: Call, action: str, run: Run, detail: dict[str, object]) -> None:
    facts = {"host": run.host_name, "patch_type": run.patch_type, "packages": run.package_names, **detail}
    await audit.record(tx, call, action, Subject("patch_run", run.id, rules.title(run.work)), facts)
    tx.after_commit(announce(PatchRunChanged(run.id)))
    tx.after_commit(announce(PatchRunsChanged()))


def _announce(tx: Tx, run: Run, kind: type[PatchRunEvent]) -> None:
    tx.after_commit(announce(projection.told(kind, run)))


# ---------------------------------------------------------------- reading


async def runs(call: Call, asked: Listed) -> tuple[list[dict[str, Any]], int]:
    """Return one page of runs, and how many match."""
    if asked.host and not is_uuid(asked.host):
        return [], 0
    found = await run_rows.list_runs(call.db, call.actor.scope, asked)
    return found, await run_rows.count_runs(call.db, call.actor.scope, asked)


async def fetch(call: Call, run: str) -> dict[str, Any]:
    """Return one run with everything it printed so far."""
    found = await run_rows.find_run(call.db, call.actor.scope, run) if is_uuid(run) else None
    if found is None:
        raise RunMissing
    output = await run_rows.find_output(call.db, call.actor.scope, run) or ""
    if not output and found["status"] not in rules.OVER:
        output = await progress.fetch_output(call.db, call.actor.scope, run, rules.OUTPUT_BYTES)
    return {**found, "shell_output": output}


def why(error: str) -> tuple[str, str]:
    """Return why a run failed in few words, and what to do about it; both empty when nothing general can be said."""
    return causes.known(error)


async def counts(call: Call) -> dict[str, int]:
    """Return how many runs there are in each state, for the tiles."""
    return await run_rows.count_by_status(call.db, call.actor.scope)
