"""Limiting people and roles to host groups; it holds from the next request of whoever is limited."""

from collections.abc import Collection

from server.audit import service as audit
from server.audit.models import Subject
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx
from server.core.ids import is_uuid
from server.identity import permissions, queries, ranks, reach
from server.identity.errors import (
    BadPerson,
    BeyondYourGroups,
    OwnLimits,
    PersonMissing,
    PersonsOnly,
    RankTooLow,
    RoleLocked,
    RoleMissing,
)
from server.identity.events import RoleLimitsChanged, UserLimitsChanged
from server.identity.models import Limits
from server.identity.queries import scopes as rows

_ALL = "all hosts"


async def choices(call: Call) -> list[tuple[str, str]]:
    """Return the host groups that the asker may limit others to, as (UUID, name)."""
    return await rows.list_host_groups(call.db, call.actor.scope)


async def of_user(call: Call, user_id: str) -> Limits:
    """Return what limits a person; raises ``PersonMissing``."""
    found = await rows.find_user_limits(call.db, user_id) if is_uuid(user_id) else None
    if found is None:
        raise PersonMissing
    return found


async def beyond(call: Call, user_ids: Collection[str]) -> frozenset[str]:
    """Return which of these people reach hosts that the asker does not, so that the asker may not change them."""
    if call.actor.groups is None:
        return frozenset()
    limited = await rows.list_limited_people(call.db)
    return frozenset(
        one
        for one in user_ids
        if one not in limited
        or not reach.within(
            reach.of(limited[one].role, limited[one].role_groups, limited[one].user_groups), call.actor.groups
        )
    )


async def of_roles(call: Call) -> dict[str, list[str] | None]:
    """Return the groups that each role is limited to."""
    return {one.role: one.role_groups for one in await rows.list_role_limits(call.db)}


async def of_role(call: Call, role: str) -> list[str] | None:
    """Return the groups that a role is limited to; raises ``RoleMissing``."""
    found = await of_roles(call)
    if role not in found:
        raise RoleMissing
    return found[role]


async def limit_user(call: Call, user_id: str, wanted: Collection[str] | None) -> None:
    """Limit a person to exactly these host groups, or lift the limit with ``None``.

    Raises ``OwnLimits``, ``PersonMissing``, ``RankTooLow``, ``BeyondYourGroups`` or ``BadPerson``.
    """
    if user_id == call.actor.id:
        raise OwnLimits
    async with call.transaction() as tx:
        await queries.lock_admins(tx)
        user = await queries.find_user_for_change(tx, user_id) if is_uuid(user_id) else None
        if user is None:
            raise PersonMissing
        if not ranks.may_touch(call.actor, user.role):
            raise RankTooLow
        before = await demand_reach(tx, call, user_id)
        if user.role == "superadmin" and wanted is not None:
            raise BadPerson({"groups": "superadministrators always see all hosts"})
        chosen = await _known(tx, call, wanted)
        await rows.save_user_limit(tx, user_id, chosen)
        await demand_reach(tx, call, user_id)
        detail = {"host_groups": await _told(tx, before.user_groups, chosen)}
        await audit.record(tx, call, "identity.user_limits_changed", Subject("user", user_id, user.username), detail)
        changed = UserLimitsChanged(user_id, user.username, call.actor.address, call.actor.name)
        tx.after_commit(announce(changed))


async def limit_role(call: Call, role: str, wanted: Collection[str] | None) -> None:
    """Limit everybody with a role to exactly these host groups, or lift the limit with ``None``.

    Raises ``PersonsOnly``, ``BeyondYourGroups``, ``RoleLocked``, ``RoleMissing`` or ``BadPerson``.
    """
    if call.actor.kind == "token":
        raise PersonsOnly
    if call.actor.groups is not None:
        raise BeyondYourGroups
    if role in permissions.ADMIN_ROLES:
        raise RoleLocked
    async with call.transaction() as tx:
        await queries.lock_admins(tx)
        before = {one.role: one.role_groups for one in await rows.list_role_limits(tx)}
        if role not in before:
            raise RoleMissing
        chosen = await _known(tx, call, wanted)
        await rows.save_role_limit(tx, role, chosen)
        detail = {"host_groups": await _told(tx, before[role], chosen)}
        await audit.record(tx, call, "identity.role_limits_changed", Subject("role", role, role), detail)
        tx.after_commit(announce(RoleLimitsChanged(role, call.actor.address, call.actor.name)))


async def demand_reach(tx: Tx, call: Call, user_id: str) -> Limits:
    """Refuse when a person reaches hosts that the asker does not (step); return what limits them."""
    found = await rows.find_user_limits(tx, user_id)
    if found is None:
        raise PersonMissing
    reached = reach.of(found.role, found.role_groups, found.user_groups)
    if not reach.within(reached, call.actor.groups):
        raise BeyondYourGroups
    return found


async def pass_on(tx: Tx, call: Call, user_id: str) -> None:
    """Limit somebody whose account was just made as whoever made it is limited (step)."""
    if call.actor.groups is not None:
        await rows.save_user_limit(tx, user_id, call.actor.scope)


async def _known(tx: Tx, call: Call, wanted: Collection[str] | None) -> list[str] | None:
    if wanted is None:
        return None
    known = {uuid for uuid, _ in await rows.list_host_groups(tx, call.actor.scope)}
    if not set(wanted) <= known:
        raise BadPerson({"groups": "must be host groups that exist"})
    return sorted(set(wanted))


async def _told(tx: Tx, before: list[str] | None, after: list[str] | None) -> dict[str, object]:
    names = dict(await rows.list_host_groups(tx, None))
    told = [_ALL if groups is None else sorted(names.get(one, one) for one in groups) for groups in (before, after)]
    return {"before": told[0], "after": told[1]}
