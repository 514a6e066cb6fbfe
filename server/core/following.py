"""Followers: whoever looks again whenever something may have changed, for as long as the server runs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from server.core.call import Call, World, system
from server.core.db import DatabaseError
from server.core.log import get_log
from server.core.loop import being_cancelled
from server.core.redis import RedisError

log = get_log(__name__)

#: Many that are open are looked at less often: looking costs by their number.
_PER_SECOND: Final = 1000


async def follow(
    world: World,
    name: str,
    topics: tuple[str, ...],
    sweep: Callable[[Call], Awaitable[int]],
    *,
    idle_seconds: float,
    busy_seconds: float | None = None,
    breath_seconds: float = 0.0,
) -> None:
    """Sweep as the system until cancelled: whenever a topic is announced, and after ``idle_seconds`` anyway.

    ``sweep`` returns how many things are open; with ``busy_seconds`` those are looked at that often, for what nobody
    announces. Bells that ring by the hundred cost one sweep in ``breath_seconds``. A database or Redis that is away is
    said in the log, and tried again.
    """
    async with world.bus.following(*topics) as bell:
        while not being_cancelled():
            pause = idle_seconds
            try:
                number = await sweep(Call(world, system(name)))
                if busy_seconds is not None and number:
                    pause = min(idle_seconds, max(busy_seconds, number / _PER_SECOND))
            except DatabaseError as error:
                log.warning("database_away", follower=name, reason=str(error).strip())
            except RedisError as error:
                log.warning("redis_away", follower=name, reason=str(error).strip())
            if not being_cancelled():
                await bell.ring(within=pause)
                await asyncio.sleep(breath_seconds)
