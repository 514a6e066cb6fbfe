"""The door for what agents say about jobs."""

from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web

from server.automation import service
from server.automation.dispatch import dispatcher
from server.automation.executors.native import Translator
from server.automation.relay_door import open_door, routes
from server.core.call import Call, system
from server.web.routing import AGENT_INBOXES, TRANSLATORS, WORLD

__all__ = ["resources", "routes", "set_up"]


def set_up(app: web.Application) -> None:
    """Take the messages of the job channel; upper rooms add what they can say to existing agents."""
    translators: list[Translator] = []
    app[TRANSLATORS] = translators
    app[AGENT_INBOXES].append(partial(dispatcher, translators=translators))
    open_door(app)


async def resources(app: web.Application) -> AsyncIterator[None]:
    """Make the built-in playbooks launchable before anyone asks."""
    await service.publish_builtin(Call(app[WORLD], system("start")))
    yield
