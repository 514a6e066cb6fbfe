"""The pages on which a host is added."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.core.errors import Invalid
from server.hosts import rules, schemas, service
from server.hosts.addresses import server_url
from server.hosts.models import Credentials
from server.settings import service as settings
from server.web.fields import Field, complained, filled
from server.web.forms import form_values, parse
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

Complaints = Sequence[tuple[str, str] | str]
_CRUMB: Final = ("Hosts", "/hosts")


@dataclass(frozen=True, slots=True)
class NewPage(Page):
    """templates/hosts/new.html."""

    template: ClassVar[str] = "hosts/new.html"
    title: ClassVar[str] = "Add a host"
    fields: list[Field]
    groups: list[tuple[str, str, bool]]
    complaints: Complaints


@dataclass(frozen=True, slots=True)
class CreatedHost:
    """The host as its connecting page names it."""

    id: str
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class CreatedPage(Page):
    """templates/hosts/created.html."""

    template: ClassVar[str] = "hosts/created.html"
    title: ClassVar[str] = "Connect a host"
    host: CreatedHost
    api_id: str
    api_key: str
    install_command: str
    connected: bool
    reported: bool


@routes.get("/hosts/new")
@gated("can_manage_hosts")
async def new_form(request: web.Request) -> web.Response:
    """Show the form."""
    return await _form(request, {}, {})


async def _form(request: web.Request, values: dict[str, Any], complaints: dict[str, str]) -> web.Response:
    chosen = values.get("group", ())
    groups = [
        (str(group["id"]), str(group["name"]), str(group["id"]) in chosen)
        for group in await service.list_groups(call(request))
    ]
    page = NewPage(filled(_FIELDS, values, complaints), groups, complained(_FIELDS, complaints))
    return render(request, page, status=400 if complaints else 200, breadcrumbs=(_CRUMB, ("Add", "")))


_FIELDS: Final = [
    Field(
        "friendly_name",
        "Name",
        help="What you call it. The machine's own name is reported by its agent.",
        placeholder="web-01",
    ),
    Field(
        "expected_platform",
        "System",
        "choice",
        value="linux",
        choices=(("linux", "Linux"), ("freebsd", "FreeBSD")),
        help="Decides which command you get.",
    ),
]


@routes.post("/hosts/new")
@gated("can_manage_hosts")
async def new(request: web.Request) -> web.Response:
    """Add the host and show its command, this one time."""
    values = await form_values(request)
    try:
        order = parse(schemas.NewHostBody, {**values, "group_ids": values.get("group", ())}).host()
        made = await service.create(call(request), order)
    except Invalid as refused:
        return await _form(request, values, refused.complaints or {"friendly_name": str(refused)})
    return await _created(request, made, order.expected_platform)


async def _created(request: web.Request, made: Credentials, platform: str) -> web.Response:
    insecure = (await settings.effective(call(request))).ignore_ssl_self_signed
    system = rules.system_of(platform, "", "")
    key = made.api_key.reveal()
    command = rules.install_command(await server_url(request), system, made.api_id, key, insecure=insecure)
    host = CreatedHost(made.uuid, made.friendly_name, f"/hosts/{made.uuid}")
    page = CreatedPage(host, made.api_id, key, command, connected=False, reported=False)
    return render(request, page, breadcrumbs=(_CRUMB, (made.friendly_name, host.url)))


@routes.get("/hosts/{host}/connect")
@gated("can_view_hosts")
async def connecting(request: web.Request) -> web.Response:
    """Show how far a new host has come; the key is not shown again."""
    head = await service.head(call(request), path_text(request, "host"))
    host = CreatedHost(head.id, head.name, head.url)
    page = CreatedPage(host, head.api_id, "", "", connected=head.online, reported=head.last_report_at is not None)
    return render(request, page, breadcrumbs=(_CRUMB, (head.name, head.url)))


@routes.post("/hosts/{host}/credentials")
@gated("can_manage_hosts")
async def regenerate(request: web.Request) -> web.Response:
    """Give the host a new pair and show its command, this one time."""
    made, _ = await service.regenerate(call(request), path_text(request, "host"))
    return await _created(request, made, "linux")
