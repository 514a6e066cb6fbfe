"""Moves runs by what their hosts say: states, output, what was changed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson

from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx
from server.core.ids import HostId
from server.core.log import get_log
from server.hosts import service as hosts
from server.patching import freshness, rules
from server.patching.events import (
    PatchRebootRequired,
    PatchRunCancelled,
    PatchRunChanged,
    PatchRunCompleted,
    PatchRunEvent,
    PatchRunFailed,
    PatchRunsChanged,
    PatchRunStarted,
)
from server.patching.models import Outcome, Run, Status, Word
from server.patching.queries import native, progress
from server.patching.queries import runs as run_rows

log = get_log(__name__)

_AT_ONCE: Final = 200
_SAID: Final[dict[Status, type[PatchRunEvent]]] = {
    Status.RUNNING: PatchRunStarted,
    Status.COMPLETED: PatchRunCompleted,
    Status.FAILED: PatchRunFailed,
    Status.TIMED_OUT: PatchRunFailed,
    Status.AGENT_DISCONNECTED: PatchRunFailed,
    Status.CANCELLED: PatchRunCancelled,
}


async def sweep(call: Call) -> int:
    """Move every run whose host said something new; return how many."""
    moved = 0
    while found := await progress.list_moved(call.db, _AT_ONCE):
        now = await catch_up(call, found)
        moved += now
        if now == 0 or len(found) < _AT_ONCE:
            break
    return moved


async def open_runs(call: Call) -> int:
    """Return how many runs wait for their hosts' words."""
    return await progress.count_open(call.db)


async def catch_up(call: Call, ids: Sequence[str]) -> int:
    """Move these runs as far as their hosts are; return how many moved. What is locked elsewhere waits."""
    if not ids:
        return 0
    async with call.transaction() as tx:
        return await catch_up_in(tx, call, ids)


async def catch_up_in(tx: Tx, call: Call, ids: Sequence[str]) -> int:
    """Do the same within the caller's transaction."""
    runs = [run for run in await run_rows.lock_runs(tx, ids) if run.job_host is not None]
    hands = [run.job_host for run in runs if run.job_host is not None]
    words = await progress.list_words(tx, hands)
    outcomes, missing = await _outcomes(tx, runs)
    rows = []
    ended: list[tuple[int, str, datetime]] = []
    for run in runs:
        word = words.get(run.job_host or "")
        if word is None or (run.id in missing and _may_arrive(call, word)):
            continue
        row = await _moved(tx, run, word, outcomes.get(run.id, Outcome()))
        if row is not None:
            rows.append(row)
            if row["status"] == Status.COMPLETED and word.finished_at is not None:
                ended.append((run.host_id, run.id, word.finished_at))
    if rows:
        await progress.update_moved(tx, rows, call.now)
        await hosts.await_reports_after(tx, ended)
        await freshness.note(tx, _counted(runs, rows))
        tx.after_commit(announce(PatchRunsChanged()))
    return len(rows)


def _counted(runs: Sequence[Run], rows: Sequence[dict[str, Any]]) -> list[HostId]:
    """Return the hosts whose real runs ended, or go on after they were given up."""
    moved = {row["id"]: row["status"] for row in rows}
    return [
        run.host_id
        for run in runs
        if not run.dry_run and run.id in moved and (moved[run.id] != Status.RUNNING or run.status in rules.FAILED_KINDS)
    ]


def _may_arrive(call: Call, word: Word) -> bool:
    return word.finished_at is not None and call.now - word.finished_at < rules.RESULT_PATIENCE


async def _outcomes(tx: Tx, runs: Sequence[Run]) -> tuple[dict[str, Outcome], set[str]]:
    """Return what was found out, and the runs whose result was named but is not here."""
    by_hand = {run.job_host: run for run in runs}
    found: dict[str, Outcome] = {}
    missing: set[str] = set()
    for row in await progress.list_results(tx, [hand for hand in by_hand if hand is not None]):
        run = by_hand[row["job_host"]]
        if row["content"] is None:
            missing.add(run.id)
        else:
            found[run.id] = rules.outcome_of(_result(bytes(row["content"]), run), run.work)
    return found, missing


def _result(content: bytes, run: Run) -> dict[str, Any] | None:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        log.warning("patching: unreadable result", task=f"patch-run-{run.id}", reason=str(error))
        return None
    result = body.get("result") if isinstance(body, dict) else None
    return result if isinstance(result, dict) else None


async def _moved(tx: Tx, run: Run, word: Word, outcome: Outcome) -> dict[str, Any] | None:
    happens = rules.happening(run, word, outcome)
    status = rules.after(run.status, happens) if happens is not None else None
    if status is None:
        return None
    error = rules.reason(status, run, word, outcome)
    row: dict[str, Any] = {"id": run.id, "status": status, "error": error, "started_at": word.started_at}
    row["restarted_at"] = word.restarted_at
    if status != Status.RUNNING:
        row["completed_at"] = word.finished_at
        await _keep_output(tx, run, status, word, error)
    if outcome.plan is not None:
        row |= {"packages": outcome.packages, "extra_deps": outcome.extra_deps, "plan": outcome.plan}
    _say(tx, run, status, error, replace(outcome, reboot_required=outcome.reboot_required and not word.restarted_at))
    log.info("patching: moved", task=f"patch-run-{run.id}", status=status, reason=error)
    return row


async def _keep_output(tx: Tx, run: Run, status: Status, word: Word, error: str) -> None:
    if run.job_host is not None and await native.store_final(tx, run.id, run.job_host):
        return
    last = rules.trailer(status, word.finished_at) if word.finished_at is not None else ""
    said = f"{error}\n" if error else ""
    await progress.store_output(tx, run, rules.OUTPUT_BYTES, cut=rules.CUT, if_silent=said, last=last)


def _say(tx: Tx, run: Run, status: Status, error: str, outcome: Outcome) -> None:
    tx.after_commit(announce(PatchRunChanged(run.id)))
    kind = _SAID.get(status)
    if kind is not None and not (kind is PatchRunStarted and run.started_at is not None):
        tx.after_commit(announce(told(kind, run, error)))
    if status == Status.COMPLETED and outcome.reboot_required:
        tx.after_commit(announce(told(PatchRebootRequired, run, outcome.reboot_reason)))


def told(kind: type[PatchRunEvent], run: Run, error: str = "") -> PatchRunEvent:
    """Return the announcement of this kind about a run."""
    return kind(
        run=run.id,
        host=run.host_uuid,
        host_name=run.host_name,
        patch_type=run.patch_type,
        dry_run=run.dry_run,
        packages=rules.some_packages(run.package_names),
        policy=str(run.policy_snapshot.get("name") or "Default"),
        error=rules.cut(error),
    )
