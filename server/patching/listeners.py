"""Follows the jobs that carry runs, for as long as the server runs."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from server.automation.events import JobHostsEnded
from server.core.call import Call, World, system
from server.core.db import DatabaseError
from server.core.log import get_log
from server.core.loop import Keeper, being_cancelled
from server.patching import projection
from server.patching.events import PatchRunsChanged
from server.web.routing import WORLD

log = get_log(__name__)

#: While runs are open their hosts are looked at this often: a job's begin rings for its own followers only.
_BUSY_SECONDS: Final = 0.5
_IDLE_SECONDS: Final = 15.0
_PER_SECOND: Final = 1000


async def resources(app: web.Application) -> AsyncIterator[None]:
    """Follow."""
    keeper = Keeper()
    keeper.start("patching", follow(app[WORLD]))
    yield
    await keeper.close()


async def follow(world: World) -> None:
    """Move runs as their hosts speak; several servers may, whoever locks a run moves it."""
    async with world.bus.following(JobHostsEnded.name, PatchRunsChanged.name) as bell:
        while not being_cancelled():
            pause = _IDLE_SECONDS
            try:
                call = Call(world, system("patching"))
                await projection.sweep(call)
                number = await projection.open_runs(call)
                # Many that wait are looked at less often: looking costs by their number.
                pause = min(_IDLE_SECONDS, max(_BUSY_SECONDS, number / _PER_SECOND)) if number else _IDLE_SECONDS
            except DatabaseError as error:
                log.warning("patching: database away", reason=str(error).strip())
            await bell.ring(within=pause)
