"""Lets campaigns go on as soon as their runs and checks end, for as long as the server runs."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from server.automation.events import JobHostsEnded
from server.campaigns import advancing
from server.campaigns.events import CampaignsChanged
from server.core import following
from server.core.call import World
from server.core.loop import Keeper
from server.patching.events import PatchRunsChanged
from server.web.routing import WORLD

#: Bells of a large campaign ring by the hundred; looking once in this time is enough.
_BREATH_SECONDS: Final = 0.3
_IDLE_SECONDS: Final = 10.0


async def resources(app: web.Application) -> AsyncIterator[None]:
    """Follow."""
    keeper = Keeper()
    keeper.start("campaigns", follow(app[WORLD]))
    yield
    await keeper.close()


async def follow(world: World) -> None:
    """Advance campaigns when something may have changed for them; several servers may, one holds a campaign's row."""
    topics = (PatchRunsChanged.name, JobHostsEnded.name, CampaignsChanged.name)
    await following.follow(
        world, "campaigns", topics, advancing.advance_all, idle_seconds=_IDLE_SECONDS, breath_seconds=_BREATH_SECONDS
    )
