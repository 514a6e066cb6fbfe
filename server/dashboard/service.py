"""Whether the server is well, and what monitoring reads of it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

from server.core.call import Call
from server.core.db import DatabaseError
from server.core.log import get_log
from server.core.redis import RedisError
from server.dashboard.models import Health
from server.dashboard.queries import fleet as fleets
from server.dashboard.queries import jobs, metrics
from server.settings import service as settings

log = get_log(__name__)

#: A service that takes longer counts as down: whoever asks is a probe that wants an answer.
_PATIENCE_SECONDS: Final = 3.0


async def readings(call: Call) -> dict[str, dict[str, int]]:
    """Return what monitoring reads now, by name and state; what cannot be read is left out."""
    found: dict[str, dict[str, int]] = {}
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            found["unfinished_job_hosts"] = await jobs.count_unfinished(call.db)
    except (DatabaseError, OSError, TimeoutError) as error:
        log.warning("database_not_read", reason=str(error).strip() or type(error).__name__)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            found["queued_tasks"] = {"": await call.world.queue.depth(call.world.redis)}
    except (*RedisError, TimeoutError) as error:
        log.warning("queue_not_read", reason=str(error).strip() or type(error).__name__)
    return found


async def hosts_read(call: Call) -> AsyncIterator[bytes]:
    """Yield what monitoring reads of the fleet and of each host, in its text format; nothing when it cannot be read."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            days = (await settings.effective(call)).patch_stale_days
            found = await metrics.fetch_metrics(call.db, call.now, call.now - timedelta(days=days))
    except (DatabaseError, OSError, TimeoutError) as error:
        log.warning("fleet_not_read", reason=str(error).strip() or type(error).__name__)
        return
    for name, about, _ in metrics.TOTALS:
        yield f"{_head(name, about)}patchmon_{name} {float(found[name])}\n".encode()
    for name, about in metrics.FAMILIES:
        yield (_head(name, about) + (found[name] or "")).encode()


def _head(name: str, about: str) -> str:
    return f"# HELP patchmon_{name} {about}\n# TYPE patchmon_{name} gauge\n"


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
