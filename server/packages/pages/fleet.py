"""The list of the fleet's packages."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from aiohttp import web
from multidict import MultiDict

from server.core.paging import Window
from server.hosts import service as hosts
from server.lists import service as lists
from server.packages import fleet
from server.packages.pages.opening import NOTHING, can_be_patched, may_patch, named_host, named_repository, opened
from server.packages.pages.package import wizard
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

#: On the list of one host they are patched there, else on the hosts that are chosen among those that need them.
_PATCH: Final = (Bulk("Patch selected", "/packages/patch", "package", "primary", permission="can_manage_patching"),)
#: So many fit into the address of the wizard.
_MOST_PACKAGES: Final = 150


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
    if patchable or host_id is None:
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
        can_patch=may_patch(request),
    )
    return render(request, shown, status=400 if wanted.complaints else 200, headers=headers)


@routes.post("/packages/patch")
@gated("can_manage_patching")
async def patch(request: web.Request) -> web.Response:
    """Lead to the wizard for the chosen packages; on the list of one host it is for that host."""
    asked = call(request)
    await posted(request)
    form = await request.post()
    shown_list = selection(TABLE, MultiDict({"all": "1", "matching": str(form.get("matching", ""))})).matching
    uuid = shown_list.value("host") if shown_list else ""
    host = await hosts.head(asked, uuid) if uuid else None
    key = host.key if host is not None else None
    chosen = selection(TABLE, form)  # type: ignore[arg-type]
    window = Window(1, _MOST_PACKAGES)
    wanted = Asked(host_id=key, state="outdated", window=window)
    if chosen.matching is not None:
        wanted = replace(asked_of(chosen.matching, key, None), window=window)
    elif host is None:
        return await _patch_anywhere(request, chosen.ids)
    page, _ = await fleet.page_of(asked, wanted)
    names = [one.name for one in page.items if one.outdated and (chosen.matching or one.id in chosen.ids)]
    return _to_wizard(request, names, uuid, more=bool(chosen.matching) and page.total > len(page.items))


async def _patch_anywhere(request: web.Request, ids: Sequence[str]) -> web.Response:
    found = [await fleet.head(call(request), one) for one in ids[:_MOST_PACKAGES]]
    names = [one.name for one in found if one.outdated]
    return _to_wizard(request, names, "", more=len(ids) > len(found))


def _to_wizard(request: web.Request, names: Sequence[str], host: str, *, more: bool) -> web.Response:
    answer = web.Response(status=303, headers={"Location": wizard([host] if host else [], names)})
    if not names:
        answer.headers["Location"] = link("/packages", {"host": host})
        where = "on this host" if host else "on any host"
        flash.say(answer, request, "attention", f"None of these packages has an update {where}.")
    elif more:
        flash.say(answer, request, "attention", f"The first {len(names)} of these packages were taken.")
    return answer
