"""The tabs of a host that show its packages and repositories."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.core.paging import Page as Part
from server.core.paging import Window
from server.hosts import service as hosts
from server.hosts.models import Action, HostHead, Tab
from server.packages import service
from server.packages.models import PackageRow, RepositoryRow
from server.packages.pages.opening import may_patch
from server.web.forms import query_number
from server.web.navigation import HostTab, host_tabs
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

HOST_TABS: Final = (
    HostTab("packages", "Packages", 10, "can_view_packages"),
    HostTab("repositories", "Repositories", 20),
)
_ONLY: Final = ("updates", "security")
_SORTS: Final = ("name", "state")


@dataclass(frozen=True, slots=True)
class PackagesPage(Page):
    """templates/hosts/packages.html."""

    template: ClassVar[str] = "hosts/packages.html"
    title: ClassVar[str] = "Packages"
    host: HostHead
    tabs: list[Tab]
    actions: list[Action]
    packages: list[PackageRow]
    page: Part[PackageRow]
    search: str
    only: str
    only_choices: list[tuple[str, str, int | None]]
    sort: str
    direction: str
    can_patch: bool


@dataclass(frozen=True, slots=True)
class RepositoriesPage(Page):
    """templates/hosts/repositories.html."""

    template: ClassVar[str] = "hosts/repositories.html"
    title: ClassVar[str] = "Repositories"
    host: HostHead
    tabs: list[Tab]
    actions: list[Action]
    repositories: list[RepositoryRow]


async def _framed(request: web.Request, active: str) -> tuple[HostHead, list[Tab], list[Action]]:
    return await hosts.framed(call(request), path_text(request, "host"), host_tabs(request), active)


@routes.get("/hosts/{host}/packages")
@gated("can_view_packages")
async def show_packages(request: web.Request) -> web.Response:
    """Show what is installed on a host."""
    head, tabs, actions = await _framed(request, "packages")
    query = request.query
    search = query.get("search", "")[:200].replace("\0", "")
    only = query.get("only", "") if query.get("only") in _ONLY else ""
    sort = query.get("sort", "state") if query.get("sort") in _SORTS else "state"
    direction = "desc" if query.get("direction") == "desc" else "asc"
    window = Window(query_number(request, "page", 1), 50)
    page = await service.list_packages(call(request), head.key, search, only, (sort, direction), window)
    choices = [
        ("", "All", head.packages_total),
        ("updates", "Updates", head.updates),
        ("security", "Security", head.security),
    ]
    shown = PackagesPage(
        host=head,
        tabs=tabs,
        actions=actions,
        packages=page.items,
        page=page,
        search=search,
        only=only,
        only_choices=list(choices),
        sort=sort,
        direction=direction,
        can_patch=may_patch(request) and "windows" not in (head.os_type + head.expected_platform).lower(),
    )
    return render(request, shown, breadcrumbs=(("Hosts", "/hosts"), (head.name, head.url), ("Packages", "")))


@routes.get("/hosts/{host}/repositories")
@gated("can_view_hosts")
async def show_repositories(request: web.Request) -> web.Response:
    """Show where a host gets its packages from."""
    head, tabs, actions = await _framed(request, "repositories")
    found = await service.list_repositories(call(request), head.key)
    page = RepositoriesPage(head, tabs, actions, found)
    return render(request, page, breadcrumbs=(("Hosts", "/hosts"), (head.name, head.url), ("Repositories", "")))
