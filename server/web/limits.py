"""How often one address may ask: fixed windows in Redis, one for each group, shared by every server process."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from aiohttp import web

from server.core.errors import TooMany, Unavailable
from server.core.log import get_log
from server.core.redis import Redis, RedisError, key
from server.web import edge
from server.web.edge import Budget
from server.web.proxy import origin
from server.web.routing import Handler, LimitGroup, gate_of, world

log = get_log(__name__)

#: Groups that guard passwords stay closed while nobody can count; the others let pass.
_CLOSED_UNCOUNTED: Final[frozenset[LimitGroup]] = frozenset({"auth", "password"})
_REDIS_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Count:
    """How often an address has asked in the current window, and how much of that window is left."""

    group: LimitGroup
    budget: Budget
    asked: int
    left_ms: int


@web.middleware
async def limits(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Send away who asks too often, before anything is read or looked up."""
    gate = gate_of(request.match_info.handler)
    if gate is not None and gate.limits:
        budgets = (await edge.policy(request)).budgets
        wanted = [(group, budgets[group]) for group in gate.limits if group in budgets]
        await _demand(world(request).redis, client_of(origin(request).address), wanted)
    return await handler(request)


def client_of(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the IPv6 network of 64 bits a client chooses from."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed, 64), strict=False).network_address)
    return str(parsed)


async def _demand(redis: Redis, client: str, wanted: Sequence[tuple[LimitGroup, Budget]]) -> None:
    try:
        async with asyncio.timeout(_REDIS_SECONDS):
            counts = await count(redis, client, wanted)
    except (*RedisError, TimeoutError) as error:
        log.warning("limits_not_counted", groups=[group for group, _ in wanted], reason=str(error))
        if any(group in _CLOSED_UNCOUNTED for group, _ in wanted):
            raise Unavailable from error
        return
    over = [one for one in counts if one.asked > one.budget.most]
    if over:
        if any(one.asked == one.budget.most + 1 for one in over):
            # Once per window: a flood must not become a flood of lines.
            log.warning("too_many_requests", client=client, groups=[one.group for one in over])
        raise TooMany(after_seconds=max(1, -(-max(one.left_ms for one in over) // 1000)))


async def count(redis: Redis, client: str, wanted: Sequence[tuple[LimitGroup, Budget]]) -> list[Count]:
    """Count one request in each group, in one round trip.

    The window is part of the key: another window in the settings starts a new count instead of inheriting an end.
    """
    async with redis.pipeline(transaction=False) as pipe:
        for group, budget in wanted:
            name = key("limit", group, str(budget.window_ms), client)
            pipe.incr(name)
            pipe.pexpire(name, budget.window_ms, nx=True)
            pipe.pttl(name)
        answers = await pipe.execute()
    return [
        Count(group, budget, asked=answers[3 * index], left_ms=max(0, answers[3 * index + 2]))
        for index, (group, budget) in enumerate(wanted)
    ]
