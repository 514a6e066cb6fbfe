"""One repository: its record, who uses it and what comes from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from aiohttp import web

from server.core.errors import Invalid
from server.hosts.models import Tab
from server.packages import sources
from server.packages.errors import WholeFleetNeeded
from server.packages.pages.opening import opened
from server.packages.pages.repositories import may_manage
from server.packages.schemas import RepositoryBody, asked_of
from server.packages.views import PackageLine, Repository, RepositoryHost
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.forms import form_values, parse
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Column, Listing, Table, listing, settled

routes: Final = Routes()

HOSTS: Final = Table(
    name="repository-hosts",
    path="/repositories/{repository}",
    noun="host",
    columns=(
        Column("name", "Host", place="title", fixed=True),
        Column("ip", "Address"),
        Column("os", "System"),
        Column("enabled", "On this host", place="state"),
        Column("seen", "Last reported"),
    ),
    search="Search hosts by name or address",
    empty="No host uses this repository any more. Its record is kept.",
    empty_icon="server-2",
)
PACKAGES: Final = Table(
    name="repository-packages",
    path="/repositories/{repository}/packages",
    noun="package",
    columns=(
        Column("name", "Package", sortable=True, place="title", fixed=True),
        Column("state", "Status", sortable=True, place="state"),
        Column("installs", "Installed on", sortable=True, numeric=True, first="desc"),
        Column("latest", "Latest version"),
    ),
    search="Search packages by name",
    sort="state",
    empty="No package that a host reported comes from this repository.",
    empty_icon="package",
)


@dataclass(frozen=True, slots=True)
class HostsPage(Page):
    """templates/repositories/hosts.html."""

    template: ClassVar[str] = "repositories/hosts.html"
    title: ClassVar[str] = "Repository"
    repository: Repository
    tabs: list[Tab]
    can_manage: bool
    listing: Listing
    rows: list[RepositoryHost]


@dataclass(frozen=True, slots=True)
class PackagesPage(Page):
    """templates/repositories/packages.html."""

    template: ClassVar[str] = "repositories/packages.html"
    title: ClassVar[str] = "Repository"
    repository: Repository
    tabs: list[Tab]
    can_manage: bool
    listing: Listing
    rows: list[PackageLine]


@dataclass(frozen=True, slots=True)
class EditPage(Page):
    """templates/repositories/edit.html."""

    template: ClassVar[str] = "repositories/edit.html"
    title: ClassVar[str] = "Repository"
    repository: Repository
    tabs: list[Tab]
    can_manage: bool
    fields: list[Field]
    complaints: Sequence[tuple[str, str] | str]


@routes.get("/repositories/{repository}")
@gated("can_view_hosts")
async def show(request: web.Request) -> web.Response:
    """Show a repository and the hosts that use it."""
    asked = call(request)
    found = await sources.find(asked, path_text(request, "repository"))
    wanted = await opened(request, replace(HOSTS, path=found.page))
    headers = settled(request, wanted)
    page = await sources.hosts_of(asked, found.key, wanted.search, wanted.window)
    shown = HostsPage(
        repository=found,
        tabs=_tabs(request, found, "hosts"),
        can_manage=may_manage(request),
        listing=listing(wanted, page.total, may=asked.actor.may),
        rows=page.items,
    )
    return render(request, shown, headers=headers, breadcrumbs=_path(found))


@routes.get("/repositories/{repository}/packages")
@gated("can_view_hosts")
async def show_packages(request: web.Request) -> web.Response:
    """Show what comes from a repository."""
    asked = call(request)
    found = await sources.find(asked, path_text(request, "repository"))
    wanted = await opened(request, replace(PACKAGES, path=f"{found.page}/packages"))
    headers = settled(request, wanted)
    page = await sources.packages_of(asked, found.key, asked_of(wanted, None, found.key))
    shown = PackagesPage(
        repository=found,
        tabs=_tabs(request, found, "packages"),
        can_manage=may_manage(request),
        listing=listing(wanted, page.total, may=asked.actor.may),
        rows=page.items,
    )
    return render(request, shown, headers=headers, breadcrumbs=_path(found))


@routes.get("/repositories/{repository}/edit")
@gated("can_manage_hosts")
async def edit_form(request: web.Request) -> web.Response:
    """Show the form that changes the record."""
    found = await sources.find(call(request), path_text(request, "repository"))
    if not may_manage(request):
        raise WholeFleetNeeded
    return _edit_page(request, found, _fields(found), ())


@routes.post("/repositories/{repository}/edit")
@gated("can_manage_hosts")
async def edit(request: web.Request) -> web.Response:
    """Change the record."""
    asked = call(request)
    found = await sources.find(asked, path_text(request, "repository"))
    # A box comes with a hidden "false" before it.
    values = {
        name: value[-1] if isinstance(value, list) and value else value
        for name, value in (await form_values(request)).items()
    }
    try:
        # An empty field is left out of a form: it means no priority, no description.
        body = parse(RepositoryBody, {"name": "", "description": "", "priority": None, **values})
        changed = await sources.edit(asked, found.id, body.edit())
    except Invalid as refused:
        said = refused.complaints or {"name": str(refused)}
        fields = filled(_fields(found), values, said)
        return _edit_page(request, found, fields, complained(fields, said), status=400)
    answer = web.Response(status=303, headers={"Location": changed.page})
    flash.say(answer, request, "good", f"{changed.label} was changed.")
    return answer


@routes.post("/repositories/{repository}/delete")
@gated("can_manage_hosts")
async def delete(request: web.Request) -> web.Response:
    """Delete the record."""
    gone = await sources.delete(call(request), path_text(request, "repository"))
    answer = web.Response(status=303, headers={"Location": "/repositories"})
    flash.say(answer, request, "good", f"The record of {gone.label} was deleted.")
    return answer


def _edit_page(
    request: web.Request,
    found: Repository,
    fields: list[Field],
    complaints: Sequence[tuple[str, str] | str],
    status: int = 200,
) -> web.Response:
    page = EditPage(found, _tabs(request, found, "edit"), may_manage(request), fields, complaints)
    return render(request, page, status=status, breadcrumbs=_path(found))


def _fields(found: Repository) -> list[Field]:
    return [
        Field("name", "Name", value=found.label),
        Field("description", "Description", "area", found.description, required=False),
        Field(
            "is_active",
            "Active",
            "boolean",
            value=not found.switched_off,
            help="It counts as active while this is on and at least one host has it enabled.",
        ),
        Field(
            "priority",
            "Priority",
            "number",
            found.priority,
            required=False,
            help="For your own order; what hosts prefer stays as it is.",
        ),
    ]


def _path(found: Repository) -> tuple[tuple[str, str], ...]:
    return (("Repositories", "/repositories"), (found.label, ""))


def _tabs(request: web.Request, found: Repository, active: str) -> list[Tab]:
    tabs = [
        Tab("hosts", "Hosts", found.page, active == "hosts", found.hosts),
        Tab("packages", "Packages", f"{found.page}/packages", active == "packages", None),
    ]
    if may_manage(request):
        tabs.append(Tab("edit", "Edit", f"{found.page}/edit", active == "edit", None))
    return tabs
