"""The settings as JSON."""

from dataclasses import asdict
from typing import Final

from aiohttp import web

from server.settings import schemas, service
from server.web.forms import BadBody, read_json_value
from server.web.problems import json_answer
from server.web.proxy import origin
from server.web.routing import Routes, call, gated, open_to_all, path_text

routes: Final = Routes()


@routes.get("/api/v1/settings")
@gated("can_manage_settings")
async def show(request: web.Request) -> web.Response:
    """Answer every setting."""
    return json_answer(schemas.as_answer(await service.decided(call(request))))


@routes.put("/api/v1/settings")
@routes.patch("/api/v1/settings")
@gated("can_manage_settings")
async def change(request: web.Request) -> web.Response:
    """Change the settings that are named, leave the others."""
    await service.change(call(request), schemas.changes(await read_json_value(request)))
    return json_answer(schemas.as_answer(await service.decided(call(request))))


@routes.get("/api/v1/settings/public")
@gated()
async def public(request: web.Request) -> web.Response:
    """Answer what everyone who is signed in may know."""
    asked = call(request)
    settings = await service.effective(asked)
    return json_answer(
        {
            "auto_update": settings.auto_update,
            "alerts_enabled": True,
            "logo_dark": None,
            "logo_light": None,
            "favicon": None,
            "updated_at": await service.last_change(asked),
            "timezone": settings.timezone,
            "admin_mode": False,
            "update_interval": settings.update_interval,
        }
    )


@routes.get("/api/v1/settings/environment")
@gated("can_manage_settings")
async def environment(request: web.Request) -> web.Response:
    """Answer every variable with its value, where that comes from and what it may be."""
    return json_answer({"variables": [asdict(one) for one in await service.environment(call(request))]})


@routes.patch("/api/v1/settings/environment/{key}")
@gated("can_manage_settings")
async def change_variable(request: web.Request) -> web.Response:
    """Store a value for one variable."""
    body = await read_json_value(request)
    if not isinstance(body, dict) or "value" not in body:
        raise BadBody({"value": "is missing"})
    await service.change_variable(call(request), path_text(request, "key"), body["value"])
    return json_answer({"message": service.SAVED})


@routes.delete("/api/v1/settings/environment/{key}")
@gated("can_manage_settings")
async def clear_variable(request: web.Request) -> web.Response:
    """Forget what is stored for one variable."""
    await service.clear_variable(call(request), path_text(request, "key"))
    return json_answer({"message": service.SAVED})


@routes.get("/api/v1/settings/server-url")
@open_to_all(
    "install scripts and the set-up page ask before anyone can sign in; the URL is no secret to who reached it"
)
async def server_url(request: web.Request) -> web.Response:
    """Answer the configured URL."""
    return json_answer({"server_url": (await service.effective(call(request))).server_url})


@routes.get("/api/v1/settings/current-url")
@open_to_all("tells the asker only what the asker sent")
async def current_url(request: web.Request) -> web.Response:
    """Answer the URL under which this request was made."""
    seen = origin(request)
    host, _, port = seen.host.rpartition(":") if ":" in seen.host.rpartition("]")[2] else (seen.host, "", "")
    return json_answer(
        {
            "url": seen.url,
            "protocol": seen.scheme,
            "host": host.strip("[]"),
            "port": int(port) if port.isdecimal() else (443 if seen.secure else 80),
        }
    )
