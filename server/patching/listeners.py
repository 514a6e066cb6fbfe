"""Follows the jobs that carry runs, for as long as the server runs."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from server.automation.events import JobHostsEnded
from server.core import following
from server.core.call import Call, World
from server.core.loop import Keeper
from server.patching import projection
from server.patching.events import PatchRunsChanged
from server.web.routing import WORLD

#: While runs are open their hosts are looked at this often: a job's begin rings for its own followers only.
_BUSY_SECONDS: Final = 0.5
_IDLE_SECONDS: Final = 15.0


async def resources(app: web.Application) -> AsyncIterator[None]:
    """Follow."""
    keeper = Keeper()
    keeper.start("patching", follow(app[WORLD]))
    yield
    await keeper.close()


async def follow(world: World) -> None:
    """Move runs as their hosts speak; several servers may, whoever locks a run moves it."""
    topics = (JobHostsEnded.name, PatchRunsChanged.name)
    await following.follow(world, "patching", topics, _sweep, idle_seconds=_IDLE_SECONDS, busy_seconds=_BUSY_SECONDS)


async def _sweep(call: Call) -> int:
    await projection.sweep(call)
    return await projection.open_runs(call)
