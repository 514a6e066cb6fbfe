"""What stands around every tab of a host."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.hosts import service
from server.hosts.models import Action, HostHead, Tab
from server.web.navigation import host_tabs
from server.web.render import Page
from server.web.routing import call, path_text

_CRUMB: Final = ("Hosts", "/hosts")


@dataclass(frozen=True, slots=True)
class HostPage(Page):
    """The frame of every page about one host: templates/hosts/detail.html."""

    template: ClassVar[str] = "hosts/detail.html"
    title: ClassVar[str] = "Host"
    host: HostHead
    tabs: list[Tab]
    actions: list[Action]


async def framed(request: web.Request, active: str) -> tuple[HostHead, list[Tab], list[Action]]:
    """Return the top of the host in the path, its tabs with this one chosen, and what this person may do."""
    return await service.framed(call(request), path_text(request, "host"), host_tabs(request), active)


def crumbs(head: HostHead) -> tuple[tuple[str, str], ...]:
    """Return the way to the host."""
    return (_CRUMB, (head.name, ""))
