"""One container, image, volume or network."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.docker import fleet
from server.docker.pages.frame import CRUMB, VIEW, is_on, may_manage, off
from server.docker.views import Container, Image, Network, Volume
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()


@dataclass(frozen=True, slots=True)
class ContainerPage(Page):
    """templates/docker/container.html."""

    template: ClassVar[str] = "docker/container.html"
    title: ClassVar[str] = "Container"
    container: Container
    can_manage: bool


@dataclass(frozen=True, slots=True)
class ImagePage(Page):
    """templates/docker/image.html."""

    template: ClassVar[str] = "docker/image.html"
    title: ClassVar[str] = "Image"
    image: Image
    can_manage: bool


@dataclass(frozen=True, slots=True)
class VolumePage(Page):
    """templates/docker/volume.html."""

    template: ClassVar[str] = "docker/volume.html"
    title: ClassVar[str] = "Volume"
    volume: Volume
    can_manage: bool


@dataclass(frozen=True, slots=True)
class NetworkPage(Page):
    """templates/docker/network.html."""

    template: ClassVar[str] = "docker/network.html"
    title: ClassVar[str] = "Network"
    network: Network
    can_manage: bool


@routes.get("/docker/containers/{container}")
@gated(VIEW)
async def show_container(request: web.Request) -> web.Response:
    """Show a container, and others on the same image."""
    if not await is_on(request):
        return off(request)
    found = await fleet.container(call(request), path_text(request, "container"))
    crumbs = (CRUMB, ("Containers", "/docker/containers"), (found.row.name, ""))
    return render(request, ContainerPage(found, may_manage(request)), breadcrumbs=crumbs)


@routes.get("/docker/images/{image}")
@gated(VIEW)
async def show_image(request: web.Request) -> web.Response:
    """Show an image: who has it, what runs on it, what is newer."""
    if not await is_on(request):
        return off(request)
    found = await fleet.image(call(request), path_text(request, "image"))
    crumbs = (CRUMB, ("Images", "/docker/images"), (found.row.name, ""))
    return render(request, ImagePage(found, may_manage(request)), breadcrumbs=crumbs)


@routes.get("/docker/volumes/{volume}")
@gated(VIEW)
async def show_volume(request: web.Request) -> web.Response:
    """Show a volume, and what mounts it."""
    if not await is_on(request):
        return off(request)
    found = await fleet.volume(call(request), path_text(request, "volume"))
    crumbs = (CRUMB, ("Volumes", "/docker/volumes"), (found.row.name, ""))
    return render(request, VolumePage(found, may_manage(request)), breadcrumbs=crumbs)


@routes.get("/docker/networks/{network}")
@gated(VIEW)
async def show_network(request: web.Request) -> web.Response:
    """Show a network, and what is attached to it."""
    if not await is_on(request):
        return off(request)
    found = await fleet.network(call(request), path_text(request, "network"))
    crumbs = (CRUMB, ("Networks", "/docker/networks"), (found.row.name, ""))
    return render(request, NetworkPage(found, may_manage(request)), breadcrumbs=crumbs)
