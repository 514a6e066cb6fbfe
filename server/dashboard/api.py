"""The doors for probes and crawlers."""

from typing import Final

from aiohttp import web

from server.dashboard import service
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


@routes.get("/robots.txt")
@open_to_all("it tells crawlers to stay away")
async def robots(_request: web.Request) -> web.Response:
    """Ask every crawler to stay away."""
    return web.Response(text="User-agent: *\nDisallow: /\n")
