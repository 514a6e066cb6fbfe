"""Follows the jobs and agents behind tasks, for as long as the server runs."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from server.automation.events import JobHostsEnded
from server.compliance import service
from server.compliance.events import ComplianceChanged
from server.core.call import Call, World, system
from server.core.db import DatabaseError
from server.core.log import get_log
from server.core.loop import Keeper, being_cancelled
from server.core.redis import RedisError
from server.web.routing import WORLD

log = get_log(__name__)

_BUSY_SECONDS: Final = 0.5
_IDLE_SECONDS: Final = 15.0
_PER_SECOND: Final = 1000


async def resources(app: web.Application) -> AsyncIterator[None]:
    """Follow."""
    keeper = Keeper()
    keeper.start("compliance", follow(app[WORLD]))
    yield
    await keeper.close()


async def follow(world: World) -> None:
    """Move tasks as their hosts speak; several servers may, whoever locks a task moves it."""
    async with world.bus.following(JobHostsEnded.name, ComplianceChanged.name) as bell:
        while not being_cancelled():
            pause = _IDLE_SECONDS
            try:
                number = await service.sweep(Call(world, system("compliance")))
                # Many that wait are looked at less often: looking costs by their number.
                pause = min(_IDLE_SECONDS, max(_BUSY_SECONDS, number / _PER_SECOND)) if number else _IDLE_SECONDS
            except DatabaseError as error:
                log.warning("compliance: database away", reason=str(error).strip())
            except RedisError as error:
                log.warning("compliance: redis away", reason=str(error))
            await bell.ring(within=pause)
