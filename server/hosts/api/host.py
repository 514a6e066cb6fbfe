"""One host, for people's programs."""

from typing import Final

from aiohttp import web

from server.hosts import schemas, service
from server.hosts.api.fleet import json_text, pair
from server.hosts.errors import BadHostId
from server.web.forms import read_json
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()


@routes.get("/api/v1/hosts/{host}")
@gated("can_view_hosts")
async def show(request: web.Request) -> web.Response:
    """Answer one host."""
    return json_text(await service.one_as_json(call(request), path_text(request, "host")))


@routes.delete("/api/v1/hosts/{host}")
@gated("can_manage_hosts")
async def delete(request: web.Request) -> web.Response:
    """Remove a host."""
    uuid = path_text(request, "host")
    if not uuid.replace("-", "").isalnum():
        raise BadHostId
    gone = await service.delete(call(request), uuid)
    return json_answer({"message": "Host deleted successfully", "deletedHost": gone})


@routes.put("/api/v1/hosts/{host}/groups")
@gated("can_manage_hosts")
async def set_groups(request: web.Request) -> web.Response:
    """Set a host's groups to exactly these."""
    asked, uuid = call(request), path_text(request, "host")
    body = await read_json(request, schemas.GroupsBody)
    await service.set_groups(asked, uuid, body.group_ids)
    host = await service.one_as_json(asked, uuid)
    return json_text(f'{{"message":"Host groups updated successfully","host":{host}}}')


@routes.post("/api/v1/hosts/{host}/regenerate-credentials")
@gated("can_manage_hosts")
async def regenerate(request: web.Request) -> web.Response:
    """Give a host a new pair and answer it, this one time."""
    made, hostname = await service.regenerate(call(request), path_text(request, "host"))
    return json_answer(
        {
            "message": "API credentials regenerated successfully",
            "hostname": hostname,
            **pair(made),
            "warning": "Previous API credentials are now invalid. Update your agent configuration.",
        },
        headers={"Cache-Control": "no-store"},
    )
