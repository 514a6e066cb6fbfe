"""One package: who has it, why it is outdated there, and what happened to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from aiohttp import web

from server.core.errors import Invalid
from server.core.ids import is_uuid
from server.core.paging import Page as Part
from server.core.paging import Window
from server.hosts.models import Tab
from server.packages import fleet
from server.packages.errors import PackageShared
from server.packages.pages.opening import may_patch, opened
from server.packages.schemas import PackageBody
from server.packages.views import PackageHead, PackageHost, Passed
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.filters import Filter
from server.web.formats import link
from server.web.forms import form_values, posted
from server.web.forms import parse as parse_body
from server.web.happened import PACKAGE_DEEDS, Deed
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Bulk, Column, Listing, Table, Wanted, listing, parse, selection, settled

routes: Final = Routes()

HOSTS: Final = Table(
    name="package-hosts",
    path="/packages/{package}",
    noun="host",
    columns=(
        Column("name", "Host", sortable=True, place="title", fixed=True),
        Column("state", "Status", sortable=True, place="state", first="desc"),
        Column("installed", "Installed", sortable=True),
        Column("available", "Available"),
        Column("source", "Offered by"),
        Column("since", "Waiting since", sortable=True),
        Column("os", "System", shown=False),
        Column("seen", "Last report", sortable=True, first="desc", wide_only=True),
    ),
    filters=(Filter("all", "Up-to-date hosts too", "flag"),),
    search="Search hosts",
    sort="name",
    empty="No host needs an update of this package.",
    empty_icon="circle-check",
    keep_url="/views/keep",
)
ACTIVITY: Final = Table(
    name="package-activity",
    path="/packages/{package}/activity",
    noun="change",
    columns=(
        Column("at", "When", fixed=True),
        Column("host", "Host", place="title", fixed=True),
        Column("kind", "What", place="state"),
        Column("before", "Before"),
        Column("after", "After"),
    ),
    empty="Nothing has happened to this package since its hosts began to report.",
    empty_icon="history",
)
_MOST_HOSTS: Final = 1000
_ADDRESS_HOSTS: Final = 100


@dataclass(frozen=True, slots=True)
class PackagePage(Page):
    """templates/packages/hosts.html."""

    template: ClassVar[str] = "packages/hosts.html"
    title: ClassVar[str] = "Package"
    package: PackageHead
    tabs: list[Tab]
    listing: Listing
    rows: list[PackageHost]
    can_patch: bool


@dataclass(frozen=True, slots=True)
class ActivityPage(Page):
    """templates/packages/activity.html."""

    template: ClassVar[str] = "packages/activity.html"
    title: ClassVar[str] = "Package"
    package: PackageHead
    tabs: list[Tab]
    listing: Listing
    rows: list[Passed]
    deeds: Sequence[Deed]
    can_patch: bool


@dataclass(frozen=True, slots=True)
class EditPage(Page):
    """templates/packages/edit.html."""

    template: ClassVar[str] = "packages/edit.html"
    title: ClassVar[str] = "Package"
    package: PackageHead
    tabs: list[Tab]
    can_patch: bool
    fields: list[Field]
    complaints: Sequence[tuple[str, str] | str]


@routes.get("/packages/{package}")
@gated("can_view_packages")
async def show(request: web.Request) -> web.Response:
    """Show a package and its hosts, those with an update unless all are asked for."""
    asked = call(request)
    package = await fleet.head(asked, path_text(request, "package"))
    wanted = await opened(request, _hosts_table(package))
    headers = settled(request, wanted)
    page = await _hosts(request, package, wanted)
    shown = PackagePage(
        package=package,
        tabs=_tabs(request, package, "hosts"),
        listing=listing(wanted, page.total, may=asked.actor.may),
        rows=page.items,
        can_patch=may_patch(request),
    )
    return render(request, shown, headers=headers, breadcrumbs=(("Packages", "/packages"), (package.name, "")))


def _hosts_table(package: PackageHead) -> Table:
    bulk = (Bulk("Patch selected", f"{package.url}/patch", "package", "primary", permission="can_manage_patching"),)
    action = ("Show its hosts", f"{package.url}?all=1") if package.installs else None
    return replace(HOSTS, path=package.url, bulk=bulk if package.outdated else (), empty_action=action)


async def _hosts(request: web.Request, package: PackageHead, wanted: Wanted) -> Part[PackageHost]:
    order = (wanted.sort, wanted.direction)
    return await fleet.hosts_of(
        call(request), package, wanted.search, order, wanted.window, pending=not wanted.value("all")
    )


@routes.post("/packages/{package}/patch")
@gated("can_manage_patching")
async def patch(request: web.Request) -> web.Response:
    """Lead to the wizard for this package on the chosen hosts."""
    asked = call(request)
    await posted(request)
    package = await fleet.head(asked, path_text(request, "package"))
    chosen = selection(_hosts_table(package), await request.post())  # type: ignore[arg-type]
    ids = [one for one in chosen.ids if is_uuid(one)][:_MOST_HOSTS]
    if chosen.matching is not None:
        wanted = replace(chosen.matching, window=Window(1, _MOST_HOSTS))
        ids = [host.id for host in (await _hosts(request, package, wanted)).items]
    found = await fleet.patchable(asked, package.key, ids)
    # Where they do not fit into the address all are ticked, and can be unticked there.
    here = wizard(found, [package.name]) if len(found) <= _ADDRESS_HOSTS else wizard((), [package.name], all=True)
    answer = web.Response(status=303, headers={"Location": here})
    if not found:
        answer.headers["Location"] = package.url
        flash.say(answer, request, "attention", "None of these hosts has an update that can be installed from here.")
    return answer


def wizard(host_ids: Sequence[str], names: Sequence[str], **more: bool) -> str:
    """Return the address of the wizard for these packages; without hosts it asks for them."""
    chosen = {"type": "patch_package", "package": list(names), "host": list(host_ids)}
    return link("/patching/new", chosen, **({"pick": True, **more} if more else {}))


@routes.get("/packages/{package}/activity")
@gated("can_view_packages")
async def show_activity(request: web.Request) -> web.Response:
    """Show what happened to a package, newest first."""
    asked = call(request)
    package = await fleet.head(asked, path_text(request, "package"))
    wanted = parse(replace(ACTIVITY, path=f"{package.url}/activity"), request.query)
    headers = settled(request, wanted)
    total = await fleet.count_activity(asked, package.key)
    shown = ActivityPage(
        package=package,
        tabs=_tabs(request, package, "activity"),
        listing=listing(wanted, total, may=asked.actor.may, capped=total >= fleet.ACTIVITY_MOST),
        rows=await fleet.activity_of(asked, package.key, wanted.window.size, wanted.window.offset),
        deeds=await _deeds(request, package) if wanted.window.page == 1 else (),
        can_patch=may_patch(request),
    )
    return render(request, shown, headers=headers, breadcrumbs=(("Packages", "/packages"), (package.name, "")))


@routes.get("/packages/{package}/edit")
@gated("can_manage_packages")
async def edit_form(request: web.Request) -> web.Response:
    """Show the form that changes what is said of a package."""
    package = await fleet.head(call(request), path_text(request, "package"))
    if call(request).actor.scope is not None:
        raise PackageShared
    return _edit_page(request, package, _fields(package), ())


@routes.post("/packages/{package}/edit")
@gated("can_manage_packages")
async def edit(request: web.Request) -> web.Response:
    """Change what is said of a package."""
    asked = call(request)
    package = await fleet.head(asked, path_text(request, "package"))
    # An empty field is left out of a form: then nothing is said.
    values = {"description": "", "category": "", **await form_values(request)}
    try:
        changed = await fleet.say(asked, str(package.key), parse_body(PackageBody, values).words())
    except Invalid as refused:
        fields = filled(_fields(package), values, refused.complaints)
        return _edit_page(request, package, fields, complained(fields, refused.complaints), status=400)
    answer = web.Response(status=303, headers={"Location": changed.url})
    flash.say(answer, request, "good", f"What is said of {changed.name} was changed.")
    return answer


def _edit_page(
    request: web.Request,
    package: PackageHead,
    fields: list[Field],
    complaints: Sequence[tuple[str, str] | str],
    status: int = 200,
) -> web.Response:
    page = EditPage(package, _tabs(request, package, "edit"), may_patch(request), fields, complaints)
    return render(request, page, status=status, breadcrumbs=(("Packages", "/packages"), (package.name, "")))


def _fields(package: PackageHead) -> list[Field]:
    return [
        Field(
            "category",
            "Category",
            value=package.category,
            required=False,
            help="Reports fill it in where it is empty, and leave it alone otherwise.",
        ),
        Field("description", "Description", "area", package.description, required=False),
    ]


async def _deeds(request: web.Request, package: PackageHead) -> Sequence[Deed]:
    reader = request.config_dict.get(PACKAGE_DEEDS)
    may = call(request).actor.may("can_view_hosts")
    return await reader(call(request), package.name) if reader is not None and may else ()


def _tabs(request: web.Request, package: PackageHead, active: str) -> list[Tab]:
    tabs = [
        Tab("hosts", "Hosts", package.url, active == "hosts", package.installs),
        Tab("activity", "Activity", f"{package.url}/activity", active == "activity", None),
    ]
    actor = call(request).actor
    if actor.may("can_manage_packages") and actor.scope is None:
        tabs.append(Tab("edit", "Edit", f"{package.url}/edit", active == "edit", None))
    return tabs
