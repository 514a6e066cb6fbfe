"""Who is connected, and telling an agent something, from any process."""

from collections.abc import Mapping, Sequence

import orjson

from server.channel import presence
from server.channel.errors import MessageTooLong
from server.channel.events import Told
from server.channel.models import MESSAGE_BYTES, Presence
from server.core.bus import announce
from server.core.call import Call
from server.core.ids import HostId
from server.hosts import service as hosts


async def online(call: Call, host_ids: Sequence[HostId]) -> dict[HostId, Presence]:
    """Return which of these hosts are connected now."""
    return await presence.look_up(call.world.redis, host_ids)


async def tell(call: Call, host_id: HostId, body: Mapping[str, object]) -> bool:
    """Hand a message to whichever process holds the host's link; at most once, no acknowledgement.

    Returns:
        False when the host is not connected.
    """
    text = orjson.dumps(body).decode()
    if len(text.encode()) > MESSAGE_BYTES:
        raise MessageTooLong(kind=str(body.get("type", "")))
    found = (await presence.look_up(call.world.redis, [host_id])).get(host_id)
    if found is None:
        return False
    await announce(Told(found.server, host_id, text))(call.world)
    return True


async def reconcile(call: Call) -> int:
    """Let the hosts room know who is still connected: a server that was killed could not say that its agents left."""
    online_now = [host_id async for host_id in presence.everyone(call.world.redis)]
    return len(await hosts.reconcile_links(call, online_now))
