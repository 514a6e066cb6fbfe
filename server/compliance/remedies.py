"""Remediation by playbook: composed of the guide's own fixes, tried, approved, applied, and looked at again."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any, Final

from agent.protocol import archive
from server.audit import service as audit
from server.audit.models import Subject
from server.automation import service as automation
from server.automation.models import EventRow, Options, Order, Playbook, Project
from server.compliance import fixes, guides, reports, rules, running
from server.compliance.errors import (
    BadRequest,
    BadSubmission,
    NoContent,
    NoScans,
    NothingToFix,
    NotNow,
    OnlyRuleByRule,
    RemedyMissing,
)
from server.compliance.events import ComplianceChanged, ComplianceRemediationCompleted, ComplianceRemediationFailed
from server.compliance.fixes import Fix
from server.compliance.models import DEFAULT_PROFILE, Remedy, RemedyRule, RemedyStatus, Wanted
from server.compliance.queries import guides as guide_rows
from server.compliance.queries import remedies as rows
from server.core.bus import announce
from server.core.call import Actor, Call, system
from server.core.db import Tx
from server.core.errors import Problem
from server.core.log import get_log
from server.core.loop import in_thread
from server.core.words import counted

log = get_log(__name__)

_MOST_RULES: Final = 500
_MOST_EVENTS: Final = 20_000
_LAST: Final = 2**62
_AT_ONCE: Final = 20
_SAID: Final = 500
_DEADLINE: Final = timedelta(days=1)
_RESULT_PATIENCE: Final = timedelta(minutes=5)
_MENDED: Final = frozenset("pn")
_REASONS: Final[dict[str, str]] = {
    "checking": "The dry run is not over yet",
    "applying": "It is being applied",
    "applied": "It was applied",
    "failed": "It failed: try it again first",
    "cancelled": "It was given up",
    "draft": "Try it first: nothing is applied that was not tried",
    "checked": "It was tried already",
}


async def draft(call: Call, host: str, refs: Sequence[str] | None) -> Remedy:
    """Compose the playbook that fixes rules which fail on a host (``None``: all that fail); nothing is run.

    Raises:
        HostMissing, OnlyRuleByRule, NoContent, BadRequest: as their texts say.
        NothingToFix: none of them fails by the newest scan, or the guide has no Ansible fix for any.
    """
    one = await running.target(call, host)
    if one.native:
        raise OnlyRuleByRule(host=one.name)
    if refs is not None and len(refs) > _MOST_RULES:
        raise BadRequest.of({"rules": f"At most {_MOST_RULES} rules at once"})
    told = await rows.list_failing(call.db, call.actor.scope, one.uuid, refs)
    # Hosts tell references and profiles: what looks like neither is in no guide, and must not stand in a playbook.
    failing = [row for row in told if rules.RULE.fullmatch(row["ref"])]
    if not failing:
        raise NothingToFix(reason="None of these rules fails on the host by its newest OpenSCAP scan")
    scanned_by = failing[0]["profile_id"]
    profile = scanned_by if rules.PROFILE.fullmatch(scanned_by) else one.default_profile or DEFAULT_PROFILE
    guide, found = await _fixes(call, one.uuid, profile, {row["ref"]: row["title"] for row in failing})
    if not any(fix.tasks for fix in found):
        raise NothingToFix(reason=f"{guide} has no Ansible fix that agents can run for {_of(len(found))}")
    title = f"Remediate {_of(sum(1 for fix in found if fix.tasks))} on {one.name}"
    text = await in_thread(fixes.playbook, title, profile, found)
    of_ref = {row["ref"]: row for row in failing}
    lines = [_line(fix, of_ref[fix.ref]) for fix in found]
    remedy = str(uuid.uuid4())
    async with call.transaction() as tx:
        row = {"profile": profile, "guide": guide, "rules": [asdict(line) for line in lines], "playbook": text}
        await rows.insert(tx, remedy, one.id, {**row, "by": call.actor.name}, call.now)
        await _record(tx, call, "drafted", remedy, one.name, len(lines))
    return await fetch(call, remedy)


def _of(number: int) -> str:
    return counted(number, "rule")


def _line(fix: Fix, row: Mapping[str, Any]) -> RemedyRule:
    return RemedyRule(fix.ref, row["title"], row["severity"], row["state"], fix.touches, fix.left_out)


async def _fixes(call: Call, host: str, profile: str, titles: dict[str, str]) -> tuple[str, list[Fix]]:
    (system_of,) = await guide_rows.list_systems(call.db, call.actor.scope, [host])
    systems = guides.systems_of(system_of["os_type"], system_of["os_version"])
    choice = guides.pick(await guides.known(call), systems, profile)
    if choice is None:
        raise NoContent
    async with guides.laid_out(call, choice.guide) as path:
        return choice.guide.title or choice.guide.name, await in_thread(fixes.read, path, titles, profile)


async def fetch(call: Call, remedy: str) -> Remedy:
    """Return a remediation; raises ``RemedyMissing``."""
    found = await rows.find(call.db, call.actor.scope, remedy)
    if found is None:
        raise RemedyMissing
    return _of_row(found)


async def newest(call: Call, host: str = "", limit: int = 100) -> list[Remedy]:
    """Return the newest remediations, of one host or of all that the asker sees."""
    return [_of_row(row) for row in await rows.list_last(call.db, call.actor.scope, host, limit)]


def _of_row(row: dict[str, Any]) -> Remedy:
    return Remedy(**{**row, "rules": tuple(_of_json(one) for one in row["rules"])})


def _of_json(one: dict[str, Any]) -> RemedyRule:
    return RemedyRule(**{**one, "touches": tuple(one["touches"])})


# ---------------------------------------------------------------- doing


async def check(call: Call, remedy: str) -> Remedy:
    """Try it: a job in check mode that says what would change; raises ``RemedyMissing`` or ``NotNow``."""
    one = await fetch(call, remedy)
    async with call.transaction() as tx:
        await _may(tx, one, "checking")
        job = await _launch(tx, call, one, check=True)
        lines = [asdict(replace(line, predicted="", said="", after="")) for line in one.rules]
        await rows.move(tx, one.id, "checking", {"check_job": job, "rules": lines, "reason": ""})
        await _record(tx, call, "tried", one.id, one.host_name, len(one.fixable))
        tx.after_commit(announce(ComplianceChanged()))
    return await fetch(call, remedy)


async def apply(call: Call, remedy: str) -> Remedy:
    """Approve what the dry run said, and apply it; raises ``RemedyMissing`` or ``NotNow``."""
    one = await fetch(call, remedy)
    async with call.transaction() as tx:
        await _may(tx, one, "applying")
        job = await _launch(tx, call, one, check=False)
        approved = {"apply_job": job, "approved_by": call.actor.name, "approved_at": call.now, "reason": ""}
        await rows.move(tx, one.id, "applying", approved)
        await _record(tx, call, "approved", one.id, one.host_name, len(one.fixable))
        tx.after_commit(announce(ComplianceChanged()))
    return await fetch(call, remedy)


async def cancel(call: Call, remedy: str) -> Remedy:
    """Give up what was not applied; raises ``RemedyMissing`` or ``NotNow``."""
    one = await fetch(call, remedy)
    async with call.transaction() as tx:
        await _may(tx, one, "cancelled")
        await rows.move(tx, one.id, "cancelled", {"finished_at": call.now})
        await _record(tx, call, "cancelled", one.id, one.host_name, len(one.fixable))
    return await fetch(call, remedy)


async def _may(tx: Tx, one: Remedy, wanted: RemedyStatus) -> None:
    status = await rows.lock(tx, one.id)
    if status is None:
        raise RemedyMissing
    if wanted not in rules.REMEDY_MOVES[status]:
        raise NotNow(reason=_REASONS[status])


async def _launch(tx: Tx, call: Call, one: Remedy, *, check: bool) -> str:
    # Launchable for this moment only: nobody else needs to find it among the playbooks.
    name, origin = f"compliance/remedy-{one.id}", f"remedy:{one.id}"
    content = archive.pack({"remedy.yml": one.playbook.encode()})
    project = Project(archive.digest(content), content, origin=origin)
    title = f"Remediate {_of(len(one.fixable))} on {one.host_name}"
    playbook = Playbook(name, "remedy.yml", title, "", project.digest, origin=origin)
    await automation.publish_in(tx, project, (playbook,), origin=origin)
    order = Order(
        name,
        hosts=(one.host,),
        check=check,
        options=Options(diff=True),
        deadline_seconds=int(_DEADLINE / timedelta(seconds=1)),
        title=title,
    )
    asker = call.acting_as(Actor("system", id="compliance", name=call.actor.name))
    job = await automation.launch_in(tx, asker, order)
    await automation.publish_in(tx, None, (), origin=origin)
    return job


async def _record(tx: Tx, call: Call, deed: str, remedy: str, host: str, number: int) -> None:
    subject = Subject("compliance_remedy", remedy, host)
    await audit.record(tx, call, f"compliance.remedy_{deed}", subject, {"rules": number})


# ---------------------------------------------------------------- what came of it


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
    lines = [_predicted(_of_json(one), told) for one in row["rules"]]
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
        return replace(line, predicted="fails", said=(failed[0].message or "")[:_SAID])
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
    lines = [replace(line, after=after.get(line.ref, "")) for line in map(_of_json, row["rules"])]
    chosen = [line for line in lines if not line.left_out]
    open_ones = [line for line in chosen if line.after not in _MENDED]
    reason = row["reason"] if row["job_status"] != "succeeded" else ""
    if not after:
        reason = reason or "The rules were not looked at again: the next scan shows how they stand"
    elif open_ones:
        reason = f"{_of(len(open_ones))} of {len(chosen)} still not as required. {reason}".strip()
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
        if status in {"applied", "failed"}:
            one = _of_row(await rows.find(tx, None, row["id"]) or {})
            kind = ComplianceRemediationCompleted if status == "applied" else ComplianceRemediationFailed
            tx.after_commit(announce(kind(one.host, one.host_name, one.id, len(one.fixable), one.reason[:_SAID])))
    log.info("compliance: remediation moved", remedy=str(row["id"]), status=status)
    return True


async def _scan_again(call: Call, remedy: str) -> None:
    """Have the host scanned by the same profile, so that its score and its history say what changed."""
    asked = call.acting_as(system("compliance"))
    one = await fetch(asked, remedy)
    try:
        await running.trigger(asked, one.host, Wanted("openscap", one.profile_id))
    except Problem as refused:
        log.info("compliance: no scan after remediation", host=one.host_name, reason=str(refused))
