"""The relay for programs with scoped credentials: Ansible's connection plugin with the keys of an inventory."""

from typing import Final

from aiohttp import web

from server.core.errors import Problem
from server.integrations import schemas
from server.integrations.api.doors import asking
from server.web.handler_code import documented
from server.web.problems import json_answer, status_of
from server.web.routing import RELAYER, Routes, open_to_all

routes: Final = Routes()


@routes.post("/api/v1/api/relay/hosts/{host}/{operation}")
@documented(answers={200: "application/octet-stream"}, body_kind="application/octet-stream")
@open_to_all("the token in the Basic credentials is what proves who asks, and a play asks thousands of times")
async def relay(request: web.Request) -> web.StreamResponse:
    """Run a command on a host, or write or read a file there; the token needs ``post`` on ``relay``."""
    try:
        asked, _ = await asking(request, "api", "post", "relay")
    except Problem as refused:
        return json_answer(schemas.refusal(refused), status_of(refused))
    return await request.app[RELAYER](request, asked)
