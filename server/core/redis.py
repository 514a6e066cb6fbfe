"""Redis or Valkey: the only importer of the driver, and every key name we use."""

import asyncio
from typing import Any, Final, cast

import redis.asyncio as driver
from redis.exceptions import RedisError as DriverError

from server.core.log import get_log

log = get_log(__name__)

Redis = driver.Redis
RedisError = (DriverError, OSError)

PREFIX: Final = "patchmon:"


def key(*parts: str) -> str:
    """Return the name of a key, e.g. ``key("link", api_id)``."""
    return PREFIX + ":".join(parts)


async def open_redis(url: str, *, tries: int = 30, pause_seconds: float = 2.0) -> Redis:
    """Connect to ``redis://``, ``rediss://`` or ``unix://`` and wait until it answers."""
    client: Any = driver.from_url(
        url, decode_responses=True, socket_connect_timeout=10, health_check_interval=30, max_connections=256
    )
    for attempt in range(1, tries + 1):
        try:
            await client.ping()
        except RedisError as error:
            if attempt == tries:
                raise
            log.warning("redis_not_ready", attempt=attempt, of=tries, reason=str(error))
            await asyncio.sleep(pause_seconds)
        else:
            return cast("Redis", client)
    raise AssertionError
