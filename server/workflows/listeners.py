"""Lets runs go on as soon as their jobs end, for as long as the server runs."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from server.automation.events import JobHostsEnded
from server.core.call import Call, World, system
from server.core.db import DatabaseError
from server.core.log import get_log
from server.core.loop import Keeper, being_cancelled
from server.web.routing import WORLD
from server.workflows import advancing
from server.workflows.events import WorkflowsChanged

log = get_log(__name__)

#: Bells of a large job ring by the hundred; looking once in this time is enough.
_BREATH_SECONDS: Final = 0.3
_IDLE_SECONDS: Final = 10.0


async def resources(app: web.Application) -> AsyncIterator[None]:
    """Follow."""
    keeper = Keeper()
    keeper.start("workflows", follow(app[WORLD]))
    yield
    await keeper.close()


async def follow(world: World) -> None:
    """Advance runs when something may have changed for them; several servers may, one holds a run's row."""
    async with world.bus.following(JobHostsEnded.name, WorkflowsChanged.name) as bell:
        while not being_cancelled():
            try:
                await advancing.advance_all(Call(world, system("workflows")))
            except DatabaseError as error:
                log.warning("workflows: database away", reason=str(error).strip())
            await bell.ring(within=_IDLE_SECONDS)
            await asyncio.sleep(_BREATH_SECONDS)
