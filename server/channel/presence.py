"""Presence records in Redis: short-lived, refreshed by whoever holds the link, owned by one connection."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from server.channel.models import Presence
from server.core.ids import HostId
from server.core.redis import Redis, key

#: Longer than three refreshes, so that a slow moment does not make an agent vanish.
TTL_SECONDS: Final = 120
_PREFIX: Final = key("link", "")

# A newer connection's record is left alone, older and missing ones are written; answers the newer ones' places.
# The record says whose is newer, not who came to Redis first: a server that was stuck speaks late of old connections.
_HOLD: Final = """
local newer = {}
for i, name in ipairs(KEYS) do
  local held = redis.call('get', name)
  if held and held ~= ARGV[i + 1] and string.sub(held, 1, 16) > string.sub(ARGV[i + 1], 1, 16) then
    newer[#newer + 1] = i
  else
    redis.call('set', name, ARGV[i + 1], 'ex', ARGV[1])
  end
end
return newer
"""

_LEAVE: Final = """
for i, name in ipairs(KEYS) do
  if redis.call('get', name) == ARGV[i] then redis.call('del', name) end
end
"""


def name_of(host_id: HostId) -> str:
    """Return the record's key."""
    return f"{_PREFIX}{host_id}"


async def hold(redis: Redis, records: Sequence[tuple[HostId, str]]) -> list[HostId]:
    """Write records or keep them alive; return the hosts that have a newer connection elsewhere."""
    if not records:
        return []
    names = [name_of(host_id) for host_id, _ in records]
    newer = await redis.eval(_HOLD, len(names), *names, TTL_SECONDS, *(text for _, text in records))
    return [records[place - 1][0] for place in newer]


async def leave(redis: Redis, records: Sequence[tuple[HostId, str]]) -> None:
    """Remove records that are still ours."""
    names = [name_of(host_id) for host_id, _ in records]
    await redis.eval(_LEAVE, len(names), *names, *(text for _, text in records))


async def look_up(redis: Redis, host_ids: Sequence[HostId]) -> dict[HostId, Presence]:
    """Return who is connected, and where."""
    if not host_ids:
        return {}
    texts = await redis.mget([name_of(host_id) for host_id in host_ids])
    return {host_id: Presence.decode(str(text)) for host_id, text in zip(host_ids, texts, strict=True) if text}


async def everyone(redis: Redis) -> AsyncIterator[HostId]:
    """Yield every connected host."""
    async for name in redis.scan_iter(match=f"{_PREFIX}*", count=1000):
        yield HostId(int(name.removeprefix(_PREFIX)))
