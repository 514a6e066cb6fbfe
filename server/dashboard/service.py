"""Whether the server is well, and what monitoring reads of it."""

import asyncio
from typing import Final

from server.core.call import Call
from server.core.db import DatabaseError
from server.core.log import get_log
from server.core.redis import RedisError
from server.dashboard.models import Health
from server.dashboard.queries import fleet as fleets
from server.dashboard.queries import jobs

log = get_log(__name__)

#: A service that takes longer counts as down: whoever asks is a probe that wants an answer.
_PATIENCE_SECONDS: Final = 3.0


async def readings(call: Call) -> dict[str, dict[str, int]]:
    """Return what monitoring reads now, by name and state; what cannot be read is left out."""
    found: dict[str, dict[str, int]] = {}
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            fleet = await fleets.count_fleet(call.db, None, call.now)
            found["hosts"], found["agents_connected"] = {"": fleet.hosts}, {"": fleet.connected}
            found["unfinished_job_hosts"] = await jobs.count_unfinished(call.db)
    except (DatabaseError, OSError, TimeoutError) as error:
        log.warning("database_not_read", reason=str(error).strip() or type(error).__name__)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            found["queued_tasks"] = {"": await call.world.queue.depth(call.world.redis)}
    except (*RedisError, TimeoutError) as error:
        log.warning("queue_not_read", reason=str(error).strip() or type(error).__name__)
    return found


async def health(call: Call) -> Health:
    """Ask PostgreSQL and Redis whether they are there, both at once."""
    database, redis = await asyncio.gather(_database(call), _redis(call))
    return Health(database, redis)


async def _database(call: Call) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await fleets.answers(call.db)
    except (DatabaseError, OSError, TimeoutError) as error:
        log.warning("database_does_not_answer", reason=str(error).strip() or type(error).__name__)
        return False


async def _redis(call: Call) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await call.world.redis.ping()
    except (*RedisError, TimeoutError) as error:
        log.warning("redis_does_not_answer", reason=str(error).strip() or type(error).__name__)
        return False
    return True
