"""The list of the fleet's packages."""

from dataclasses import dataclass, replace
from typing import ClassVar, Final

from aiohttp import web
from multidict import MultiDict

from server.core.paging import Window
from server.hosts import service as hosts
from server.lists import service as lists
from server.packages import fleet
from server.packages.pages.opening import NOTHING, can_be_patched, named_host, named_repository, opened
from server.packages.pages.package import launch_form
from server.packages.schemas import STATE_WORDS, asked_of
from server.packages.views import Asked, FleetCounts, PackageLine
from server.web import flash
from server.web.filters import Filter
from server.web.formats import link
from server.web.forms import posted
from server.web.render import Page, render
from server.web.routing import Routes, call, gated
from server.web.tables import Bulk, Column, Listing, Table, listing, selection, settled

routes: Final = Routes()

TABLE: Final = Table(
    name="packages",
    path="/packages",
    noun="package",
    columns=(
        Column("name", "Package", sortable=True, place="title", fixed=True),
        Column("state", "Status", sortable=True, place="state"),
        Column("installs", "Installed on", sortable=True, numeric=True, first="desc"),
        Column("latest", "Latest version", sortable=True),
        Column("sources", "Source repositories", wide_only=True),
        Column("category", "Category", sortable=True, shown=False),
    ),
    filters=(
        Filter("filter", "Update status", "choice", STATE_WORDS),
        Filter("category", "Category", "choice"),
        Filter("host", "Host", hint="The id of one host"),
        Filter("repository", "Repository", hint="The id of one repository"),
    ),
    search="Search packages by name",
    sort="state",
    exports=(("CSV", "/api/v1/packages/export.csv"), ("JSON", "/api/v1/packages/export.json")),
    empty="No package yet. They appear when the first host reports what it has installed.",
    empty_icon="package",
    save_url="/views/new",
    keep_url="/views/keep",
)

#: Packages are chosen while the list is that of one host: elsewhere each of them means other hosts.
_PATCH: Final = (Bulk("Patch selected", "/packages/patch", "package", "primary", permission="can_manage_patching"),)
_MOST_PACKAGES: Final = 500


@dataclass(frozen=True, slots=True)
class PackagesPage(Page):
    """templates/packages/list.html."""

    template: ClassVar[str] = "packages/list.html"
    title: ClassVar[str] = "Packages"
    listing: Listing
    rows: list[PackageLine]
    counts: FleetCounts
    only_host: str
    can_patch: bool


@routes.get("/packages")
@gated("can_view_packages")
async def show(request: web.Request) -> web.Response:
    """Show every package of the fleet once."""
    asked = call(request)
    query = MultiDict(request.query)
    if query.get("filter") == "security-updates":
        query["filter"] = "security"
    categories = [(one, one) for one in await fleet.categories(asked)]
    table = replace(
        TABLE,
        filters=tuple(replace(one, choices=categories) if one.key == "category" else one for one in TABLE.filters),
    )
    table, host_id = await named_host(request, table)
    table, repository_id = await named_repository(request, table)
    patchable = host_id not in {None, NOTHING} and await can_be_patched(request)
    if patchable:
        table = replace(table, bulk=_PATCH)
    wanted = await opened(request, table, query)
    headers = settled(request, wanted)
    page, counts = await fleet.page_of(asked, asked_of(wanted, host_id, repository_id))
    may = asked.actor.may
    shown = PackagesPage(
        listing=listing(wanted, page.total, may=may, views=await lists.links(asked, table.path)),
        rows=page.items,
        counts=counts,
        only_host=wanted.value("host") if patchable else "",
        can_patch=may("can_manage_patching") or may("can_manage_automation"),
    )
    return render(request, shown, status=400 if wanted.complaints else 200, headers=headers)


@routes.post("/packages/patch")
@gated("can_manage_patching")
async def patch(request: web.Request) -> web.Response:
    """Lead to the form that updates the chosen packages of the one host the list was narrowed to."""
    asked = call(request)
    await posted(request)
    form = await request.post()
    shown_list = selection(TABLE, MultiDict({"all": "1", "matching": str(form.get("matching", ""))})).matching
    host = await hosts.head(asked, shown_list.value("host") if shown_list else "")
    chosen = selection(TABLE, form)  # type: ignore[arg-type]
    window = Window(1, _MOST_PACKAGES)
    wanted = Asked(host_id=host.key, state="outdated", window=window)
    if chosen.matching is not None:
        wanted = replace(asked_of(chosen.matching, host.key, None), window=window)
    page, _ = await fleet.page_of(asked, wanted)
    names = [one.name for one in page.items if one.outdated and (chosen.matching or one.id in chosen.ids)]
    answer = web.Response(status=303, headers={"Location": launch_form([host.id], names)})
    if not names:
        answer.headers["Location"] = link("/packages", {"host": host.id})
        flash.say(answer, request, "attention", "None of these packages has an update on this host.")
    return answer
