"""Personal API tokens as JSON."""

from typing import Final

from aiohttp import web

from server.identity import service, token_schemas, tokens
from server.web.forms import read_json
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()


@routes.get("/api/v1/auth/api-tokens")
@gated()
async def list_tokens(request: web.Request) -> web.Response:
    """Answer the asker's tokens, without their secrets."""
    return json_answer({"tokens": [token_schemas.token(one) for one in await tokens.mine(call(request))]})


@routes.post("/api/v1/auth/api-tokens")
@gated()
async def create_token(request: web.Request) -> web.Response:
    """Make a token; ``secret`` is answered this once."""
    asked = call(request)
    body = await read_json(request, token_schemas.TokenBody)
    made, secret = await tokens.create(asked, await service.me(asked), body.wanted())
    said = {"message": "API token created successfully", "token": token_schemas.token(made), "secret": secret}
    return json_answer(said, status=201, headers={"Cache-Control": "no-store"})


@routes.delete("/api/v1/auth/api-tokens/{token_id}")
@gated()
async def revoke_token(request: web.Request) -> web.Response:
    """Make a token worthless."""
    await tokens.revoke(call(request), path_text(request, "token_id"))
    return json_answer({"message": "API token revoked successfully"})
