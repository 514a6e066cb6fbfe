"""The doors for probes and crawlers."""

from typing import Final

from aiohttp import web

from server.core.errors import Missing
from server.dashboard import service
from server.dashboard.beside import Beside
from server.web.badges import BADGES
from server.web.meters import METERS, Meters, knows_the_token
from server.web.openapi import DESCRIPTION, Description
from server.web.problems import json_answer
from server.web.routing import Routes, call, open_to_all

routes: Final = Routes()

_WORDS: Final = {True: "healthy", False: "unhealthy"}


@routes.get("/health")
@open_to_all("probes have no account; it says nothing but well or not")
async def health(request: web.Request) -> web.Response:
    """Answer one word, or three in JSON; 503 when PostgreSQL or Redis does not answer."""
    found = await service.health(call(request))
    status = 200 if found.healthy else 503
    if request.query.get("format") == "json" or "application/json" in request.headers.get("Accept", ""):
        return json_answer(
            {
                "status": _WORDS[found.healthy],
                "database": _WORDS[found.database],
                "redis": _WORDS[found.redis],
            },
            status,
            {"Cache-Control": "no-store"},
        )
    return web.Response(text=_WORDS[found.healthy], status=status, headers={"Cache-Control": "no-store"})


def set_up(app: web.Application) -> None:
    """Begin to count, and have a place for the description of the API and for what stands beside the navigation."""
    app[METERS] = Meters()
    app[BADGES] = Beside().read
    app[DESCRIPTION] = Description()


@routes.get("/api/v1/openapi.json")
@open_to_all("it says which doors there are and nothing of what is behind them")
async def openapi(request: web.Request) -> web.Response:
    """Answer the description of this API (OpenAPI 3.1)."""
    body = await request.config_dict[DESCRIPTION].read(request.app)
    return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-cache"})


@routes.get("/metrics")
@open_to_all("monitoring has a token of its own and no account")
async def metrics(request: web.Request) -> web.StreamResponse:
    """Send what monitoring reads: of this process, of the installation, of the fleet and of each host."""
    known = knows_the_token(request)
    if known is None:
        raise Missing
    if not known:
        headers = {"WWW-Authenticate": "Bearer"}
        return json_answer({"error": "Unauthorized"}, status=401, headers=headers)
    headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store"}
    answer = web.StreamResponse(headers=headers)
    begin = request.config_dict[METERS].text(await service.readings(call(request)))
    await answer.prepare(request)
    await answer.write(begin)
    async for some in service.hosts_read(call(request)):
        await answer.write(some)
    await answer.write_eof()
    return answer


@routes.get("/robots.txt")
@open_to_all("it tells crawlers to stay away")
async def robots(_request: web.Request) -> web.Response:
    """Ask every crawler to stay away."""
    return web.Response(text="User-agent: *\nDisallow: /\n")
