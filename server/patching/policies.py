"""Making, changing and giving policies; none of it begins or moves a run."""

from dataclasses import replace
from typing import Any, Literal

from server.audit import service as audit
from server.audit.models import Subject
from server.core import zones
from server.core.call import Call
from server.core.ids import is_uuid
from server.patching import hooks, rules
from server.patching.errors import (
    AlreadyAssigned,
    AssignmentMissing,
    BadPolicy,
    DirectlyAssigned,
    PolicyMissing,
    TargetMissing,
    WholeFleetPolicies,
)
from server.patching.models import Policy
from server.patching.queries import policies as rows

TargetKind = Literal["host", "host_group"]


async def everything(call: Call) -> list[dict[str, Any]]:
    """Return every policy with its numbers of assignments and exclusions."""
    return await rows.list_policies(call.db)


async def fetch(call: Call, policy: str) -> dict[str, Any]:
    """Return one policy with whom it is given to and whom it leaves out, as far as the asker sees them."""
    found = await rows.find_policy(call.db, policy) if is_uuid(policy) else None
    if found is None:
        raise PolicyMissing
    assignments = await rows.list_assignments(call.db, call.actor.scope, policy)
    exclusions = await rows.list_exclusions(call.db, call.actor.scope, policy)
    return {**found, "assignments": assignments, "exclusions": exclusions}


async def create(call: Call, policy: Policy) -> dict[str, Any]:
    """Make a policy; it holds for nobody yet. Raises ``BadPolicy``."""
    checked = await _checked(call, policy)
    async with call.transaction() as tx:
        made = await rows.insert_policy(tx, checked, call.now)
        await audit.record(
            tx, call, "patching.policy_created", Subject("patch_policy", made, checked.name), _told(checked)
        )
    return await fetch(call, made)


async def change(call: Call, policy: Policy) -> dict[str, Any]:
    """Change a policy for future runs; what is scheduled stays where it is."""
    before = await fetch(call, policy.id)
    checked = await _checked(call, policy)
    async with call.transaction() as tx:
        if not await rows.update_policy(tx, checked, call.now):
            raise PolicyMissing
        told = {"before": {key: before[key] for key in _told(checked)}, "after": _told(checked)}
        await audit.record(tx, call, "patching.policy_changed", Subject("patch_policy", policy.id, checked.name), told)
    return await fetch(call, policy.id)


async def delete(call: Call, policy: str) -> None:
    """Remove a policy; runs keep what they know of it, and those that are scheduled begin on time."""
    if call.actor.scope is not None:
        raise WholeFleetPolicies
    async with call.transaction() as tx:
        name = await rows.delete_policy(tx, policy) if is_uuid(policy) else None
        if name is None:
            raise PolicyMissing
        await audit.record(tx, call, "patching.policy_deleted", Subject("patch_policy", policy, name))


async def assign(call: Call, policy: str, kind: TargetKind, target: str) -> dict[str, Any]:
    """Give a policy to a host or a group; it holds for runs made from now on."""
    found = await fetch(call, policy)
    word = "host" if kind == "host" else "host group"
    async with call.transaction() as tx:
        insert = rows.insert_host_assignment if kind == "host" else rows.insert_group_assignment
        row = await insert(tx, call.actor.scope, policy, target) if is_uuid(target) else None
        if row is None:
            raise TargetMissing(kind=word.capitalize())
        if row["id"] is None:
            raise AlreadyAssigned(kind=word)
        subject = Subject("patch_policy", policy, found["name"])
        await audit.record(tx, call, "patching.policy_assigned", subject, {"target_type": kind, "target_id": target})
    return next(one for one in (await fetch(call, policy))["assignments"] if one["id"] == row["id"])


async def unassign(call: Call, policy: str, assignment: str) -> None:
    """Take a policy away again."""
    found = await fetch(call, policy)
    gone = next((one for one in found["assignments"] if one["id"] == assignment), None)
    async with call.transaction() as tx:
        if gone is None or not await rows.delete_assignment(tx, call.actor.scope, policy, assignment):
            raise AssignmentMissing
        subject = Subject("patch_policy", policy, found["name"])
        told = {"target_type": gone["target_type"], "target_id": gone["target_id"]}
        await audit.record(tx, call, "patching.policy_unassigned", subject, told)


async def exclude(call: Call, policy: str, host: str) -> dict[str, Any]:
    """Leave a host out of a policy that it would inherit; raises ``DirectlyAssigned`` where it does not inherit."""
    found = await fetch(call, policy)
    async with call.transaction() as tx:
        row = await rows.insert_exclusion(tx, call.actor.scope, policy, host) if is_uuid(host) else None
        if row is None:
            raise TargetMissing(kind="Host")
        if row["direct"]:
            raise DirectlyAssigned
        subject = Subject("patch_policy", policy, found["name"])
        await audit.record(tx, call, "patching.host_excluded", subject, {"host_id": host})
    return next(one for one in (await fetch(call, policy))["exclusions"] if one["host_id"] == host.lower())


async def include(call: Call, policy: str, host: str) -> None:
    """Let a policy hold for a host again."""
    found = await fetch(call, policy)
    async with call.transaction() as tx:
        if not is_uuid(host) or not await rows.delete_exclusion(tx, call.actor.scope, policy, host):
            raise AssignmentMissing
        subject = Subject("patch_policy", policy, found["name"])
        await audit.record(tx, call, "patching.host_included", subject, {"host_id": host})


async def _checked(call: Call, policy: Policy) -> Policy:
    if call.actor.scope is not None:
        raise WholeFleetPolicies
    if wrong := rules.complaints_of_policy(policy, zones.known()):
        raise BadPolicy.of(wrong)
    await hooks.demand(call, policy.options)
    kind = policy.patch_delay_type
    return replace(
        policy,
        name=policy.name.strip(),
        delay_minutes=policy.delay_minutes if kind == "delayed" else None,
        fixed_time_utc=policy.fixed_time_utc if kind == "fixed_time" else None,
        timezone=policy.timezone or None,
    )


def _told(policy: Policy) -> dict[str, object]:
    return {key: value for key, value in policy.snapshot().items() if key != "id"}
