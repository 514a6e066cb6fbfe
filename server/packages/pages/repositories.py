"""The list of repositories."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.lists import service as lists
from server.packages import sources
from server.packages.pages.opening import named_host, opened
from server.packages.schemas import repositories_of
from server.packages.views import Repository, RepositoryCounts
from server.web.filters import Filter
from server.web.render import Page, render
from server.web.routing import Routes, call, gated
from server.web.tables import Column, Listing, Table, listing, settled

routes: Final = Routes()

TABLE: Final = Table(
    name="repositories",
    path="/repositories",
    noun="repository",
    columns=(
        Column("name", "Repository", sortable=True, place="title", fixed=True),
        Column("url", "URL", sortable=True),
        Column("distribution", "Distribution", sortable=True),
        Column("security", "Security", sortable=True),
        Column("state", "Status", sortable=True, place="state"),
        Column("hosts", "Hosts", sortable=True, numeric=True, first="desc"),
        Column("actions", "Actions"),
    ),
    filters=(
        Filter("security", "Security", "choice", (("secure", "HTTPS only"), ("insecure", "HTTP only"))),
        Filter("status", "Status", "choice", (("active", "Active only"), ("inactive", "Inactive only"))),
        Filter("host", "Host", hint="The id of one host"),
    ),
    search="Search by name or URL",
    sort="name",
    exports=(("CSV", "/api/v1/repositories/export.csv"), ("JSON", "/api/v1/repositories/export.json")),
    empty="No repository yet. They appear when the first host reports where its packages come from.",
    empty_icon="stack-2",
    save_url="/views/new",
    keep_url="/views/keep",
)


@dataclass(frozen=True, slots=True)
class RepositoriesPage(Page):
    """templates/repositories/list.html."""

    template: ClassVar[str] = "repositories/list.html"
    title: ClassVar[str] = "Repositories"
    listing: Listing
    rows: list[Repository]
    counts: RepositoryCounts
    can_manage: bool


@routes.get("/repositories")
@gated("can_view_hosts")
async def show(request: web.Request) -> web.Response:
    """Show where the fleet gets its packages from."""
    asked = call(request)
    table, host_id = await named_host(request, TABLE)
    wanted = await opened(request, table)
    headers = settled(request, wanted)
    page = await sources.page_of(asked, repositories_of(wanted, host_id))
    shown = RepositoriesPage(
        listing=listing(wanted, page.total, may=asked.actor.may, views=await lists.links(asked, table.path)),
        rows=page.items,
        counts=await sources.counts(asked, host_id),
        can_manage=may_manage(request),
    )
    return render(request, shown, status=400 if wanted.complaints else 200, headers=headers)


def may_manage(request: web.Request) -> bool:
    """Tell whether the asker may change records, which are everybody's."""
    actor = call(request).actor
    return actor.may("can_manage_hosts") and actor.scope is None
