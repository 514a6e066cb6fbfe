"""Lets runs go on as soon as their jobs end, for as long as the server runs."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from server.automation.events import JobHostsEnded
from server.core import following
from server.core.call import World
from server.core.loop import Keeper
from server.web.routing import WORLD
from server.workflows import advancing
from server.workflows.events import WorkflowsChanged

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
    topics = (JobHostsEnded.name, WorkflowsChanged.name)
    await following.follow(
        world, "workflows", topics, advancing.advance_all, idle_seconds=_IDLE_SECONDS, breath_seconds=_BREATH_SECONDS
    )
