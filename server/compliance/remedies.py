"""Remediation by playbook: composed of the guide's own fixes, tried, approved, applied, and looked at again."""

import difflib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any, Final

from agent.protocol import archive
from server.audit import service as audit
from server.audit.models import Subject
from server.automation import service as automation
from server.automation.models import Options, Order, Playbook, Project
from server.compliance import fixes, guides, rules, running
from server.compliance.errors import (
    BadRequest,
    NoContent,
    NothingToFix,
    NotNow,
    OnlyRuleByRule,
    RemedyMissing,
    SecondPerson,
)
from server.compliance.events import (
    ComplianceChanged,
    ComplianceRemediationRejected,
)
from server.compliance.fixes import Fix
from server.compliance.models import DEFAULT_PROFILE, Remedy, RemedyRule, RemedyStatus
from server.compliance.queries import guides as guide_rows
from server.compliance.queries import policies as policy_rows
from server.compliance.queries import remedies as rows
from server.core.bus import announce
from server.core.call import Actor, Call
from server.core.db import Tx
from server.core.log import get_log
from server.core.loop import in_thread
from server.core.words import counted
from server.settings import service as settings

log = get_log(__name__)

_MOST_RULES: Final = 500
SAID: Final = 500
_MOST_LINES: Final = 2000
_DEADLINE: Final = timedelta(days=1)
_REASONS: Final[dict[str, str]] = {
    "checking": "The dry run is not over yet",
    "applying": "It is being applied",
    "applied": "It was applied",
    "failed": "It failed: try it again first",
    "cancelled": "It was given up",
    "rejected": "It was turned down: compose it anew",
    "draft": "Try it first: nothing is applied that was not tried",
    "checked": "It was tried already",
}


async def draft(call: Call, host: str, refs: Sequence[str] | None, *, automatic: bool = False) -> Remedy:
    """Compose the playbook that fixes rules which fail on a host (``None``: all that fail); nothing is run.

    What is waived on the host is fixed only where a person names it.

    Raises:
        HostMissing, OnlyRuleByRule, NoContent, BadRequest: as their texts say.
        NothingToFix: none of them fails by the newest scan, or the guide has no Ansible fix for any.
    """
    one = await running.target(call, host)
    if one.native:
        raise OnlyRuleByRule(host=one.name)
    if refs is not None and len(refs) > _MOST_RULES:
        raise BadRequest.of({"rules": f"At most {_MOST_RULES} rules at once"})
    named = refs is not None and not automatic
    told = await rows.list_failing(call.db, call.actor.scope, one.uuid, refs, waived=named)
    # Hosts tell references and profiles: what looks like neither is in no guide, and must not stand in a playbook.
    failing = [row for row in told if rules.RULE.fullmatch(row["ref"])]
    if not failing:
        raise NothingToFix(
            reason="None of these rules fails on the host by its newest OpenSCAP scan, unless it is waived"
        )
    scanned_by = failing[0]["profile_id"]
    profile = scanned_by if rules.PROFILE.fullmatch(scanned_by) else one.default_profile or DEFAULT_PROFILE
    guide, found = await _fixes(call, one.uuid, profile, {row["ref"]: row["title"] for row in failing})
    if not any(fix.tasks for fix in found):
        raise NothingToFix(reason=f"{guide} has no Ansible fix that agents can run for {of_rules(len(found))}")
    title = f"Remediate {of_rules(sum(1 for fix in found if fix.tasks))} on {one.name}"
    text = await in_thread(fixes.playbook, title, profile, found)
    of_ref = {row["ref"]: row for row in failing}
    lines = [_line(fix, of_ref[fix.ref]) for fix in found]
    remedy = str(uuid.uuid4())
    async with call.transaction() as tx:
        row = {"profile": profile, "guide": guide, "rules": [asdict(line) for line in lines], "playbook": text}
        asker = {"by": call.actor.name, "by_id": call.actor.id}
        await rows.insert(tx, remedy, one.id, {**row, **asker}, call.now)
        if automatic:
            await policy_rows.mark_automatic(tx, remedy)
        await _record(tx, call, "drafted", remedy, one.name, len(lines))
    return await fetch(call, remedy)


