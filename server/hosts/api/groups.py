"""Host groups, for people's programs."""

from typing import Final

from aiohttp import web

from server.hosts import groups, schemas, service
from server.web.forms import read_json
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()


@routes.get("/api/v1/host-groups")
@gated("can_view_hosts")
async def list_groups(request: web.Request) -> web.Response:
    """Answer every group."""
    return json_answer(await service.list_groups(call(request)))


@routes.post("/api/v1/host-groups")
@gated("can_manage_hosts", "can_manage_settings")
async def create_group(request: web.Request) -> web.Response:
    """Add a group."""
    body = await read_json(request, schemas.GroupBody)
    return json_answer(await service.create_group(call(request), body.name, body.description, body.color), 201)


@routes.get("/api/v1/host-groups/{group}")
@gated("can_view_hosts")
async def show_group(request: web.Request) -> web.Response:
    """Answer one group."""
    return json_answer(await service.fetch_group(call(request), path_text(request, "group")))


@routes.get("/api/v1/host-groups/{group}/hosts")
@gated("can_view_hosts")
async def members(request: web.Request) -> web.Response:
    """Answer the hosts of a group."""
    return json_answer(await groups.members(call(request), path_text(request, "group")))


@routes.put("/api/v1/host-groups/{group}")
@gated("can_manage_hosts", "can_manage_settings")
async def change_group(request: web.Request) -> web.Response:
    """Change a group."""
    body = await read_json(request, schemas.GroupBody)
    uuid = path_text(request, "group")
    return json_answer(await groups.update(call(request), uuid, body.name, body.description, body.color))


@routes.delete("/api/v1/host-groups/{group}")
@gated("can_manage_hosts", "can_manage_settings")
async def delete_group(request: web.Request) -> web.Response:
    """Remove a group that no host is in."""
    await groups.delete(call(request), path_text(request, "group"))
    return json_answer({"message": "Host group deleted successfully"})
