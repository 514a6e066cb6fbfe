"""The figures for the card of a dashboard (GetHomepage's ``customapi``)."""

from typing import Final

from aiohttp import web

from server.integrations import service
from server.integrations.api.doors import asking, worded
from server.web.problems import json_answer
from server.web.routing import Routes, open_to_all

routes: Final = Routes()

_WHY: Final = "the token in the Basic credentials is what proves who asks"


@routes.get("/api/v1/gethomepage/stats")
@routes.get("/api/v1/gethomepage/stats/")
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch statistics")
async def stats(request: web.Request) -> web.Response:
    """Answer the fleet in numbers."""
    asked, _ = await asking(request, "gethomepage")
    return json_answer(await service.figures(asked), headers={"Cache-Control": "no-store"})


@routes.get("/api/v1/gethomepage/health")
@routes.get("/api/v1/gethomepage/health/")
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch health")
async def health(request: web.Request) -> web.Response:
    """Answer that the key works, and its name."""
    asked, token = await asking(request, "gethomepage")
    return json_answer({"status": "ok", "timestamp": asked.now, "api_key": token.token_name})
