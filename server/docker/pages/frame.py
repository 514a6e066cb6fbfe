"""What stands around the pages of Docker: whether the module is on, who may delete, the tabs."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.docker.views import Dashboard, DockerHostRow
from server.hosts.models import Tab
from server.identity import service as identity
from server.web.render import Page, render
from server.web.routing import call

VIEW: Final = "can_view_hosts"
MODULE: Final = "docker"
#: Either is enough: the narrow one is for exactly this, the other for everything about hosts.
MANAGE: Final = ("can_manage_docker", "can_manage_hosts")
CRUMB: Final = ("Docker", "/docker/stacks")
TITLES: Final = {
    "stacks": "Stacks",
    "containers": "Containers",
    "images": "Images",
    "volumes": "Volumes",
    "networks": "Networks",
    "hosts": "Hosts",
}


@dataclass(frozen=True, slots=True)
class OffPage(Page):
    """templates/docker/off.html."""

    template: ClassVar[str] = "docker/off.html"
    title: ClassVar[str] = "Docker"
    can_switch: bool


async def is_on(request: web.Request) -> bool:
    """Tell whether the module is switched on."""
    return MODULE in await identity.modules(call(request))


def off(request: web.Request) -> web.Response:
    """Show that all of this is switched off."""
    return render(request, OffPage(call(request).actor.may("can_manage_settings")))


def may_manage(request: web.Request) -> bool:
    """Tell whether this person deletes."""
    return any(call(request).actor.may(one) for one in MANAGE)


def fleet_tabs(counts: Dashboard, active: str) -> list[Tab]:
    """Return the tabs over all hosts."""
    numbers = {name: getattr(counts, name) for name in TITLES} | {"hosts": counts.enabled}
    return [Tab(name, title, f"/docker/{name}", name == active, numbers[name]) for name, title in TITLES.items()]


def host_tabs_of(found: DockerHostRow, base: str, active: str) -> list[Tab]:
    """Return what one host's containers are shown under."""
    return [
        Tab(
            f"docker-{name}",
            title,
            base if name == "stacks" else f"{base}/{name}",
            name == active,
            getattr(found, name),
        )
        for name, title in TITLES.items()
        if name != "hosts"
    ]
