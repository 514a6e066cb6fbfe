"""Storing what hosts hand in: existing agents by HTTP, ours as the result of a job; both come here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from server.automation import service as automation
from server.automation.models import Status as JobStatus
from server.compliance import rules
from server.compliance.errors import AllRejected, HashMismatch
from server.compliance.events import ComplianceChanged, ComplianceScanCompleted, ComplianceScanFailed
from server.compliance.models import TITLES, Found, Receipt, ScanStatus, Stored, Submission
from server.compliance.queries import storage, tasks
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx, retried
from server.hosts import service as hosts

_SAID: Final = 300


@dataclass(frozen=True, slots=True)
class Sender:
    """The host that hands in, and which of its scanners are on."""

    id: int
    uuid: str
    name: str
    openscap: bool
    docker_bench: bool

    def takes(self, kind: str) -> bool:
        """Tell whether scans of this kind are taken from the host."""
        return self.docker_bench if kind == "docker-bench" else self.openscap


async def store(call: Call, sender: Sender, told: Submission) -> Receipt:
    """Store a submission in one transaction; raises ``HashMismatch`` or ``AllRejected``."""
    if told.told_hash and told.told_hash != told.own_hash:
        raise HashMismatch
    kept = [one for one in told.scans if sender.takes(one.kind)]
    rejected = tuple(sorted({one.kind for one in told.scans if not sender.takes(one.kind)}))
    if rejected and not kept:
        raise AllRejected

    async def attempt() -> Receipt:
        async with call.transaction(long=True) as tx:
            stored = await store_in(tx, call, sender, kept, scan_type=told.scan_type)
            await hosts.note_compliance(tx, sender.id, told.own_hash, call.now)
            return Receipt(tuple(stored), rejected, len(told.scans))

    return await retried(attempt)


async def store_in(
    tx: Tx, call: Call, sender: Sender, kept: Sequence[Found], *, scan_type: str = "", task: str | None = None
) -> list[Stored]:
    """Store scans within the caller's transaction; end the tasks that they answer.

    What is handed in by the host's own schedule ends none of its scans that somebody asked for.
    """
    if scan_type != "scheduled":
        await tasks.confirm(tx, call.now, task=task, host_id=sender.id)
    running = [row for row in await storage.lock_running(tx, sender.id) if task is None or row["task"] == task]
    waiting = {} if scan_type == "scheduled" else {row["kind"]: row for row in running}
    before = await storage.find_received(tx, sender.id, [one.received for one in kept])
    layouts = await _layouts(tx, call, kept)
    fresh = {place: one for place, one in enumerate(kept) if one.received not in before or one.received == ""}
    rows, stored = [], {}
    for place, one in fresh.items():
        row = _row(call, one, waiting.pop(one.kind, None), layouts.get(one.digest), place, scan_type, task)
        rows.append(row)
        stored[place] = row
    uuids = {row["place"]: row["uuid"] for row in await storage.store_scans(tx, sender.id, rows, call.now)}
    if fresh and waiting:
        await storage.delete_running(tx, [row["id"] for row in waiting.values()])
    if fresh and scan_type != "scheduled":
        await _end_tasks(tx, call, sender)
    found = [_stored(one, stored.get(place), uuids.get(place), before) for place, one in enumerate(kept)]
    _say(tx, sender, [one for one in found if not one.again])
    return found


async def _layouts(tx: Tx, call: Call, kept: Sequence[Found]) -> dict[str, int]:
    wanted = {one.digest: one for one in kept if one.rules}
    known = await storage.find_layouts(tx, list(wanted)) if wanted else {}
    for digest, one in sorted(wanted.items()):
        if digest not in known:
            known[digest] = await storage.insert_layout(tx, one, call.now)
    return known


def _row(
    call: Call,
    one: Found,
    runs: dict[str, Any] | None,
    layout: int | None,
    place: int,
    scan_type: str,
    task: str | None,
) -> dict[str, object]:
    status = rules.ended(one.status, cancel_asked=runs is not None and runs["cancel_asked_at"] is not None)
    completed_at = one.completed_at or call.now
    if runs is not None:
        # The host's clock may be behind ours, which noted when it began.
        completed_at = max(completed_at, runs["started_at"])
    started_at = runs["started_at"] if runs is not None else min(one.started_at or completed_at, completed_at)
    return {
        "id": None if runs is None else runs["id"],
        "task": task if runs is None else runs["task"],
        "kind": one.kind,
        "status": status,
        "origin": runs["origin"] if runs is not None else "scheduled" if scan_type == "scheduled" else "agent",
        "profile_id": one.profile_id,
        "profile_name": one.profile_name,
        "error": one.error,
        "received": one.received,
        "started_at": started_at,
        "completed_at": completed_at,
        **one.counts,
        "failed_by": list(one.failed_by),
        "score": one.score,
        "remediation_applied": one.remediation_applied,
        "remediation_count": one.remediation_count,
        "layout": layout,
        "states": one.states,
        "findings": dict(one.findings),
        "latest": status == ScanStatus.COMPLETED and layout is not None,
        "place": place,
    }


def _stored(one: Found, row: dict[str, object] | None, uuid: str | None, before: dict[str, Any]) -> Stored:
    if row is None or uuid is None:
        known = before[one.received]
        status = ScanStatus(known["status"])
        return Stored(
            known["uuid"], one.kind, one.profile_name, status, known["score"], one.counts, len(one.rules), again=True
        )
    status = ScanStatus(str(row["status"]))
    return Stored(uuid, one.kind, one.profile_name, status, one.score, one.counts, len(one.rules), one.error)


async def _end_tasks(tx: Tx, call: Call, sender: Sender) -> None:
    for row in await tasks.end_answered(tx, sender.id, call.now):
        verdict = JobStatus.CANCELLED if row["cancelled"] else JobStatus.SUCCEEDED
        if row["job_host"] is not None:
            await automation.end_native_in(tx, call, row["job_host"], verdict, "")


def _say(tx: Tx, sender: Sender, stored: Sequence[Stored]) -> None:
    tx.after_commit(announce(ComplianceChanged((sender.id,))))
    for one in stored:
        if one.status == ScanStatus.FAILED:
            tx.after_commit(
                announce(ComplianceScanFailed(sender.uuid, sender.name, one.profile_name, one.kind, one.error[:_SAID]))
            )
    done = [one for one in stored if one.status == ScanStatus.COMPLETED]
    if done:
        failed = sum(one.counts["failed"] for one in done)
        tx.after_commit(
            announce(
                ComplianceScanCompleted(
                    host=sender.uuid,
                    host_name=sender.name,
                    title=rules.title_of(sender.name, failed),
                    severity="warning" if failed else "informational",
                    failed=failed,
                    passed=sum(one.counts["passed"] for one in done),
                    total=sum(one.counts["total"] for one in done),
                    profiles=tuple(
                        (
                            one.profile_name or TITLES[one.kind],
                            "" if one.score is None else f"{one.score:.1f}",
                            one.counts["passed"],
                            one.counts["failed"],
                        )
                        for one in done
                    ),
                )
            )
        )
