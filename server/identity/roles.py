"""Roles of one's own: made, changed and removed; a change holds from the next request of whoever has the role."""

import re
from collections.abc import Collection
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.call import Call
from server.identity import permissions, queries, ranks
from server.identity.errors import (
    BadPerson,
    NotYoursToGrant,
    PersonsOnly,
    RoleExists,
    RoleInUse,
    RoleLocked,
    RoleMissing,
)
from server.identity.models import Role
from server.identity.sso import discovery
from server.identity.sso.errors import ManagedByProvider

_NAME: Final = re.compile(r"^[a-z][a-z0-9_]{1,49}$")


async def find(call: Call, role: str) -> Role:
    """Return a role with what it holds."""
    held = permissions.held(role, await queries.find_role(call.db, role))
    if held is None:
        raise RoleMissing
    return Role(role, held, role in permissions.BUILT_IN)


async def save(call: Call, role: str, wanted: Collection[str], *, new: bool = False) -> Role:
    """Make a role, or change what one holds.

    Raises ``RoleLocked``, ``BadPerson`` for an unusable name, ``RoleExists`` or ``NotYoursToGrant``.
    """
    if call.actor.kind == "token":
        raise PersonsOnly
    if role in permissions.FIXED:
        raise RoleLocked
    if await discovery.roles_are_synced(call):
        raise ManagedByProvider
    if not _NAME.match(role):
        raise BadPerson({"role": "must have 2 to 50 lowercase letters, digits or underscores, a letter first"})
    keys = permissions.KEYS & frozenset(wanted)
    async with call.transaction() as tx:
        await queries.lock_admins(tx)
        stored = await queries.find_role(tx, role)
        if new and stored is not None:
            raise RoleExists
        before = frozenset(stored or ())
        if not ranks.may_grant(call.actor, keys - before):
            raise NotYoursToGrant(permissions=", ".join(sorted(keys - before)))
        await queries.save_role(tx, role, sorted(keys), call.now)
        detail = {"added": sorted(keys - before), "removed": sorted(before - keys)}
        what = "identity.role_created" if stored is None else "identity.role_changed"
        await audit.record(tx, call, what, Subject("role", role, role), detail)
    return Role(role, keys, role in permissions.BUILT_IN)


async def remove(call: Call, role: str) -> None:
    """Remove a role that nobody has; raises ``RoleLocked``, ``RoleMissing`` or ``RoleInUse``."""
    if call.actor.kind == "token":
        raise PersonsOnly
    if role in permissions.BUILT_IN:
        raise RoleLocked
    async with call.transaction() as tx:
        await queries.lock_admins(tx)
        stored = await queries.find_role(tx, role)
        if stored is None:
            raise RoleMissing
        if await queries.count_holders(tx, role):
            raise RoleInUse
        await queries.delete_role(tx, role)
        await audit.record(tx, call, "identity.role_deleted", Subject("role", role, role), {"removed": sorted(stored)})
