"""Redis or Valkey: the only importer of the driver, and every key name we use."""

import asyncio
from typing import Any, Final, cast

import redis.asyncio as driver
from redis.exceptions import RedisError as DriverError

from server.core.env import RedisLink
from server.core.log import get_log

log = get_log(__name__)

Redis = driver.Redis
RedisError = (DriverError, OSError)

PREFIX: Final = "patchmon:"


def key(*parts: str) -> str:
    """Return the name of a key, e.g. ``key("link", api_id)``."""
    return PREFIX + ":".join(parts)


def link_options(url: str, link: RedisLink) -> dict[str, Any]:
    """Return how the driver connects: its times, and whom it believes when the connection is encrypted."""
    options: dict[str, Any] = {
        "socket_connect_timeout": link.connect_ms / 1000,
        "socket_timeout": link.command_ms / 1000,
    }
    if url.startswith("rediss://"):
        options["ssl_cert_reqs"] = "required" if link.verify else "none"
        options["ssl_check_hostname"] = link.verify
        if link.authority is not None:
            options["ssl_ca_certs"] = str(link.authority)
    return options


async def open_redis(
    url: str,
    *,
    tries: int = 30,
    pause_seconds: float = 2.0,
    link: RedisLink = RedisLink(),  # noqa: B008 (frozen)
) -> Redis:
    """Connect to ``redis://``, ``rediss://`` or ``unix://`` and wait until it answers."""
    client: Any = driver.from_url(
        url, decode_responses=True, health_check_interval=30, max_connections=256, **link_options(url, link)
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
