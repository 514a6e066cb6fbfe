"""Administration of tokens as JSON."""

from typing import Final

from aiohttp import web

from server.integrations import schemas, service
from server.integrations.api.doors import worded
from server.web.forms import parse, read_json_value
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()


@routes.post("/api/v1/auto-enrollment/tokens")
@documented(body=schemas.TokenBody, body_kind="application/json")
@gated("can_manage_settings")
@worded("Failed to create token")
async def make(request: web.Request) -> web.Response:
    """Make a token and answer its secret, this one time."""
    asked = call(request)
    body = parse(schemas.TokenBody, schemas.lowered(await read_json_value(request)))
    made = await service.make(asked, body.new(await service.zone(asked)))
    return json_answer(schemas.made(made), 201, {"Cache-Control": "no-store"})


@routes.get("/api/v1/auto-enrollment/tokens")
@gated("can_manage_settings")
@worded("Failed to fetch tokens")
async def everything(request: web.Request) -> web.Response:
    """Answer every token, newest first."""
    return json_answer([schemas.stored(one) for one in await service.everything(call(request))])


@routes.get("/api/v1/auto-enrollment/tokens/{token}")
@gated("can_manage_settings")
@worded("Failed to fetch token")
async def show(request: web.Request) -> web.Response:
    """Answer one token."""
    return json_answer(schemas.stored(await service.find(call(request), path_text(request, "token"))))


@routes.patch("/api/v1/auto-enrollment/tokens/{token}")
@documented(body=schemas.TokenBody, body_kind="application/json")
@gated("can_manage_settings")
@worded("Failed to update token")
async def change(request: web.Request) -> web.Response:
    """Change what is sent of a token."""
    asked = call(request)
    body = parse(schemas.TokenBody, schemas.lowered(await read_json_value(request)))
    changed = await service.change(asked, path_text(request, "token"), body.change(await service.zone(asked)))
    return json_answer({"message": "Token updated successfully", "token": schemas.stored(changed)})


@routes.delete("/api/v1/auto-enrollment/tokens/{token}")
@gated("can_manage_settings")
@worded("Failed to delete token")
async def remove(request: web.Request) -> web.Response:
    """Remove a token; the hosts it enrolled stay."""
    gone = await service.remove(call(request), path_text(request, "token"))
    message = "Auto-enrollment token deleted successfully"
    return json_answer({"message": message, "deleted_token": gone})
