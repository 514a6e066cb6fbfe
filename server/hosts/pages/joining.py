"""The pages on which a host is added: its system, its details, its command, and waiting for it."""

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
#: System, its name, what of it is meant, and whether an agent for it is part of this version.
_SYSTEMS: Final = (
    ("linux", "Linux", "Ubuntu, Debian, CentOS, RHEL, Rocky, Alma, Fedora, Alpine …"),
    ("freebsd", "FreeBSD", "13 and 14, also pfSense"),
    ("windows", "Windows", "10 and 11 (amd64 or ARM64), Server 2019, 2022 and 2025"),
)
_STAGES: Final = (
    ("waiting", "Waiting for connection", "wifi"),
    ("connected", "Connected", "plug-connected"),
    ("receiving", "Receiving initial report", "download"),
    ("done", "Done", "circle-check"),
)


@dataclass(frozen=True, slots=True)
class NewPage(Page):
    """templates/hosts/new.html.

    Attributes:
        platform: the system that was chosen; empty while it is to be chosen.
        systems: key, name, what of it is meant.
        groups: id, name, colour, whether it is ticked.
        fields: the name, and of docker and compliance those whose module is on, with what the form holds.
        command_fields: how the install command is written.
    """

    template: ClassVar[str] = "hosts/new.html"
    title: ClassVar[str] = "Add New Host"
    platform: str
    systems: Sequence[tuple[str, str, str]]
    fields: list[Field]
    groups: list[tuple[str, str, str, bool]]
    command_fields: list[Field]
    complaints: Complaints


@dataclass(frozen=True, slots=True)
class CreatedHost:
    """The host as its connecting page names it."""

    id: str
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class CreatedPage(Page):
    """templates/hosts/created.html; ``stages`` are key, words, icon and how it stands: done, now or later."""

    template: ClassVar[str] = "hosts/created.html"
    title: ClassVar[str] = "Connect a host"
    host: CreatedHost
    api_id: str
    api_key: str
    install_command: str
    is_windows: bool
    stage: str
    stages: list[tuple[str, str, str, str]]


@routes.get("/hosts/new")
@gated("can_manage_hosts")
async def new_form(request: web.Request) -> web.Response:
    """Ask for the system, and once that is chosen for the rest."""
    asked = request.query.get("os", "")
    platform = asked if any(key == asked for key, _, _ in _SYSTEMS) else ""
    return await _form(request, platform, {}, {})


async def _form(
    request: web.Request, platform: str, values: dict[str, Any], complaints: dict[str, str]
) -> web.Response:
    asked = call(request)
    chosen = values.get("group", ())
    groups = [
        (str(group["id"]), str(group["name"]), str(group["color"]), str(group["id"]) in chosen)
        for group in await service.list_groups(asked)
    ]
    current = await settings.effective(asked)
    fields = [one for one in _FIELDS if one.name.removesuffix("_enabled") not in current.disabled_modules]
    windows = platform == "windows"
    ticked = {"bypass_ssl": "true"} if current.ignore_ssl_self_signed else {}
    page = NewPage(
        platform,
        _SYSTEMS,
        filled(fields, {name: _last(value) for name, value in values.items()}, complaints),
        groups,
        filled(_WINDOWS_FIELDS, ticked | {name: _last(value) for name, value in values.items()}, {}) if windows else [],
        complained(fields, complaints),
    )
    return render(request, page, status=400 if complaints else 200, breadcrumbs=(_CRUMB, ("Add", "")))


_FIELDS: Final = (
    Field(
        "friendly_name",
        "Friendly name",
        help="What you call it. The machine's own name is reported by its agent.",
        placeholder="server.example.com",
    ),
    Field("docker_enabled", "Docker: containers, images and volumes", "boolean", value=False),
    Field("compliance_enabled", "Compliance: OpenSCAP and Docker Bench", "boolean", value=False),
)


#: How the command is written, nothing of the host's.
_WINDOWS_FIELDS: Final = (
    Field("bypass_ssl", "Self-signed certificate (SSL bypass)", "boolean", value=False),
    Field("with_curl", "Use curl instead of Invoke-WebRequest", "boolean", value=False),
)


@routes.post("/hosts/new")
@gated("can_manage_hosts")
async def new(request: web.Request) -> web.Response:
    """Add the host and show its command, this one time."""
    values = await form_values(request)
    told = {name: _last(value) for name, value in values.items() if name != "group"}
    ticks = {one.name: told.pop(one.name) == "true" for one in _WINDOWS_FIELDS if one.name in told}
    try:
        order = parse(schemas.NewHostBody, {**told, "group_ids": values.get("group", ())}).host()
        made = await service.create(call(request), order)
    except Invalid as refused:
        platform = str(told.get("expected_platform", "linux"))
        return await _form(request, platform, values, refused.complaints or {"friendly_name": str(refused)})
    return await _created(request, made, order.expected_platform, **ticks)


def _last(value: Any) -> Any:
    # A box comes with a hidden "false" before it.
    return value[-1] if isinstance(value, list) and value else value


async def _created(
    request: web.Request, made: Credentials, platform: str, *, bypass_ssl: bool | None = None, with_curl: bool = False
) -> web.Response:
    insecure = (await settings.effective(call(request))).ignore_ssl_self_signed if bypass_ssl is None else bypass_ssl
    system = rules.system_of(platform, "", "")
    key, url = made.api_key.reveal(), await server_url(request)
    command = (
        rules.windows_command(url, made.api_id, key, insecure=insecure, with_curl=with_curl)
        if system == "windows"
        else rules.install_command(url, system, made.api_id, key, insecure=insecure)
    )
    host = CreatedHost(made.uuid, made.friendly_name, f"/hosts/{made.uuid}")
    page = CreatedPage(host, made.api_id, key, command, system == "windows", "waiting", _stages("waiting"))
    return render(request, page, breadcrumbs=(_CRUMB, (made.friendly_name, host.url)))


def _stages(stage: str) -> list[tuple[str, str, str, str]]:
    keys = [key for key, _, _ in _STAGES]
    here = keys.index(stage)
    return [
        (key, words, icon, "done" if place < here or stage == "done" else "now" if place == here else "later")
        for place, (key, words, icon) in enumerate(_STAGES)
    ]


@routes.get("/hosts/{host}/connect")
@gated("can_view_hosts")
async def connecting(request: web.Request) -> web.Response:
    """Show how far a new host has come; the key is not shown again."""
    asked = call(request)
    head = await service.head(asked, path_text(request, "host"))
    host = CreatedHost(head.id, head.name, head.url)
    state = (await service.link_states(asked, [head.api_id])).get(head.api_id)
    stage = state.stage if state is not None else "waiting"
    page = CreatedPage(host, head.api_id, "", "", False, stage, _stages(stage))
    return render(request, page, breadcrumbs=(_CRUMB, (head.name, head.url)))


@routes.post("/hosts/{host}/credentials")
@gated("can_manage_hosts")
async def regenerate(request: web.Request) -> web.Response:
    """Give the host a new pair and show its command, this one time."""
    asked, uuid = call(request), path_text(request, "host")
    head = await service.head(asked, uuid)
    made, _ = await service.regenerate(asked, uuid)
    return await _created(request, made, rules.system_of("", head.expected_platform, head.os_type))
