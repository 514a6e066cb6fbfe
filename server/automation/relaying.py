"""Who may relay what to which host; every use is on record before it begins."""

from collections.abc import Mapping, Sequence

from agent.protocol.messages import Hello, RelayOpen
from server.audit import service as audit
from server.audit.models import Subject
from server.automation import progress
from server.automation.errors import CannotRelay, HostAmbiguous, HostUnknown
from server.automation.executors import relayed
from server.automation.models import Status
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


async def hand_over(call: Call, unable: Sequence[HostId], hellos: Mapping[HostId, Hello | None]) -> None:
    """Ring the workers for what they are to play on hosts whose links are here.

    Args:
        call: who acts.
        unable: hosts that cannot play themselves: whatever waits for them is a worker's.
        hellos: all hosts that are looked at, with what their agents said of themselves.
    """
    if unable:
        await rows.mark_relayed_hosts(call.db, unable)
    jobs: dict[str, None] = {}
    for host_id, job_host, job in await rows.list_relay_jobs(call.db, list(hellos)) if hellos else []:
        if reason := relayed.refusal(hellos[host_id]):
            await progress.end(call, [job_host], Status.FAILED, f"unsupported: {reason}")
        else:
            jobs[job] = None
    for job in jobs:
        await call.world.queue.put("automation.relay", job, request_id=call.request_id)
