"""Moves tasks by what their jobs and their agents' set-up say."""

from datetime import datetime, timedelta
from typing import Any, Final

from server.channel import service as channel
from server.compliance import reports
from server.compliance.errors import BadSubmission, NoScans
from server.compliance.events import ComplianceChanged, ComplianceScanFailed
from server.compliance.queries import storage
from server.compliance.queries import tasks as rows
from server.compliance.storing import Sender, store_in
from server.core.bus import announce
from server.core.call import Call
from server.core.ids import HostId
from server.core.log import get_log
from server.core.loop import in_thread
from server.core.words import counted
from server.hosts import service as hosts

log = get_log(__name__)

_AT_ONCE: Final = 200
_FOLDED: Final = 1000
#: Existing agents confirm at once, if they are of a version that does.
_CONFIRMED_AFTER: Final = timedelta(seconds=30)
#: A result may arrive behind the end of its job.
_RESULT_PATIENCE: Final = timedelta(minutes=5)
#: What an agent was asked to set up and says nothing about for so long has failed.
_SET_UP: Final = timedelta(minutes=5)
_ON_HOST: Final = frozenset({"running", "rebooting"})
_ENDS: Final = frozenset({"succeeded", "failed", "cancelled", "timed_out", "lost", "unreachable"})
_SILENT: Final = "The agent did not say that it is ready within 5 minutes"
_SAID: Final = 300
#: A rule that passes, or that does not apply any more.
_MENDED: Final = frozenset("pn")


async def sweep(call: Call) -> int:
    """Move every task whose job or agent said something new; return how many are open."""
    await fold(call)
    found = await rows.list_open(call.db, _AT_ONCE)
    for row in found:
        if row["kind"] in {"install", "upgrade"} and row["job_host"] is None:
            await _set_up(call, row)
        elif row["native"]:
            await _native(call, row)
        else:
            await _ours(call, row)
    return await rows.count_open(call.db)


async def fold(call: Call) -> None:
    """Add what scans changed to the tallies of rules, which lists read together with what is not added yet."""
    taken = _FOLDED
    while taken == _FOLDED:
        async with call.transaction() as tx:
            taken = await storage.fold_tallies(tx, _FOLDED)


async def _native(call: Call, row: dict[str, Any]) -> None:
    """A scan by an existing agent: its end comes by HTTP; its job only tells when there will be none."""
    if row["job_status"] in {"unreachable", "timed_out"}:
        await _finish(call, row, "failed", row["reason"] or "The host did not return in time")
    elif row["job_status"] == "cancelled":
        await _finish(call, row, "cancelled", row["reason"])
    elif row["job_status"] == "failed":
        await _finish(call, row, "failed", row["reason"])
    elif row["started_at"] is None and row["sent_at"] is not None and call.now - row["sent_at"] > _CONFIRMED_AFTER:
        await _confirm(call, row)


async def _ours(call: Call, row: dict[str, Any]) -> None:
    status = row["job_status"]
    if status in _ON_HOST:
        await _confirm(call, row)
    elif status == "cancelled":
        await _finish(call, row, "cancelled", row["reason"])
    elif status in _ENDS:
        if row["kind"] == "scan":
            await _scanned(call, row)
        else:
            done = status == "succeeded"
            said = await _mended(call, row) if row["kind"] == "remediate" else ""
            message = said if done else row["reason"] or said or status
            await _finish(call, row, "completed" if done else "failed", message)
    elif status is None and (row["job_host"] is not None or call.now - row["created_at"] > _SET_UP):
        # What existing agents remediate has no job: it is over in the moment in which they are told.
        await _finish(call, row, "failed", "The job of this task is gone")


async def _confirm(call: Call, row: dict[str, Any]) -> None:
    async with call.transaction() as tx:
        if await rows.confirm(tx, call.now, task=row["id"]):
            tx.after_commit(announce(ComplianceChanged((row["host_id"],))))


async def _finish(call: Call, row: dict[str, Any], status: str, message: str) -> None:
    async with call.transaction() as tx:
        scan = row["kind"] == "scan"
        if scan and status == "failed":
            # What failed before it began stands in the history too.
            await rows.confirm(tx, call.now, task=row["id"])
        ended = await rows.finish(tx, [row["id"]], status, call.now, message=message, scans=status if scan else "")
        if ended:
            tx.after_commit(announce(ComplianceChanged((row["host_id"],))))
        if ended and scan and status == "failed":
            failed = ComplianceScanFailed(row["host_uuid"], row["host_name"], "", "", message[:_SAID])
            tx.after_commit(announce(failed))
    if ended:
        log.info("compliance: task ended", task=str(row["id"]), kind=row["kind"], status=status, reason=message)


