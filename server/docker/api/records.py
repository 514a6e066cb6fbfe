"""One container, image, volume, network or host, for people's programs; and taking them away."""

from typing import Final

from aiohttp import web

from server.core.paging import Window
from server.docker import deleting, fleet, showing, updates
from server.docker.api.lists import MODULE, VIEW
from server.docker.errors import NoAnswer
from server.docker.models import Kind
from server.docker.views import Asked
from server.hosts import service as hosts
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()
#: Either is enough: the narrow one is for exactly this, the other for everything about hosts.
MANAGE: Final = ("can_manage_docker", "can_manage_hosts")
_ALL: Final = Window(1, 1000)


@routes.get("/api/v1/docker/containers/{container}")
@gated(VIEW, module=MODULE)
async def show_container(request: web.Request) -> web.Response:
    """Answer everything about a container, and others on the same image."""
    found = await fleet.container(call(request), path_text(request, "container"))
    similar = [showing.container(one) for one in found.similar]
    return json_answer({"container": showing.container_in_full(found), "similarContainers": similar})


@routes.get("/api/v1/docker/images/{image}")
@gated(VIEW, module=MODULE)
async def show_image(request: web.Request) -> web.Response:
    """Answer everything about an image, with (the first of) its hosts and containers."""
    found = await fleet.image(call(request), path_text(request, "image"))
    return json_answer(
        {
            "image": showing.image_in_full(found),
            "hosts": [showing.image_host(one) for one in found.hosts],
            "containers": [showing.container(one) for one in found.containers],
            "updates": showing.updates(found),
            "totalContainers": found.row.containers,
            "totalHosts": found.row.hosts,
        }
    )


@routes.get("/api/v1/docker/volumes/{volume}")
@gated(VIEW, module=MODULE)
async def show_volume(request: web.Request) -> web.Response:
    """Answer everything about a volume, and the containers that mount it."""
    found = await fleet.volume(call(request), path_text(request, "volume"))
    users = [showing.container(one) for one in found.containers]
    mark = showing.host_mark(found.row.host)
    return json_answer({"volume": showing.volume_in_full(found), "hosts": [mark], "containers": users})


@routes.get("/api/v1/docker/networks/{network}")
@gated(VIEW, module=MODULE)
async def show_network(request: web.Request) -> web.Response:
    """Answer everything about a network, and the containers that are attached to it."""
    found = await fleet.network(call(request), path_text(request, "network"))
    users = [showing.container(one) for one in found.containers]
    mark = showing.host_mark(found.row.host)
    return json_answer({"network": showing.network_in_full(found), "hosts": [mark], "containers": users})


@routes.get("/api/v1/docker/hosts/{host}")
@gated(VIEW, module=MODULE)
async def show_host(request: web.Request) -> web.Response:
    """Answer everything a host has; the first thousand of each."""
    asked = call(request)
    found = await fleet.host(asked, path_text(request, "host"))
    wanted = Asked(host_id=(await hosts.head(asked, found.id)).key, window=_ALL)
    return json_answer(
        {
            "host": showing.host(found),
            "stats": showing.counts(found),
            "stacks": [showing.stack(one) for one in (await fleet.stacks(asked, wanted)).items],
            "containers": [showing.container(one) for one in (await fleet.containers(asked, wanted)).items],
            "images": [showing.image(one) for one in (await fleet.images(asked, wanted)).items],
            "volumes": [showing.volume(one) for one in (await fleet.volumes(asked, wanted)).items],
            "networks": [showing.network(one) for one in (await fleet.networks(asked, wanted)).items],
        }
    )


async def _delete(request: web.Request, kind: Kind) -> web.Response:
    asked = call(request)
    uuid = path_text(request, kind)
    if request.query.get("forget", "").lower() in {"1", "true"}:
        gone = await deleting.forget(asked, kind, uuid)
        return json_answer({"success": True, "message": f"The record of {gone.name} was removed", "forgotten": True})
    what = await deleting.target(asked, kind, uuid, request.query.get("host_id", ""))
    try:
        await deleting.delete(asked, what)
    except NoAnswer as late:
        return json_answer({"error": str(late)}, status=504)
    return json_answer({"success": True, "message": f"{what.name} was deleted from {what.host_name}"})


@routes.delete("/api/v1/docker/containers/{container}")
@documented(query=("forget",))
@gated(*MANAGE, module=MODULE)
async def delete_container(request: web.Request) -> web.Response:
    """Have a container deleted on its host; ``forget=true`` only takes its record away."""
    return await _delete(request, "container")


@routes.delete("/api/v1/docker/images/{image}")
@documented(query=("forget", "host_id"))
@gated(*MANAGE, module=MODULE)
async def delete_image(request: web.Request) -> web.Response:
    """Have an image deleted on one host (``host_id``, where several have it); ``forget=true`` takes its record away."""
    return await _delete(request, "image")


@routes.delete("/api/v1/docker/volumes/{volume}")
@documented(query=("forget",))
@gated(*MANAGE, module=MODULE)
async def delete_volume(request: web.Request) -> web.Response:
    """Have a volume deleted on its host; ``forget=true`` only takes its record away."""
    return await _delete(request, "volume")


@routes.delete("/api/v1/docker/networks/{network}")
@documented(query=("forget",))
@gated(*MANAGE, module=MODULE)
async def delete_network(request: web.Request) -> web.Response:
    """Have a network deleted on its host; ``forget=true`` only takes its record away."""
    return await _delete(request, "network")


@routes.post("/api/v1/docker/images/{image}/check")
@gated(*MANAGE, module=MODULE)
async def check_image(request: web.Request) -> web.Response:
    """Have the registry asked about an image now."""
    await updates.ask_again(call(request), path_text(request, "image"))
    return json_answer({"success": True, "message": "The registry is asked again"})
