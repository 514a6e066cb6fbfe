"""Rings for the worker as soon as something happened that webhooks may tell of."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from server.automation.events import JobHostsEnded, JobListChanged
from server.campaigns.events import CampaignsChanged
from server.compliance.events import ComplianceChanged
from server.core.call import World
from server.core.log import get_log
from server.core.loop import Keeper, being_cancelled
from server.core.redis import RedisError
from server.patching.events import PatchRunsChanged
from server.web.routing import WORLD
from server.webhooks.events import WebhooksChanged
from server.workflows.events import WorkflowsChanged

log = get_log(__name__)

_BREATH_SECONDS: Final = 0.5
_TOPICS: Final = (
    JobListChanged.name,
    JobHostsEnded.name,
    PatchRunsChanged.name,
    CampaignsChanged.name,
    WorkflowsChanged.name,
    ComplianceChanged.name,
    WebhooksChanged.name,
)


async def resources(app: web.Application) -> AsyncIterator[None]:
    """Follow."""
    keeper = Keeper()
    keeper.start("webhooks", follow(app[WORLD]))
    yield
    await keeper.close()


async def follow(world: World) -> None:
    """Queue the work when something happened; what is lost is found by the worker's own look."""
    async with world.bus.following(*_TOPICS) as bell:
        while not being_cancelled():
            if await bell.ring(within=60.0):
                try:
                    await world.queue.put("webhooks.deliver")
                except (*RedisError, ConnectionError) as error:
                    if being_cancelled():
                        return
                    log.warning("webhooks: queue away", reason=str(error))
            await asyncio.sleep(_BREATH_SECONDS)
