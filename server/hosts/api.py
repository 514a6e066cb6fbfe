"""Hosts and groups as JSON, for people's programs."""

from typing import Final

from aiohttp import web

from server.core.call import Call
from server.hosts import schemas, service
from server.hosts.errors import BadHostId, HostMissing, NameNeeded
from server.hosts.models import Credentials, LinkState
from server.web.forms import parse, query_number, read_json, read_json_value
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_MOST_IDS: Final = 1000
_LONGEST_QUERY: Final = 20_000


def _json_text(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text + "\n", status=status, content_type="application/json")


@routes.get("/api/v1/hosts")
@gated("can_view_hosts")
async def plain_list(request: web.Request) -> web.Response:
    """Answer every host."""
    return _json_text(await service.all_as_json(call(request)))


@routes.get("/api/v1/hosts/options")
@gated("can_view_hosts")
async def options(request: web.Request) -> web.Response:
    """Answer a pick list."""
    search = request.query.get("search", "")[:200].replace("\0", "")
    return json_answer(await service.options(call(request), search, query_number(request, "limit", 50, most=1000)))


@routes.get("/api/v1/hosts/admin/list")
@gated("can_manage_hosts")
async def paged_list(request: web.Request) -> web.Response:
    """Answer a part of the hosts."""
    everything = request.query.get("all") in {"true", "1"}
    page = 1 if everything else query_number(request, "page", 1)
    size = 10_000 if everything else query_number(request, "pageSize", 50, most=1000)
    asked = call(request)
    total = (await service.counts(asked)).total
    rows = await service.page_as_json(asked, size, (page - 1) * size)
    pages = max(1, -(-total // size))
    return _json_text(
        f'{{"data":{rows},"pagination":{{"page":{page},"pageSize":{size},"total":{total},"totalPages":{pages}}}}}'
    )


@routes.post("/api/v1/hosts")
@routes.post("/api/v1/hosts/create")
@gated("can_manage_hosts")
async def create(request: web.Request) -> web.Response:
    """Add a host and answer its credentials, this one time."""
    value = await read_json_value(request)
    if not isinstance(value, dict) or not str(value.get("friendly_name") or "").strip():
        raise NameNeeded
    made = await service.create(call(request), parse(schemas.NewHostBody, value).host())
    groups = [{"id": group.id, "name": group.name, "color": group.color} for group in made.groups]
    return json_answer(
        {
            "message": "Host created successfully",
            "hostId": made.uuid,
            "id": made.uuid,
            "friendlyName": made.friendly_name,
            **_pair(made),
            "hostGroups": groups,
            "instructions": "Use these credentials in your PatchMon agent. The key is not shown again.",
        },
        201,
        {"Cache-Control": "no-store"},
    )


def _pair(made: Credentials) -> dict[str, str]:
    return {"apiId": made.api_id, "apiKey": made.api_key.reveal()}


@routes.get("/api/v1/hosts/{host}")
@gated("can_view_hosts")
async def show(request: web.Request) -> web.Response:
    """Answer one host."""
    return _json_text(await service.one_as_json(call(request), path_text(request, "host")))


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
    return _json_text(f'{{"message":"Host groups updated successfully","host":{host}}}')


@routes.post("/api/v1/hosts/{host}/regenerate-credentials")
@gated("can_manage_hosts")
async def regenerate(request: web.Request) -> web.Response:
    """Give a host a new pair and answer it, this one time."""
    made, hostname = await service.regenerate(call(request), path_text(request, "host"))
    return json_answer(
        {
            "message": "API credentials regenerated successfully",
            "hostname": hostname,
            **_pair(made),
            "warning": "Previous API credentials are now invalid. Update your agent configuration.",
        },
        headers={"Cache-Control": "no-store"},
    )


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


@routes.get("/api/v1/ws/status")
@gated("can_view_hosts")
async def link_states(request: web.Request) -> web.Response:
    """Answer which of these hosts are connected."""
    ids = request.query.get("apiIds", "")[:_LONGEST_QUERY].replace("\0", "").split(",")
    asked = call(request)
    found = await service.link_states(asked, [one.strip() for one in ids if one.strip()][:_MOST_IDS])
    return json_answer({"success": True, "data": {one: _link(state, asked) for one, state in found.items()}})


@routes.get("/api/v1/ws/status/summary")
@gated("can_view_hosts")
async def link_summary(request: web.Request) -> web.Response:
    """Answer how many hosts are connected."""
    return json_answer({"connected": (await service.counts(call(request))).online})


@routes.get("/api/v1/ws/status/{api_id}")
@gated("can_view_hosts")
async def link_state(request: web.Request) -> web.Response:
    """Answer how far a host has come: waiting, connected, receiving, done."""
    asked, api_id = call(request), path_text(request, "api_id")
    found = (await service.link_states(asked, [api_id.replace("\0", "")])).get(api_id)
    if found is None:
        raise HostMissing
    more = {
        "protocol": "wss" if found.secure else "ws",
        "host_id": found.host_id,
        "status": found.status,
        "last_update": found.last_update,
        "stage": found.stage,
    }
    return json_answer({"success": True, "data": {**_link(found, asked), **more}})


def _link(state: LinkState, asked: Call) -> dict[str, object]:
    gone_at = None if state.connected else state.last_disconnected_at
    ago = None if gone_at is None else max(0, int((asked.now - gone_at).total_seconds()))
    return {"connected": state.connected, "secure": state.connected and state.secure, "disconnected_seconds_ago": ago}