def of_rules(number: int) -> str:
    """Return so many rules, in words."""
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
    return of_row(found)


async def newest(call: Call, host: str = "", limit: int = 100) -> list[Remedy]:
    """Return the newest remediations, of one host or of all that the asker sees."""
    return [of_row(row) for row in await rows.list_last(call.db, call.actor.scope, host, limit)]


def of_row(row: dict[str, Any]) -> Remedy:
    """Return a remediation as it is stored."""
    return Remedy(**{**row, "rules": tuple(of_json(one) for one in row["rules"])})


def of_json(one: dict[str, Any]) -> RemedyRule:
    """Return a rule of a remediation as it is stored."""
    return RemedyRule(**{**one, "touches": tuple(one["touches"])})


# ---------------------------------------------------------------- doing


async def check(call: Call, remedy: str) -> Remedy:
    """Try it: a job in check mode that says what would change; raises ``RemedyMissing`` or ``NotNow``."""
    one = await fetch(call, remedy)
    async with call.transaction() as tx:
        await _may(tx, one, "checking")
        job = await _launch(tx, call, one, check=True)
        lines = [asdict(replace(line, predicted="", said="", after="")) for line in one.rules]
        await rows.move(
            tx, one.id, "checking", {"check_job": job, "rules": lines, "reason": "", "checked_at": call.now}
        )
        await _record(tx, call, "tried", one.id, one.host_name, len(one.fixable))
        tx.after_commit(announce(ComplianceChanged()))
    return await fetch(call, remedy)


async def apply(call: Call, remedy: str) -> Remedy:
    """Approve what the dry run said, and apply it; raises ``RemedyMissing``, ``NotNow`` or ``SecondPerson``."""
    one = await fetch(call, remedy)
    if not await may_approve(call, one):
        raise SecondPerson
    async with call.transaction() as tx:
        await _may(tx, one, "applying")
        why_not = rules.stale(one.checked_at, call.now, await rows.count_changed(tx, one.id))
        if why_not:
            raise NotNow(reason=why_not)
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


async def reject(call: Call, remedy: str, reason: str) -> Remedy:
    """Turn down what was tried, and say why; raises ``RemedyMissing``, ``NotNow`` or ``BadRequest``."""
    words = " ".join(reason.split())[:SAID]
    if not words:
        raise BadRequest.of({"reason": "Say why, so that who asked for it knows what to do"})
    one = await fetch(call, remedy)
    async with call.transaction() as tx:
        await _may(tx, one, "rejected")
        said = {"reason": words, "rejected_by": call.actor.name, "finished_at": call.now}
        await rows.move(tx, one.id, "rejected", said)
        await _record(tx, call, "rejected", one.id, one.host_name, len(one.fixable))
        told = ComplianceRemediationRejected(one.host, one.host_name, one.id, len(one.fixable), words)
        tx.after_commit(announce(ComplianceChanged()))
        tx.after_commit(announce(told))
    return await fetch(call, remedy)


async def may_approve(call: Call, one: Remedy) -> bool:
    """Tell whether the asker may approve a remediation: where the settings demand it, not their own."""
    rule = (await settings.effective(call)).compliance_remediation_approval
    return rules.may_approve(rule, asked_id=one.asked_id, asker=call.actor.id)


async def difference(call: Call, one: Remedy) -> tuple[Remedy, list[str]] | None:
    """Return the host's remediation before this one, and how this playbook differs; nothing where none was before."""
    found = await rows.find_before(call.db, call.actor.scope, one.id)
    if found is None:
        return None
    before = of_row(found)
    lines = difflib.unified_diff(before.playbook.splitlines(), one.playbook.splitlines(), lineterm="", n=3)
    return before, list(lines)[2:_MOST_LINES]


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
    title = f"Remediate {of_rules(len(one.fixable))} on {one.host_name}"
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
