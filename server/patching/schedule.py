"""Releasing runs: binding them to jobs under their own locks, so that none begins twice and no deleted one at all."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from server.automation import service as automation
from server.automation.models import Options, Order
from server.core.bus import announce
from server.core.call import Actor, Call
from server.core.db import Tx
from server.core.errors import Problem
from server.core.log import get_log
from server.patching import freshness, rules
from server.patching.events import PatchRunChanged, PatchRunsChanged
from server.patching.models import Run, Status
from server.patching.queries import runs as run_rows

log = get_log(__name__)

PLAYBOOK: Final = "patch"
_AT_ONCE: Final = 500
_TOLD_AT_ONCE: Final = 25


async def release_in(tx: Tx, call: Call, runs: Sequence[Run]) -> None:
    """Give locked runs to jobs, and move those that were scheduled; all or nothing with the caller's transaction.

    Runs that do the same on different hosts become one job. A run whose job is refused fails with the reason.
    """
    for together in rules.jobs_of(await _with_exemptions(tx, call, runs)):
        first = together[0]
        before, after = rules.around(first.work)
        order = Order(
            PLAYBOOK,
            hosts=tuple(run.host_uuid for run in together),
            variables=rules.variables(first.work),
            check=first.dry_run,
            options=Options(before=before, after=after),
            deadline_seconds=int(rules.DEADLINE / timedelta(seconds=1)),
            title=rules.title(first.work),
        )
        try:
            job = await automation.launch_in(tx, _as_initiator(call, first), order)
        except Problem as refused:
            text = "; ".join((str(refused), *getattr(refused, "complaints", {}).values()))
            await run_rows.update_status(tx, [run.id for run in together], Status.FAILED, call.now, error=text)
            await freshness.note(tx, [run.host_id for run in together if not run.dry_run])
            log.warning("patching: release refused", runs=[_task(run) for run in together], reason=text)
            continue
        await run_rows.update_released(tx, job, [(run.id, run.host_id) for run in together], call.now)
        for some in _handfuls(together, _TOLD_AT_ONCE):
            log.info("patching: released", runs=[_task(run) for run in some], job=job)
    if runs:
        tx.after_commit(announce(PatchRunsChanged()))
    if len(runs) == 1:
        tx.after_commit(announce(PatchRunChanged(runs[0].id)))


async def _with_exemptions(tx: Tx, call: Call, runs: Sequence[Run]) -> list[Run]:
    # A host may have been exempted, and packages of it held, after the run was made.
    late = [run.id for run in runs if run.reboot_exempt and run.reboot != "never"]
    if late:
        await run_rows.store_exempt(tx, late, rules.EXEMPT, call.now)
    held = [dict.fromkeys((*run.hold_patterns, *run.host_hold_patterns)) for run in runs]
    return [
        replace(run, hold_patterns=list(patterns), reboot="never" if run.reboot_exempt else run.reboot)
        for run, patterns in zip(runs, held, strict=True)
    ]


async def release_due(call: Call) -> int:
    """Release the runs whose time has come, however late this server is; return how many."""
    released = 0
    while True:
        async with call.transaction() as tx:
            due = await run_rows.lock_due(tx, call.now, _AT_ONCE)
            await release_in(tx, call, due)
        released += len(due)
        if len(due) < _AT_ONCE:
            return released


def _handfuls(runs: Sequence[Run], size: int) -> list[Sequence[Run]]:
    """Return the runs in handfuls."""
    return [runs[first : first + size] for first in range(0, len(runs), size)]


def _as_initiator(call: Call, run: Run) -> Call:
    # What may be done to the host was decided when the run was triggered or approved; the job names who that was.
    name = run.approved_by or run.initiated_by or "patching"
    return call.acting_as(Actor("system", id="patching", name=name))


def _task(run: Run) -> str:
    return f"patch-run-{run.id}"
