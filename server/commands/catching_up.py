"""Hosts that come back: what waited for them is sent, and who was silent for long is asked for a report."""

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import orjson

from server.channel.models import Body, Lines, Link
from server.commands import queries, service
from server.core.call import Call, World, system
from server.core.db import DatabaseError
from server.core.ids import HostId
from server.core.log import get_log
from server.core.loop import Keeper
from server.core.redis import RedisError
from server.hosts import service as hosts
from server.settings import service as settings

log = get_log(__name__)

#: Ten thousand that return at once report over this time.
SPREAD_SECONDS: Final = 60
#: A host whose link comes and goes is asked once within this time.
_PAUSE: Final = timedelta(minutes=5)
_LOOK_SECONDS: Final = 1.0


def delay_seconds(api_id: str) -> int:
    """Return how long a host waits after it connected: always the same, and evenly spread (FNV-1a of its id)."""
    value = 0x811C9DC5
    for byte in api_id.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value % SPREAD_SECONDS


class CatchingUp:
    """An inbox that takes no message: it only hears who connected."""

    message_types: frozenset[str] = frozenset()

    def __init__(self, world: World, keeper: Keeper, lines: Lines) -> None:
        self._world = world
        self._lines = lines
        self._fresh: set[HostId] = set()
        self._due: list[tuple[float, HostId]] = []
        keeper.start("catching-up", self._run())

    def opened(self, link: Link) -> None:
        """Look at a host soon."""
        self._fresh.add(link.host_id)

    async def received(self, link: Link, body: Body, size_bytes: int) -> None:
        """Take nothing."""

    def closed(self, link: Link) -> None:
        """Who left is not there any more when its time comes."""

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self._once()
            except DatabaseError as error:
                log.warning("hosts_not_asked_to_catch_up", reason=str(error).strip())
            except RedisError as error:
                log.warning("hosts_not_asked_to_catch_up", reason=str(error))

    async def _once(self) -> None:
        call = Call(self._world, system("catching up"))
        now = time.monotonic()
        if self._fresh:
            # Kept until it worked: those whose database is away for a moment are not forgotten.
            fresh = set(self._fresh)
            if delivered := await service.deliver(call, sorted(fresh), self._send):
                log.info("waiting_commands_sent", commands=delivered)
            found = await hosts.api_ids(call, sorted(fresh))
            for host_id, api_id in found.items():
                heapq.heappush(self._due, (now + delay_seconds(api_id), HostId(host_id)))
            self._fresh -= fresh
        due: list[HostId] = []
        while self._due and self._due[0][0] <= now:
            due.append(heapq.heappop(self._due)[1])
        here = sorted({one for one in due if self._lines.link(one) is not None})
        if here:
            await self._ask(call, here)

    async def _ask(self, call: Call, host_ids: list[HostId]) -> None:
        interval = timedelta(minutes=(await settings.effective(call)).update_interval)
        asked = await queries.insert_overdue(call.db, host_ids, call.now, call.now - interval, call.now - _PAUSE)
        for host_id in asked:
            self._send(HostId(host_id), {"type": "report_now"})
        if asked:
            log.info("hosts_asked_to_catch_up", hosts=len(asked))

    def _send(self, host_id: HostId, body: Mapping[str, Any]) -> bool:
        link = self._lines.link(host_id)
        if link is None:
            return False
        link.send(orjson.dumps(body).decode())
        return True


@asynccontextmanager
async def catching_up(world: World, keeper: Keeper, lines: Lines) -> AsyncIterator[Any]:
    """Open the inbox."""
    yield CatchingUp(world, keeper, lines)
