"""What identity does when the server starts and before each answer leaves."""

from collections.abc import AsyncIterator

from aiohttp import web

from server.core.call import Call, system
from server.core.log import get_log
from server.core.loop import Keeper
from server.core.redaction import Shown
from server.identity import cookies, service
from server.identity.sso import discovery
from server.settings import service as settings
from server.web.routing import WORLD

log = get_log(__name__)


def set_up(app: web.Application) -> None:
    """Let every answer carry the tokens with which its request's session was renewed."""
    app.on_response_prepare.append(cookies.give_renewed)


async def resources(app: web.Application) -> AsyncIterator[None]:
    """Write a one-time link into the log while nobody administers this server, and look for the identity provider."""
    world = app[WORLD]
    await discovery.demand_complete(world)
    keeper = Keeper()
    await discovery.look_first(world)
    keeper.start("single-sign-on", discovery.keep_looking(world))
    decided = await settings.decided(Call(world, system("start")))
    known = decided.settings.server_url if decided.server_url_is_known else f"http://127.0.0.1:{world.env.port}"
    if link := await service.setup_link(world, known):
        log.info("no administrator yet: open the one-time set-up link", link=Shown(link))
    yield
    await keeper.close()
