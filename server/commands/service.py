"""Asking agents for something now; each asking leaves a line that says how it went."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.channel import service as channel
from server.commands import queries
from server.commands.errors import AgentAway, CannotApply, DockerOff, HostsNeeded
from server.commands.models import Asked, Command, Kind
from server.core.call import Call
from server.core.ids import HostId
from server.hosts import service as hosts
from server.hosts.errors import NothingPending
from server.hosts.models import HostHead

#: What is not answered within this time counts as failed.
PATIENCE: Final = timedelta(minutes=10)
_KEPT_DAYS: Final = 30


async def ask(call: Call, uuid: str, kind: Kind) -> str:
    """Ask a host's agent for something; return the command's UUID. Raises ``HostMissing`` or ``AgentAway``."""
    head = await hosts.head(call, uuid)
    if kind == "docker_inventory_refresh" and not (await hosts.switches(call, uuid)).applied["docker_enabled"]:
        raise DockerOff
    await _demand_online(call, head)
    command = await _send(call, head.key, head.id, head.name, kind, {"type": kind})
    if command is None:
        raise AgentAway
    return command


async def apply(call: Call, uuid: str) -> str:
    """Send a host what waits for it; return the command's UUID.

    Raises ``NothingPending``, or ``CannotApply`` while its agent is away: then it is sent when the agent returns.
    """
    head = await hosts.head(call, uuid)
    if head.pending and HostId(head.key) not in await channel.online(call, [HostId(head.key)]):
        async with call.transaction() as tx:
            await queries.insert_waiting(tx, head.key, "apply_config", call.actor.name, call.now)
        raise CannotApply
    key, config = await hosts.send_switches(call, uuid)
    command = await _send(call, key, head.id, head.name, "apply_config", {"type": "apply_config", "config": config})
    if command is None:
        raise CannotApply
    return command


async def deliver(call: Call, host_ids: Sequence[int], send: Callable[[HostId, Mapping[str, Any]], bool]) -> int:
    """Let ``send`` hand these hosts what waited for them; return how many commands that were."""
    waiting = await queries.list_waiting(call.db, host_ids)
    for one in waiting:
        command = str(one["command"])
        try:
            key, config = await hosts.send_switches(call, str(one["host"]))
        except NothingPending as error:
            # Switched back meanwhile.
            await queries.fail_command(call.db, command, call.now, str(error))
            continue
        if await queries.mark_sent(call.db, command, call.now) and not send(
            HostId(key), {"type": "apply_config", "config": config}
        ):
            await queries.fail_command(call.db, command, call.now, AgentAway.text)
    return len(waiting)


async def ask_many(call: Call, uuids: Sequence[str], kind: Kind) -> list[Asked]:
    """Ask many hosts; what fails with one stops none of the others."""
    if not uuids:
        raise HostsNeeded
    found = {str(row["id"]): row for row in await queries.find_hosts(call.db, call.actor.scope, uuids)}
    online = await channel.online(call, [HostId(row["key"]) for row in found.values()])
    results = []
    for uuid in dict.fromkeys(uuids):
        row = found.get(uuid)
        if row is None:
            results.append(Asked(uuid, success=False, error="Host not found"))
            continue
        sent = HostId(row["key"]) in online and await _send(call, row["key"], uuid, row["name"], kind, {"type": kind})
        results.append(Asked(uuid, success=True) if sent else Asked(uuid, success=False, error=AgentAway.text))
    return results


async def _demand_online(call: Call, head: HostHead) -> None:
    if HostId(head.key) not in await channel.online(call, [HostId(head.key)]):
        raise AgentAway


async def _send(call: Call, key: int, uuid: str, name: str, kind: Kind, body: Mapping[str, Any]) -> str | None:
    async with call.transaction() as tx:
        command = await queries.insert_command(tx, key, kind, call.actor.name, call.now)
        await audit.record(tx, call, "commands.asked", Subject("host", uuid, name), {"command": kind})
    if await channel.tell(call, HostId(key), body):
        return command
    await queries.fail_command(call.db, command, call.now, AgentAway.text)
    return None


async def settle_host(call: Call, host: HostHead) -> None:
    """Find out how a host's open commands went by now."""
    await queries.settle(call.db, host.key, call.now, PATIENCE)


async def of_host(call: Call, host: HostHead, limit: int = 50) -> list[Command]:
    """Return what a host was asked, newest first, with how it went by now."""
    await settle_host(call, host)
    return await queries.list_commands(call.db, host.key, limit)


async def settle(call: Call) -> int:
    """Close what was answered and what nobody answered in time, and forget what is old; return how many closed."""
    await queries.delete_old(call.db, call.now - timedelta(days=_KEPT_DAYS))
    return await queries.settle(call.db, None, call.now, PATIENCE)
