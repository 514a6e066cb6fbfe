"""Hears that another process changed a setting."""

from collections.abc import AsyncIterator

from aiohttp import web

from server.core.loop import Keeper
from server.settings import service
from server.web.routing import WORLD


def set_up(app: web.Application) -> None:
    """Refuse to start with operator variables that cannot be used."""
    service.demand_usable(app[WORLD].env)


async def resources(app: web.Application) -> AsyncIterator[None]:
    """Follow changes for as long as the server runs."""
    keeper = Keeper()
    keeper.start("settings-bell", service.keep_fresh(app[WORLD]))
    yield
    await keeper.close()
