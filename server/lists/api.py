"""Kept views of lists, for programs."""

from typing import Final

from aiohttp import web

from server.lists import gates, schemas, service
from server.lists.errors import ViewMissing
from server.lists.models import View
from server.web.forms import read_json
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()


def as_json(view: View) -> dict[str, object]:
    """Return a view as programs get it; ``link`` opens it for whoever may open the list."""
    return {
        "id": view.id,
        "name": view.name,
        "path": view.path,
        "query": view.query,
        "address": view.address,
        "link": f"/views/{view.id}",
        "shared": view.shared,
        "own": view.own,
        "owner": view.owner,
        "created_at": view.created_at,
    }


@routes.get("/api/v1/list-views")
@gated()
async def list_views(request: web.Request) -> web.Response:
    """Answer the asker's views and the shared ones, of one list (``path``) or of all."""
    path = request.query.get("path", "")[: schemas.ADDRESS_MOST].replace("\0", "")
    return json_answer([as_json(view) for view in await gates.visible(request, path)])


@routes.post("/api/v1/list-views")
@gated()
async def keep(request: web.Request) -> web.Response:
    """Keep a view; one of that name on that list is replaced."""
    body = await read_json(request, schemas.ViewBody)
    new = body.view()
    await gates.demand_list(request, new.path)
    return json_answer(as_json(await service.keep(call(request), new)), 201)


@routes.get("/api/v1/list-views/{view}")
@gated()
async def show(request: web.Request) -> web.Response:
    """Answer one view."""
    found = await service.find(call(request), path_text(request, "view"))
    if not await gates.may_open(request, found.path):
        raise ViewMissing
    return json_answer(as_json(found))


@routes.delete("/api/v1/list-views/{view}")
@gated()
async def remove(request: web.Request) -> web.Response:
    """Remove an own view, or as an administrator a shared one."""
    await service.remove(call(request), path_text(request, "view"))
    return json_answer({"message": "View removed"})
