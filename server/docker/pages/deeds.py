"""What people do on the pages of Docker: deleting on hosts, forgetting records, asking registries again."""

from typing import Final

from aiohttp import web

from server.core.errors import Conflict
from server.docker import deleting, updates
from server.docker.errors import AgentTooOld, NoAnswer
from server.docker.models import Kind
from server.docker.pages.frame import MANAGE, MODULE
from server.web import flash
from server.web.forms import posted
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()


def _answer(request: web.Request, place: str, kind: str, text: str) -> web.Response:
    answer = web.Response(status=303, headers={"Location": place})
    flash.say(answer, request, kind, text)
    return answer


async def _delete(request: web.Request, kind: Kind) -> web.Response:
    asked, uuid = call(request), path_text(request, kind)
    form = await posted(request)
    here = f"/docker/{kind}s/{uuid}"
    try:
        if form.get("forget"):
            gone = await deleting.forget(asked, kind, uuid)
            return _answer(request, f"/docker/{kind}s", "good", f"The record of {gone.name} was removed.")
        what = await deleting.target(asked, kind, uuid, str(form.get("host", "")))
        await deleting.delete(asked, what)
    except (Conflict, NoAnswer) as refused:
        more = " Its page can forget the record." if isinstance(refused, AgentTooOld) else ""
        return _answer(request, here, "bad", f"{refused}{more}")
    return _answer(request, f"/docker/{kind}s", "good", f"{what.name} was deleted from {what.host_name}.")


@routes.post("/docker/containers/{container}/delete")
@gated(*MANAGE, module=MODULE)
async def delete_container(request: web.Request) -> web.Response:
    """Have a container deleted on its host."""
    return await _delete(request, "container")


@routes.post("/docker/images/{image}/delete")
@gated(*MANAGE, module=MODULE)
async def delete_image(request: web.Request) -> web.Response:
    """Have an image deleted on one host."""
    return await _delete(request, "image")


@routes.post("/docker/volumes/{volume}/delete")
@gated(*MANAGE, module=MODULE)
async def delete_volume(request: web.Request) -> web.Response:
    """Have a volume deleted on its host."""
    return await _delete(request, "volume")


@routes.post("/docker/networks/{network}/delete")
@gated(*MANAGE, module=MODULE)
async def delete_network(request: web.Request) -> web.Response:
    """Have a network deleted on its host."""
    return await _delete(request, "network")


@routes.post("/docker/images/{image}/check")
@gated(*MANAGE, module=MODULE)
async def check_image(request: web.Request) -> web.Response:
    """Have the registry asked again."""
    uuid = path_text(request, "image")
    await updates.ask_again(call(request), uuid)
    return _answer(request, f"/docker/images/{uuid}", "good", "The registry is asked. Look again in a moment.")
