"""The settings as JSON."""

from dataclasses import asdict
from typing import Final

from aiohttp import web

from server.core.errors import Refused
from server.settings import branding, profiling, rules, schemas, service
from server.settings.models import Branding, Settings
from server.web.forms import BadBody, query_number, read_json, read_json_value
from server.web.handler_code import documented, some_of
from server.web.problems import json_answer
from server.web.proxy import origin
from server.web.routing import Routes, call, gated, open_to_all, path_text
from server.web.shell import STATIC

routes: Final = Routes()

_MEGABYTE: Final = 1024**2
_AN_HOUR: Final = "public, max-age=3600, must-revalidate"
#: Whatever a picture holds: opened by itself it runs nothing, loads nothing and is of no origin.
_PICTURE_HEADERS: Final = {
    "Cache-Control": _AN_HOUR,
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
_VARIABLE: Final = {"type": "object", "properties": {"value": {}}, "required": ["value"]}
_LOGOS: Final = {"logo_dark": "dark", "logo_light": "light", "favicon": "favicon"}


def _logo_url(brand: Branding, kind: str) -> str | None:
    return f"/api/v1/settings/logos/{kind}" if brand.picture(kind) else None


@routes.get("/api/v1/settings")
@gated("can_manage_settings")
async def show(request: web.Request) -> web.Response:
    """Answer every setting."""
    return json_answer(schemas.as_answer(await service.decided(call(request))))


@routes.put("/api/v1/settings")
@routes.patch("/api/v1/settings")
@documented(body=some_of(Settings, rules.BY_NAME.keys() - rules.APART))
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
    brand = await branding.branding(asked)
    return json_answer(
        {
            "auto_update": settings.auto_update,
            "alerts_enabled": True,
            **{name: _logo_url(brand, kind) for name, kind in _LOGOS.items()},
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
@documented(body=_VARIABLE)
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


@routes.get("/api/v1/settings/logos/{type}")
@open_to_all("the sign-in page and e-mails show the logos")
async def logo(request: web.Request) -> web.StreamResponse:
    """Answer a logo or the favicon; ours when the operator has put none in its place."""
    stored = await branding.picture(call(request), path_text(request, "type"))
    if stored is None:
        return web.FileResponse(STATIC / "icons" / "favicon.svg", headers=_PICTURE_HEADERS)
    headers = {**_PICTURE_HEADERS, "ETag": f'"{stored.digest[:32]}"'}
    if headers["ETag"] in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    return web.Response(body=bytes(stored.content), content_type=stored.content_type, headers=headers)


@routes.get("/branding.css")
@open_to_all("the sign-in page has the operator's colour")
async def sheet(request: web.Request) -> web.Response:
    """Answer the colour that the operator chose, for both themes."""
    text = branding.sheet((await service.effective(call(request))).brand_accent)
    return web.Response(text=text, content_type="text/css", headers={"Cache-Control": _AN_HOUR})


@routes.post("/api/v1/settings/logos/upload")
@gated("can_manage_settings", module="custom_branding")
async def upload_logo(request: web.Request) -> web.Response:
    """Put a picture in the place of ours."""
    body = await read_json(request, schemas.PictureBody, branding.UPLOAD_BYTES)
    kind = body.logo_type
    picture = await branding.upload(call(request), kind, body.file_name, branding.decoded(body.file_content))
    size = len(picture.content)
    return json_answer(
        {
            "message": "Logo uploaded successfully",
            "fileName": body.file_name,
            "path": f"/api/v1/settings/logos/{kind}",
            "size": size,
            "sizeFormatted": f"{size / 1024:.1f} KB" if size < _MEGABYTE else f"{size / _MEGABYTE:.1f} MB",
        }
    )


@routes.post("/api/v1/settings/logos/reset")
@gated("can_manage_settings", module="custom_branding")
async def reset_logo(request: web.Request) -> web.Response:
    """Go back to our picture."""
    body = await read_json(request, schemas.PictureReset)
    await branding.reset(call(request), body.logo_type)
    return json_answer({"message": "Logo reset to default successfully", "logoType": body.logo_type})


@routes.get("/debug/pprof/profile", name="debug.download")
@gated("can_manage_settings")
async def profile(request: web.Request) -> web.Response:
    """Answer where the event loop spends its time, as collapsed stacks; there is no such page while it is off."""
    _demand_administrator(request)
    return web.Response(text=await profiling.profile(query_number(request, "seconds", 5, most=60)))


@routes.get("/debug/pprof/heap")
@gated("can_manage_settings")
async def heap(request: web.Request) -> web.Response:
    """Answer what the memory of this process is made of."""
    _demand_administrator(request)
    return web.Response(text=await profiling.heap())


def _demand_administrator(request: web.Request) -> None:
    asked = call(request)
    profiling.demand_on(asked)
    if asked.actor.partial or asked.actor.role not in {"admin", "superadmin"}:
        raise Refused


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
