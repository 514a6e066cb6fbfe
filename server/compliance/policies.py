"""Automatic remediation: failing rules of an allow-list are fixed on the hosts of a group."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.compliance import remedies, rules
from server.compliance.errors import BadRequest, GroupMissing, PolicyMissing
from server.compliance.events import ComplianceChanged
from server.compliance.models import NewPolicy, Policy
from server.compliance.queries import policies as rows
from server.core.bus import announce
from server.core.call import Call, system
from server.core.db import IntegrityError, Tx, violates
from server.core.errors import Problem
from server.core.log import get_log
from server.hosts import service as hosts
from server.settings import service as settings

log = get_log(__name__)

_MOST_RULES: Final = 500
_NAME: Final = 100
_AT_ONCE: Final = 20
_NAMED: Final = 5


async def list_all(call: Call) -> list[Policy]:
    """Return every policy of the asker's groups."""
    return await rows.list_policies(call.db, call.actor.scope)


async def fetch(call: Call, policy: str) -> Policy:
    """Return one policy; raises ``PolicyMissing``."""
    found = await rows.find_policy(call.db, call.actor.scope, policy)
    if found is None:
        raise PolicyMissing
    return found


def references(text: str) -> tuple[str, ...]:
    """Return the references of rules in a text, one a line or with blanks or commas between, each once."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


async def create(call: Call, new: NewPolicy) -> Policy:
    """Make a policy.

    Raises:
        BadRequest: the name or a rule is missing, taken, or nobody knows it.
        GroupMissing: there is none, or it is not among the asker's.
    """
    new = await _checked(call, new)
    try:
        async with call.transaction() as tx:
            made = await rows.insert(tx, new, call.actor.name, call.now)
            if made is None:
                raise GroupMissing
            await _changed(tx, call, "made", made, new)
    except IntegrityError as error:
        raise _taken(error) from error
    return await fetch(call, made)


async def change(call: Call, policy: str, new: NewPolicy) -> Policy:
    """Change a policy, and have it look at its hosts again; raises as ``create``, and ``PolicyMissing``."""
    one = await fetch(call, policy)
    new = await _checked(call, new)
    try:
        async with call.transaction() as tx:
            if not await rows.update(tx, one.id, new, call.now):
                raise PolicyMissing
            await _changed(tx, call, "changed", one.id, new)
    except IntegrityError as error:
        raise _taken(error) from error
    return await fetch(call, policy)


async def delete(call: Call, policy: str) -> Policy:
    """Delete a policy; what it began goes on as if a person had asked for it. Raises ``PolicyMissing``."""
    one = await fetch(call, policy)
    async with call.transaction() as tx:
        if not await rows.delete(tx, one.id):
            raise PolicyMissing
        await audit.record(tx, call, "compliance.policy_deleted", Subject("compliance_policy", one.id, one.name), {})
        tx.after_commit(announce(ComplianceChanged()))
    return one


async def _checked(call: Call, new: NewPolicy) -> NewPolicy:
    new = replace(new, name=" ".join(new.name.split()))
    wrong = {}
    if not 1 <= len(new.name) <= _NAME:
        wrong["name"] = f"Give it a name of at most {_NAME} characters"
    if not new.rules:
        wrong["rules"] = "Name at least one rule by its reference: nothing else is ever fixed"
    elif len(new.rules) > _MOST_RULES:
        wrong["rules"] = f"At most {_MOST_RULES} rules in one policy"
    elif unknown := await rows.list_unknown(call.db, new.rules):
        wrong["rules"] = f"No scan has a rule of this name: {_some(unknown)}"
    if new.group not in {one["id"] for one in await hosts.list_groups(call)}:
        wrong["group"] = GroupMissing.text
    if wrong:
        raise BadRequest.of(wrong)
    return new


def _some(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


def _taken(error: IntegrityError) -> Exception:
    if violates(error, "compliance_policies_name"):
        return BadRequest.of({"name": "Another policy has this name"})
    return error


async def _changed(tx: Tx, call: Call, deed: str, policy: str, new: NewPolicy) -> None:
    await rows.look_again(tx, new.group)
    detail = {**asdict(new), "rules": list(new.rules)}
    await audit.record(tx, call, f"compliance.policy_{deed}", Subject("compliance_policy", policy, new.name), detail)
    tx.after_commit(announce(ComplianceChanged()))


# ---------------------------------------------------------------- at work


async def sweep(call: Call) -> tuple[int, int]:
    """Try what policies demand after new scans, and apply what they apply by themselves; return how many of each."""
    asked = call.acting_as(system("policy"))
    tried = 0
    for row in await rows.list_due(call.db, _AT_ONCE):
        refs = [ref for ref in row["refs"] if rules.RULE.fullmatch(ref)]
        async with call.transaction() as tx:
            mine = await rows.claim(tx, row["host_id"], row["scan"], call.now)
        tried += bool(mine and refs) and await _try(asked, row["host"], refs)
    applied = 0
    if (await settings.effective(call)).compliance_remediation_approval == "second_person":
        # Somebody has to look at each of them.
        return tried, applied
    for remedy in await rows.list_ready(call.db, _AT_ONCE):
        applied += await _apply(asked, remedy)
    return tried, applied


async def _try(asked: Call, host: str, refs: list[str]) -> bool:
    try:
        one = await remedies.draft(asked, host, refs[:_MOST_RULES], automatic=True)
        await remedies.check(asked, one.id)
    except Problem as refused:
        # An existing agent, no guide, no fix: the next scan is looked at anew.
        log.info("compliance: policy found nothing to do", host=host, reason=str(refused))
        return False
    return True


async def _apply(asked: Call, remedy: str) -> bool:
    try:
        await remedies.apply(asked, remedy)
    except Problem as refused:
        log.info("compliance: policy did not apply", remedy=remedy, reason=str(refused))
        return False
    return True
