"""The figures for the card of a dashboard (GetHomepage's ``customapi``)."""

from typing import Final

from aiohttp import web

from server.core.errors import Missing
from server.integrations import service
from server.integrations.api.doors import asking, worded
from server.web.problems import json_answer
from server.web.routing import Routes, open_to_all, path_text

routes: Final = Routes()

#: Where dashboards have always found our pictures, and where they are now.
_PICTURES: Final = {"favicon.svg": "favicon", "logo_dark.png": "dark", "logo_light.png": "light"}

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


@routes.get("/assets/{picture}")
@open_to_all("dashboards show our icon without an account")
async def picture(request: web.Request) -> web.Response:
    """Lead to the icon or a logo, the operator's own where there is one."""
    kind = _PICTURES.get(path_text(request, "picture"))
    if kind is None:
        raise Missing
    headers = {"Location": f"/api/v1/settings/logos/{kind}", "Cache-Control": "public, max-age=3600"}
    return web.Response(status=302, headers=headers)
