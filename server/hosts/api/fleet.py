"""Hosts as a list, adding them, and what is done with many of them, for people's programs."""

from typing import Final

from aiohttp import web

from server.hosts import fleet, schemas, service, whole
from server.hosts.errors import NameNeeded
from server.hosts.models import Credentials
from server.web.compression import packed
from server.web.forms import parse, query_number, read_json_value
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated

routes: Final = Routes()


def json_text(text: str, status: int = 200) -> web.Response:
    """Return an answer whose JSON the database wrote."""
    return web.Response(text=text + "\n", status=status, content_type="application/json")


@routes.get("/api/v1/hosts")
@gated("can_view_hosts")
async def plain_list(request: web.Request) -> web.Response:
    """Answer every host with what tells it apart and what it needs; one host's own address has all of it."""
    return await packed(request, await whole.everything(call(request)), "application/json")


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
    total = (await fleet.counts(asked)).total
    rows = await service.page_as_json(asked, size, (page - 1) * size)
    pages = max(1, -(-total // size))
    return json_text(
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
            **pair(made),
            # Other programs spell them so.
            "host_id": made.uuid,
            "api_id": made.api_id,
            "api_key": made.api_key.reveal(),
            "hostGroups": groups,
            "instructions": "Use these credentials in your PatchMon agent. The key is not shown again.",
        },
        201,
        {"Cache-Control": "no-store"},
    )


def pair(made: Credentials) -> dict[str, str]:
    """Return the credentials as programs take them: the one time the key is seen."""
    return {"apiId": made.api_id, "apiKey": made.api_key.reveal()}
