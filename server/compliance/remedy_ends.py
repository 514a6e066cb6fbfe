"""What came of remediations: what their ended jobs say, rule by rule."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any, Final

from server.automation import service as automation
from server.automation.models import EventRow
from server.compliance import fixes, remedies, reports, running
from server.compliance.errors import BadSubmission, NoScans
from server.compliance.events import (
    ComplianceChanged,
    ComplianceRemediationAwaits,
    ComplianceRemediationCompleted,
    ComplianceRemediationFailed,
)
from server.compliance.fixes import Fix
from server.compliance.models import RemedyRule, RemedyStatus, Wanted
from server.compliance.queries import remedies as rows
from server.compliance.remedies import SAID, of_json, of_row, of_rules
from server.core.bus import announce
from server.core.call import Call, system
from server.core.errors import Problem
from server.core.log import get_log
from server.core.loop import in_thread
from server.settings import service as settings

log = get_log(__name__)

_MOST_EVENTS: Final = 20_000
_LAST: Final = 2**62
_AT_ONCE: Final = 20
_RESULT_PATIENCE: Final = timedelta(minutes=5)
_MENDED: Final = frozenset("pn")
_TOLD: Final = {
    "applied": ComplianceRemediationCompleted,
    "failed": ComplianceRemediationFailed,
    "checked": ComplianceRemediationAwaits,
}


async def sweep(call: Call) -> int:
    """Note what ended jobs say; return how many remediations are under way."""
    for row in await rows.list_open(call.db, _AT_ONCE):
        if row["status"] == "checking":
            await _checked(call, row)
        else:
            await _applied(call, row)
    return await rows.count_open(call.db)


async def _checked(call: Call, row: dict[str, Any]) -> None:
    if row["job_status"] != "succeeded":
        # What single fixes fail at is ignored in check mode: this is the host, or its agent, that refused.
        await _end(call, row, "failed", {"reason": row["reason"] or "The dry run did not come to its end"})
        return
    told = await _events(call, row["check_job"])
    lines = [_predicted(of_json(one), told) for one in row["rules"]]
    await _end(call, row, "checked", {"rules": [asdict(one) for one in lines]})


async def _events(call: Call, job_id: str) -> list[EventRow]:
    # The remediation was read within its asker's groups; what its job said belongs to it.
    asked = call.acting_as(system("compliance"))
    job = await automation.fetch(asked, job_id)
    hosts = await automation.hosts_of(asked, job)
    return await automation.runner_events(asked, job, hosts[0], until=_LAST, limit=_MOST_EVENTS) if hosts else []


def _predicted(line: RemedyRule, told: Sequence[EventRow]) -> RemedyRule:
    """Return a rule with what the dry run says of its fix."""
    if line.left_out:
        return line
    prefix = f"{Fix(line.ref, '').short}: "
    mine = [one for one in told if (one.task or "").startswith(prefix)]
    failed = [one for one in mine if one.event == "runner_on_failed"]
    done = [one for one in mine if one.event == "runner_on_ok"]
    if failed:
        return replace(line, predicted="fails", said=(failed[0].message or "")[:SAID])
    if any(one.changed for one in done):
        return replace(line, predicted="changes")
    # In check mode programs are not run, so nobody knows what they would do.
    unseen = any(one.event == "runner_on_skipped" and fixes.is_program(one.action or "") for one in mine)
    return replace(line, predicted="nothing" if done and not unseen else "unknown")


async def _applied(call: Call, row: dict[str, Any]) -> None:
    ended = row["job_status"] in {"succeeded", "failed"}
    late = row["finished_at"] is None or call.now - row["finished_at"] > _RESULT_PATIENCE
    if ended and row["content"] is None and not late:
        # The result may arrive behind the end of its job.
        return
    after = await _states(call, row["content"]) if row["content"] is not None else {}
    lines = [replace(line, after=after.get(line.ref, "")) for line in map(of_json, row["rules"])]
    chosen = [line for line in lines if not line.left_out]
    open_ones = [line for line in chosen if line.after not in _MENDED]
    reason = row["reason"] if row["job_status"] != "succeeded" else ""
    if not after:
        reason = reason or "The rules were not looked at again: the next scan shows how they stand"
    elif open_ones:
        reason = f"{of_rules(len(open_ones))} of {len(chosen)} still not as required. {reason}".strip()
    status: RemedyStatus = "failed" if reason else "applied"
    changes: dict[str, object] = {"rules": [asdict(line) for line in lines], "reason": reason}
    if await _end(call, row, status, {**changes, "finished_at": call.now}) and after:
        await _scan_again(call, row["id"])


async def _states(call: Call, content: bytes) -> dict[str, str]:
    """Return how the rules stand that the play looked at again."""
    try:
        told = await in_thread(reports.read_file, bytes(content), call.now)
    except (BadSubmission, NoScans) as error:
        log.warning("compliance: remediation not read", reason=str(error))
        return {}
    return {rule.ref: state for one in told.scans for rule, state in zip(one.rules, one.states, strict=True)}


async def _end(call: Call, row: dict[str, Any], status: RemedyStatus, changes: dict[str, object]) -> bool:
    async with call.transaction() as tx:
        if await rows.lock(tx, row["id"]) != row["status"]:
            return False
        await rows.move(tx, row["id"], status, changes)
        tx.after_commit(announce(ComplianceChanged((row["host_id"],))))
        kind = _TOLD.get(status)
        if status == "checked" and not await _waits_for_another(call):
            kind = None
        if kind is not None:
            one = of_row(await rows.find(tx, None, row["id"]) or {})
            tx.after_commit(announce(kind(one.host, one.host_name, one.id, len(one.fixable), one.reason[:SAID])))
    log.info("compliance: remediation moved", remedy=str(row["id"]), status=status)
    return True


async def _waits_for_another(call: Call) -> bool:
    return (await settings.effective(call)).compliance_remediation_approval == "second_person"


async def _scan_again(call: Call, remedy: str) -> None:
    """Have the host scanned by the same profile, so that its score and its history say what changed."""
    asked = call.acting_as(system("compliance"))
    one = await remedies.fetch(asked, remedy)
    try:
        await running.trigger(asked, one.host, Wanted("openscap", one.profile_id))
    except Problem as refused:
        log.info("compliance: no scan after remediation", host=one.host_name, reason=str(refused))
