"""Lists over all hosts, for people's programs."""

from typing import Final, TypeVar

from aiohttp import web

from server.core.paging import Page, Window
from server.docker import fleet, showing
from server.docker.views import Asked
from server.hosts import service as hosts
from server.web.filters import text
from server.web.forms import query_number
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated

Line = TypeVar("Line")
routes: Final = Routes()
VIEW: Final = "can_view_hosts"
MODULE: Final = "docker"
_MOST: Final = 1000
_TRUE: Final = frozenset({"1", "true", "yes"})
_USUAL: Final = ("search", "host_id", "hostId", "sort", "order")


@routes.get("/api/v1/docker/dashboard")
@gated(VIEW, module=MODULE)
async def dashboard(request: web.Request) -> web.Response:
    """Answer the numbers above the lists."""
    return json_answer(showing.dashboard(await fleet.dashboard(call(request))))


@routes.get("/api/v1/docker/containers")
@documented(query=(*_USUAL, "status", "imageId", "image_id", "stack"))
@gated(VIEW, module=MODULE)
async def list_containers(request: web.Request) -> web.Response:
    """Answer a page of containers."""
    page = await fleet.containers(call(request), await _asked(request))
    return _answer("containers", page, [showing.container(one) for one in page.items])


@routes.get("/api/v1/docker/images")
@documented(query=(*_USUAL, "source", "updates"))
@gated(VIEW, module=MODULE)
async def list_images(request: web.Request) -> web.Response:
    """Answer a page of images, each once."""
    page = await fleet.images(call(request), await _asked(request))
    return _answer("images", page, [showing.image(one) for one in page.items])


@routes.get("/api/v1/docker/volumes")
@documented(query=(*_USUAL, "driver"))
@gated(VIEW, module=MODULE)
async def list_volumes(request: web.Request) -> web.Response:
    """Answer a page of volumes."""
    page = await fleet.volumes(call(request), await _asked(request))
    return _answer("volumes", page, [showing.volume(one) for one in page.items])


@routes.get("/api/v1/docker/networks")
@documented(query=(*_USUAL, "driver"))
@gated(VIEW, module=MODULE)
async def list_networks(request: web.Request) -> web.Response:
    """Answer a page of networks."""
    page = await fleet.networks(call(request), await _asked(request))
    return _answer("networks", page, [showing.network(one) for one in page.items])


@routes.get("/api/v1/docker/stacks")
@documented(query=_USUAL)
@gated(VIEW, module=MODULE)
async def list_stacks(request: web.Request) -> web.Response:
    """Answer a page of stacks, host by host."""
    page = await fleet.stacks(call(request), await _asked(request))
    return _answer("stacks", page, [showing.stack(one) for one in page.items])


@routes.get("/api/v1/docker/hosts")
@documented(query=("search", "sort", "order"))
@gated(VIEW, module=MODULE)
async def list_hosts(request: web.Request) -> web.Response:
    """Answer a page of the hosts that have Docker switched on."""
    page = await fleet.hosts(call(request), await _asked(request))
    return _answer("hosts", page, [showing.host(one) for one in page.items])


def _answer(name: str, page: Page[Line], rows: list[showing.Told]) -> web.Response:
    return json_answer({name: rows, "pagination": page.place})


async def _asked(request: web.Request) -> Asked:
    query, asked = request.query, call(request)
    host = query.get("host_id") or query.get("hostId")
    image = query.get("image_id") or query.get("imageId")
    return Asked(
        search=text(query.get("search", "")),
        status=_plain(query.get("status", "")),
        source=_plain(query.get("source", "")),
        driver=_plain(query.get("driver", "")),
        stack=text(query.get("stack", "")),
        updates=query.get("updates", "").lower() in _TRUE,
        host_id=(await hosts.head(asked, host)).key if host else None,
        image=(await fleet.image(asked, image)).key if image else None,
        sort=query.get("sort", ""),
        direction="desc" if query.get("order", "") == "desc" else "asc",
        window=Window(query_number(request, "page", 1), query_number(request, "limit", 50, most=_MOST)),
    )


def _plain(given: str) -> str:
    """Return a choice; ``all`` is none, as existing clients say it."""
    return "" if given == "all" else text(given)
