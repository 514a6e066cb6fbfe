"""What the hosts room looks at when a server process starts."""

from collections.abc import AsyncIterator

from aiohttp import web

from server.core.log import get_log
from server.hosts import rules
from server.hosts.queries import agents
from server.web.routing import WORLD

log = get_log(__name__)


async def resources(app: web.Application) -> AsyncIterator[None]:
    """Say so when the fleet has outgrown the database pool."""
    world = app[WORLD]
    count = await agents.count_hosts(world.db)
    advised = rules.advised_pool(count)
    if world.env.database_pool < advised:
        log.warning(
            "database_pool_small",
            hosts=count,
            limit=world.env.database_pool,
            advised=advised,
            hint=f"raise DB_CONNECTION_LIMIT to {advised} or more, below max_connections of PostgreSQL",
        )
    yield
