"""Who may relay what to which host; every use is on record before it begins."""

from agent.protocol.messages import RelayOpen
from server.audit import service as audit
from server.audit.models import Subject
from server.automation.errors import CannotRelay, HostAmbiguous, HostUnknown
from server.automation.queries import relay as rows
from server.core.call import Call
from server.core.ids import HostId


async def admit(call: Call, name: str, wanted: RelayOpen) -> HostId:
    """Return the host that the actor means, if it is one of theirs and its agent can relay; the use is on record.

    Raises:
        HostUnknown: there is none that the actor may see.
        HostAmbiguous: several have this name.
        CannotRelay: its agent cannot, or its own file forbids it.
    """
    found = await rows.list_relay_hosts(call.db, call.actor.scope, name.replace("\0", ""))
    if not found:
        raise HostUnknown(name=name[:200])
    if len(found) > 1:
        raise HostAmbiguous(name=name[:200])
    host = found[0]
    if reason := refusal(host.is_ours, host.automation, relays=host.relays):
        raise CannotRelay(reason=reason)
    async with call.transaction() as tx:
        await audit.record(
            tx, call, "automation.relayed", Subject("host", host.uuid, host.name), {"operation": wanted.operation}
        )
    return host.id


def refusal(is_ours: bool, automation: str, *, relays: bool) -> str:
    """Say why nothing can be relayed through an agent; empty when it can."""
    if not is_ours:
        return "this host runs an existing PatchMon agent, which cannot relay; install this server's agent on it"
    if relays:
        return ""
    if automation != "any":
        return f"the host's own configuration forbids it (automation: {automation or 'builtin'}, any is needed)"
    return "the host's agent is too old to relay: update it"
