"""Follows the jobs and agents behind tasks, for as long as the server runs."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from server.automation.events import JobHostsEnded
from server.compliance import remedy_ends, service
from server.compliance.events import ComplianceChanged
from server.core import following
from server.core.call import Call, World
from server.core.loop import Keeper
from server.web.routing import WORLD

_BUSY_SECONDS: Final = 0.5
_IDLE_SECONDS: Final = 15.0


async def resources(app: web.Application) -> AsyncIterator[None]:
    """Follow."""
    keeper = Keeper()
    keeper.start("compliance", follow(app[WORLD]))
    yield
    await keeper.close()


async def _sweep(call: Call) -> int:
    # Scans first: they wait for no remediation.
    return await service.sweep(call) + await remedy_ends.sweep(call)


async def follow(world: World) -> None:
    """Move tasks as their hosts speak; several servers may, whoever locks a task moves it."""
    topics = (JobHostsEnded.name, ComplianceChanged.name)
    await following.follow(world, "compliance", topics, _sweep, idle_seconds=_IDLE_SECONDS, busy_seconds=_BUSY_SECONDS)
