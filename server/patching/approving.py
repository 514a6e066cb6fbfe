"""Signing runs off, one or many at once: they stay for the record, and real runs of one batch follow them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from server.audit import service as audit
from server.audit.models import Subject
from server.automation import service as automation
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx
from server.core.errors import Problem
from server.core.ids import is_uuid, new_uuid
from server.patching import planning, projection, rules, schedule
from server.patching.errors import NotApprovable, RunMissing
from server.patching.events import PatchRunApproved, PatchRunChanged, PatchRunsChanged
from server.patching.models import DEFAULT, Run, Started, Status
from server.patching.queries import runs as run_rows


@dataclass(frozen=True, slots=True)
class Refusal:
    """A run that could not be signed off; ``host_name`` is empty when there is no such run."""

    run: str
    host_name: str
    why: Problem


async def approve(
    call: Call, runs: Sequence[str], *, immediately: bool = False, at_once: Collection[str] = ()
) -> tuple[list[Started], list[Refusal]]:
    """Sign off every run that waits for it; what cannot be is told apart and keeps nothing else back.

    ``immediately`` is whatever the policies that hold now say, ``at_once`` the same for single runs.
    """
    ids = list(dict.fromkeys(map(_plain, runs)))
    async with call.transaction() as tx:
        found = await run_rows.lock_chosen(tx, call.actor.scope, [one for one in ids if is_uuid(one)])
        known = {run.id: run for run in found}
        refused = [Refusal(one, "", RunMissing()) for one in ids if one not in known]
        late = [run for run in found if run.status not in rules.APPROVABLE]
        refused += [Refusal(run.id, run.host_name, NotApprovable()) for run in late]
        chosen = [known[one] for one in ids if one in known and known[one] not in late]
        soon = set(ids) if immediately else set(map(_plain, at_once))
        made = await _approve_in(tx, call, chosen, soon) if chosen else []
    return made, refused


async def _approve_in(tx: Tx, call: Call, chosen: Sequence[Run], soon: Collection[str]) -> list[Started]:
    policies = await planning.policies(tx, call, [run.host_id for run in chosen])
    # Skipped: a dry run that has not begun never does, and one that has no longer counts.
    skipped = [run.job_host for run in chosen if run.job_host is not None]
    await automation.stop_in(tx, call, skipped, "skipped: the run was approved without it")
    batch, by = new_uuid(), name_of(call)
    rows, made, due = [], [], []
    for before in chosen:
        target = before.target
        policy = policies.get(target.id, DEFAULT)
        work, notes = rules.work_for(replace(before.work, dry_run=False), policy, target)
        begins = rules.beginning(work, policy, call.now, immediately=before.id in soon)
        one = Started(new_uuid(), target.uuid, target.name, begins.status, begins.scheduled_at, before.id)
        made.append(one)
        due += [one.id] if begins.now else []
        rows.append(
            run_rows.row_of(
                target, work, policy, notes=list(dict.fromkeys((*before.notes, *notes))),
                id=one.id, status=begins.status, scheduled_at=begins.scheduled_at, batch_id=batch,
                validate_only=False, initiated_by=before.initiated_by, approved_by=by,
                validation_run_id=before.id, schedule_override="immediate" if before.id in soon else None,
            )
        )  # fmt: skip
    await run_rows.update_status(tx, [run.id for run in chosen], Status.APPROVED, call.now, approved_by=by)
    await run_rows.insert_runs(tx, rows, call.now)
    await schedule.release_in(tx, call, await run_rows.lock_runs(tx, due) if due else [])
    for before, one in zip(chosen, made, strict=True):
        await _record(tx, call, before, {"run": one.id, "immediately": before.id in soon})
    tx.after_commit(announce(PatchRunsChanged()))
    return made


async def _record(tx: Tx, call: Call, run: Run, detail: dict[str, object]) -> None:
    facts = {"host": run.host_name, "patch_type": run.patch_type, "packages": run.package_names, **detail}
    subject = Subject("patch_run", run.id, rules.title(run.work))
    await audit.record(tx, call, "patching.run_approved", subject, facts)
    tx.after_commit(announce(PatchRunChanged(run.id)))
    tx.after_commit(announce(projection.told(PatchRunApproved, run)))


def _plain(run: str) -> str:
    return str(UUID(run)) if is_uuid(run) else run


def name_of(call: Call) -> str | None:
    """Return who a run names as asking for it; none when nobody did: automation."""
    return call.actor.name if call.actor.kind in {"person", "token"} else None