async def _mended(call: Call, row: dict[str, Any]) -> str:
    """Return in a sentence how rules stand that a host was asked to fix: it looked at them again."""
    if row["content"] is None:
        return ""
    try:
        told = await in_thread(reports.read_file, bytes(row["content"]), call.now)
    except (BadSubmission, NoScans) as error:
        log.warning("compliance: remediation not read", task=str(row["id"]), reason=str(error))
        return ""
    stand = [(rule.title, state) for one in told.scans for rule, state in zip(one.rules, one.states, strict=True)]
    failing = [title for title, state in stand if state not in _MENDED]
    if failing:
        return f"Still not as required: {', '.join(failing)}"[:_SAID]
    return f"{counted(len(stand), 'rule')} now as required" if stand else ""


async def _scanned(call: Call, row: dict[str, Any]) -> None:
    """Our agent's job is over: what its module found is in a file that the job names."""
    if row["content"] is None:
        late = row["finished_at"] is None or call.now - row["finished_at"] > _RESULT_PATIENCE
        if row["digest"] is not None and not late:
            return
        why = row["reason"] if row["job_status"] != "succeeded" else ""
        await _finish(call, row, "failed", why or "The scan ended without a result")
        return
    content = bytes(row["content"])
    try:
        told = await in_thread(reports.read_file, content, call.now)
    except (BadSubmission, NoScans) as error:
        await _finish(call, row, "failed", f"The result of the scan cannot be read: {error}")
        return
    sender = Sender(row["host_id"], row["host_uuid"], row["host_name"], row["openscap"], row["docker_bench"])
    async with call.transaction(long=True) as tx:
        kept = [one for one in told.scans if sender.takes(one.kind)]
        await store_in(tx, call, sender, kept, task=row["id"])
        await hosts.note_compliance(tx, sender.id, told.own_hash, call.now)
        await rows.finish(tx, [row["id"]], "completed", call.now)
        tx.after_commit(announce(ComplianceChanged((sender.id,))))


# ---------------------------------------------------------------- installing and upgrading by existing agents


async def _set_up(call: Call, row: dict[str, Any]) -> None:
    if row["status"] == "waiting":
        await _send(call, row)
        return
    told = row["told"] or {}
    said_at = told.get("timestamp")
    said = datetime.fromisoformat(said_at) if isinstance(said_at, str) else row["sent_at"]
    if isinstance(said_at, str) and said >= row["sent_at"]:
        message, percent = steps(told)
        async with call.transaction() as tx:
            await rows.store_progress(tx, row["id"], message, percent)
            tx.after_commit(announce(ComplianceChanged((row["host_id"],))))
        status = told.get("status")
        if status in {"ready", "partial"}:
            await _finish(call, row, "completed", message)
            return
        if status in {"error", "failed"}:
            await _finish(call, row, "failed", message or "The agent could not set it up")
            return
    if call.now - max(row["sent_at"], said) > _SET_UP:
        await _finish(call, row, "failed", _SILENT)


async def _send(call: Call, row: dict[str, Any]) -> None:
    host = HostId(row["host_id"])
    if host not in await channel.online(call, [host]):
        return
    async with call.transaction() as tx:
        taken = await rows.mark_sent(tx, row["id"], call.now)
    if taken:
        body: dict[str, object] = {"type": "install_scanner"}
        if row["kind"] == "upgrade":
            body = {"type": "upgrade_ssg", "version": row["version"]}
        await channel.tell(call, host, body)
        await announce(ComplianceChanged((row["host_id"],)))(call.world)


#: The steps of an installation, in order.
STEPS: Final = ("detect_os", "install_openscap", "verify_openscap", "sync_ssg", "docker_bench", "complete")


def steps(told: dict[str, Any]) -> tuple[str, int]:
    """Return the last word of an agent about its set-up, and how far it is in percent."""
    events = [one for one in told.get("install_events") or () if isinstance(one, dict)]
    done = {one.get("step") for one in events if one.get("status") in {"done", "skipped"}}
    last = str(events[-1].get("message") or events[-1].get("step") or "") if events else ""
    message = last or str(told.get("message") or "")
    return message[:_SAID], round(100 * len(done & set(STEPS)) / len(STEPS))


__all__ = ["STEPS", "steps", "sweep"]
