"""Host groups: changing and removing them, and who is in them."""

from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.bus import announce
from server.core.call import Call
from server.core.db import IntegrityError, violates
from server.core.ids import is_uuid
from server.hosts.errors import GroupInUse, GroupNameTaken, NoSuchGroup, WholeFleetGroups
from server.hosts.events import HostsChanged
from server.hosts.queries import groups as rows

_NAMED: Final = 5
_MEMBERS_MOST: Final = 10_000


async def fetch_group(call: Call, uuid: str) -> dict[str, object]:
    """Return one group."""
    row = await rows.find_group(call.db, call.actor.scope, uuid) if is_uuid(uuid) else None
    if row is None:
        raise NoSuchGroup
    return row


async def members(call: Call, uuid: str, limit: int = _MEMBERS_MOST) -> list[dict[str, Any]]:
    """Return the hosts of a group; raises ``NoSuchGroup``."""
    await fetch_group(call, uuid)
    return await rows.list_members(call.db, call.actor.scope, uuid, limit)


async def update(call: Call, uuid: str, name: str, description: str, color: str) -> dict[str, Any]:
    """Rename or recolour a group. Raises ``NoSuchGroup``, ``GroupNameTaken`` or ``WholeFleetGroups``."""
    _demand(call, uuid)
    async with call.transaction() as tx:
        before = await rows.lock_group(tx, uuid)
        if before is None:
            raise NoSuchGroup
        try:
            await rows.update_group(tx, uuid, name, description, color)
        except IntegrityError as error:
            if violates(error, "host_groups_name"):
                raise GroupNameTaken from error
            raise
        after = {"name": name, "description": description, "color": color}
        changed = {key: {"before": before[key], "after": value} for key, value in after.items() if before[key] != value}
        await audit.record(tx, call, "hosts.group_changed", Subject("host_group", uuid, name), changed)
        tx.after_commit(announce(HostsChanged()))
    return await fetch_group(call, uuid)


async def delete(call: Call, uuid: str) -> None:
    """Remove an empty group. Raises ``NoSuchGroup``, ``WholeFleetGroups``, or ``GroupInUse`` naming hosts of it."""
    _demand(call, uuid)
    async with call.transaction() as tx:
        group = await rows.lock_group(tx, uuid)
        if group is None:
            raise NoSuchGroup
        held = await rows.list_members(tx, call.actor.scope, uuid, _NAMED + 1)
        if held:
            names = [str(host["friendly_name"]) for host in held[:_NAMED]]
            raise GroupInUse(hosts=", ".join(names) + (", …" if len(held) > _NAMED else ""))
        await rows.delete_group(tx, uuid)
        await audit.record(tx, call, "hosts.group_deleted", Subject("host_group", uuid, group["name"]))


def _demand(call: Call, uuid: str) -> None:
    if call.actor.groups is not None:
        raise WholeFleetGroups
    if not is_uuid(uuid):
        raise NoSuchGroup
