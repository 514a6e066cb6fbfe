"""The list of hosts."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.core.call import Call
from server.core.paging import Page as Part
from server.hosts import schemas, service
from server.hosts.views import Counts, HostRow, Listed
from server.web.navigation import Entry
from server.web.render import Page, render
from server.web.routing import Routes, call, gated

routes: Final = Routes()

ENTRIES: Final = (Entry("Fleet", "Hosts", "/hosts", "server-2", 10, "can_view_hosts"),)


@dataclass(frozen=True, slots=True)
class HostsPage(Page):
    """templates/hosts/list.html."""

    template: ClassVar[str] = "hosts/list.html"
    title: ClassVar[str] = "Hosts"
    hosts: list[HostRow]
    page: Part[HostRow]
    search: str
    sort: str
    direction: str
    state: str
    states: list[tuple[str, str, int | None]]
    group: str
    chips: list[tuple[str, str]]
    counts: Counts
    can_manage: bool
    can_launch: bool


@routes.get("/hosts")
@gated("can_view_hosts")
async def show_list(request: web.Request) -> web.Response:
    """Show the list."""
    asked, wanted = call(request), schemas.listed(request)
    page = await service.list_hosts(asked, wanted)
    counts = await service.counts(asked)
    actor = asked.actor
    shown = HostsPage(
        hosts=page.items,
        page=page,
        search=wanted.search,
        sort=wanted.sort,
        direction=wanted.direction,
        state=wanted.state,
        states=_states(counts),
        group=wanted.group,
        chips=await _chips(asked, wanted),
        counts=counts,
        can_manage=actor.may("can_manage_hosts"),
        can_launch=actor.may("can_manage_automation") or actor.may("can_manage_patching"),
    )
    return render(request, shown)


def _states(counts: Counts) -> list[tuple[str, str, int | None]]:
    return [
        ("", "All", counts.total),
        ("online", "Connected", counts.online),
        ("offline", "Offline", counts.offline),
        ("updates", "Updates", counts.updates),
        ("security", "Security", counts.security),
        ("reboot", "Reboot", counts.reboot),
    ]


async def _chips(asked: Call, wanted: Listed) -> list[tuple[str, str]]:
    if not wanted.group:
        return []
    names = {str(group["id"]): str(group["name"]) for group in await service.list_groups(asked)}
    return [(f"Group: {names.get(wanted.group, wanted.group)}", "/hosts")]
