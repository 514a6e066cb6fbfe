"""What one host has: a tab of its page, and the same under Docker."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from aiohttp import web

from server.docker import fleet
from server.docker.errors import DockerHostMissing
from server.docker.pages.frame import CRUMB, TITLES, VIEW, host_tabs_of, is_on, may_manage, off
from server.docker.pages.tables import TABLES, found
from server.docker.views import DockerHostRow
from server.hosts import service as hosts
from server.hosts.models import Action, HostHead, Tab
from server.web.navigation import HostTab, host_tabs
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Listing, listing, parse, settled

routes: Final = Routes()
#: The pages of a host show it once the host has reported Docker (``hosts.service.framed``).
HOST_TABS: Final = (HostTab("docker", "Docker", 30),)
_KINDS: Final = tuple(name for name in TITLES if name != "hosts")


@dataclass(frozen=True, slots=True)
class HostDockerPage(Page):
    """templates/docker/host.html; without the module ``listing`` is ``None``."""

    template: ClassVar[str] = "docker/host.html"
    title: ClassVar[str] = "Docker"
    host: HostHead
    tabs: list[Tab]
    actions: list[Action]
    engine: DockerHostRow
    tab: str
    kinds: list[Tab]
    listing: Listing | None
    rows: list[Any]
    can_manage: bool
    can_switch: bool


@dataclass(frozen=True, slots=True)
class DockerHostPage(Page):
    """templates/docker/host_view.html: the same for who comes from the other side."""

    template: ClassVar[str] = "docker/host_view.html"
    title: ClassVar[str] = "Docker"
    engine: DockerHostRow
    tab: str
    kinds: list[Tab]
    listing: Listing
    rows: list[Any]
    can_manage: bool


@routes.get("/hosts/{host}/docker")
@routes.get("/hosts/{host}/docker/{kind:containers|images|volumes|networks}")
@gated(VIEW)
async def show_tab(request: web.Request) -> web.Response:
    """Show what a host has, as a tab of its page."""
    asked = call(request)
    head, tabs, actions = await hosts.framed(asked, path_text(request, "host"), host_tabs(request), "docker")
    if not any(tab.active for tab in tabs):
        raise DockerHostMissing
    engine = await fleet.host(asked, head.id)
    kind = request.match_info.get("kind", "stacks")
    on = await is_on(request)
    view, rows, headers = await _listed(request, f"{head.url}/docker", kind, head.key) if on else (None, [], {})
    page = HostDockerPage(
        host=head,
        tabs=tabs,
        actions=actions,
        engine=engine,
        tab=kind,
        kinds=host_tabs_of(engine, f"{head.url}/docker", kind),
        listing=view,
        rows=rows,
        can_manage=may_manage(request),
        can_switch=asked.actor.may("can_manage_settings"),
    )
    crumbs = (("Hosts", "/hosts"), (head.name, head.url), ("Docker", ""))
    return render(request, page, headers=headers, breadcrumbs=crumbs)


@routes.get("/docker/hosts/{host}")
@routes.get("/docker/hosts/{host}/{kind:containers|images|volumes|networks}")
@gated(VIEW)
async def show_host(request: web.Request) -> web.Response:
    """Show what a host has."""
    if not await is_on(request):
        return off(request)
    asked = call(request)
    engine = await fleet.host(asked, path_text(request, "host"))
    key = (await hosts.head(asked, engine.id)).key
    kind = request.match_info.get("kind", "stacks")
    view, rows, headers = await _listed(request, engine.url, kind, key)
    tabs = host_tabs_of(engine, engine.url, kind)
    page = DockerHostPage(engine, kind, tabs, view, rows, may_manage(request))
    crumbs = (CRUMB, ("Hosts", "/docker/hosts"), (engine.name, ""))
    return render(request, page, headers=headers, breadcrumbs=crumbs)


async def _listed(
    request: web.Request, base: str, kind: str, host_key: int
) -> tuple[Listing, list[Any], dict[str, str]]:
    """Return the list of one kind, without what is the same in each of its rows."""
    usual = TABLES[kind]
    table = replace(
        usual,
        name=f"host-{usual.name}",
        path=base if kind == "stacks" else f"{base}/{kind}",
        columns=tuple(one for one in usual.columns if one.key not in {"host", "hosts"}),
        filters=tuple(one for one in usual.filters if one.key not in {"host", "driver"}),
        search="Search",
        empty=f"This host has no {kind}.",
    )
    wanted = parse(table, request.query)
    headers = settled(request, wanted)
    page = await found(request, kind, wanted, host_key)
    return listing(wanted, page.total, may=call(request).actor.may), page.items, headers
