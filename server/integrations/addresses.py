"""Under which address programs find this server."""

from aiohttp import web

from server.settings import service as settings
from server.web.proxy import origin
from server.web.routing import call


async def server_url(request: web.Request) -> str:
    """Return the configured URL, else the one this request was made to."""
    decided = await settings.decided(call(request))
    return decided.settings.server_url if decided.server_url_is_known else origin(request).url
