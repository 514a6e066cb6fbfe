"""The pages over all hosts: numbers above, six tabs below."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.docker import fleet
from server.docker.pages.frame import TITLES, VIEW, fleet_tabs, is_on, may_manage, off
from server.docker.pages.tables import described, found
from server.docker.views import TABS, Dashboard
from server.hosts.models import Tab
from server.web.formats import link
from server.web.render import Page, fragment, render
from server.web.routing import Routes, call, gated
from server.web.tables import Listing, listing, parse, settled

routes: Final = Routes()


@dataclass(frozen=True, slots=True)
class FleetPage(Page):
    """templates/docker/list.html; ``tab`` says what the rows are."""

    template: ClassVar[str] = "docker/list.html"
    title: ClassVar[str] = "Docker"
    tab: str
    tabs: list[Tab]
    listing: Listing
    rows: list[Any]
    counts: Dashboard
    can_manage: bool


@routes.get("/docker")
@gated(VIEW)
async def open_tab(request: web.Request) -> web.Response:
    """Lead to the tab that ``tab`` names, with whatever else is asked of it; stacks are first."""
    query = dict(request.query)
    tab = query.pop("tab", "")
    raise web.HTTPSeeOther(link(f"/docker/{tab if tab in TABS else 'stacks'}", query))


@routes.get("/docker/cards")
@gated(VIEW, module="docker")
async def cards(request: web.Request) -> web.Response:
    """Send the numbers above the tabs; an open page asks for them now and then."""
    counts = await fleet.dashboard(call(request))
    return web.Response(text=fragment(request, "docker/_cards.html", counts=counts), content_type="text/html")


async def _show(request: web.Request, tab: str) -> web.Response:
    if not await is_on(request):
        return off(request)
    table, host_key = await described(request, tab)
    wanted = parse(table, request.query)
    headers = settled(request, wanted)
    page = await found(request, tab, wanted, host_key)
    counts = await fleet.dashboard(call(request))
    shown = FleetPage(
        tab=tab,
        tabs=fleet_tabs(counts, tab),
        listing=listing(wanted, page.total, may=call(request).actor.may),
        rows=page.items,
        counts=counts,
        can_manage=may_manage(request),
    )
    crumbs = (("Docker", "/docker/stacks"), (TITLES[tab], ""))
    return render(request, shown, status=400 if wanted.complaints else 200, headers=headers, breadcrumbs=crumbs)


@routes.get("/docker/stacks")
@gated(VIEW)
async def show_stacks(request: web.Request) -> web.Response:
    """Show containers that belong together, host by host."""
    return await _show(request, "stacks")


@routes.get("/docker/containers")
@gated(VIEW)
async def show_containers(request: web.Request) -> web.Response:
    """Show every container of the fleet."""
    return await _show(request, "containers")


@routes.get("/docker/images")
@gated(VIEW)
async def show_images(request: web.Request) -> web.Response:
    """Show every image of the fleet once."""
    return await _show(request, "images")


@routes.get("/docker/volumes")
@gated(VIEW)
async def show_volumes(request: web.Request) -> web.Response:
    """Show every volume of the fleet."""
    return await _show(request, "volumes")


@routes.get("/docker/networks")
@gated(VIEW)
async def show_networks(request: web.Request) -> web.Response:
    """Show every network of the fleet."""
    return await _show(request, "networks")


@routes.get("/docker/hosts")
@gated(VIEW)
async def show_hosts(request: web.Request) -> web.Response:
    """Show the hosts that have Docker switched on."""
    return await _show(request, "hosts")
