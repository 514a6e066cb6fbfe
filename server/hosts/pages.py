"""The pages of hosts: the list, one host, adding one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.core.call import Call
from server.core.errors import Invalid
from server.core.paging import Page as Part
from server.hosts import rules, schemas, service, showing
from server.hosts.addresses import server_url
from server.hosts.models import Action, Credentials, HostHead, Tab
from server.hosts.views import Counts, HostRow, Listed
from server.settings import service as settings
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.forms import form_values, parse, query_number
from server.web.navigation import MENU, Entry, HostTab, host_tabs
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

ENTRIES: Final = (Entry("Fleet", "Hosts", "/hosts", "server-2", 10, "can_view_hosts"),)
HOST_TABS: Final = (
    HostTab("summary", "Summary", 0),
    HostTab("system", "System", 30),
    HostTab("network", "Network", 40),
)

Complaints = Sequence[tuple[str, str] | str]
_CRUMB: Final = ("Hosts", "/hosts")


@dataclass(frozen=True, slots=True)
class HostsPage(Page):
    """templates/hosts/list.html."""

    template: ClassVar[str] = "hosts/list.html"
    title: ClassVar[str] = "Hosts"
    hosts: list[HostRow]
    page: Part[HostRow]
    search: str
    sort: str
    direction: str
    state: str
    states: list[tuple[str, str, int | None]]
    group: str
    chips: list[tuple[str, str]]
    counts: Counts
    can_manage: bool
    can_launch: bool


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


@dataclass(frozen=True, slots=True)
class HostPage(Page):
    """The frame of every page about one host: templates/hosts/detail.html."""

    template: ClassVar[str] = "hosts/detail.html"
    title: ClassVar[str] = "Host"
    host: HostHead
    tabs: list[Tab]
    actions: list[Action]


@dataclass(frozen=True, slots=True)
class SummaryPage(HostPage):
    """templates/hosts/summary.html."""

    template: ClassVar[str] = "hosts/summary.html"
    updates: int
    security: int
    packages_total: int
    repositories_total: int
    facts: list[tuple[str, str]]
    activity: list[tuple[Any, str, str]]
    jobs: list[Any]


@dataclass(frozen=True, slots=True)
class SystemPage(HostPage):
    """templates/hosts/system.html."""

    template: ClassVar[str] = "hosts/system.html"
    groups_of_facts: list[tuple[str, list[tuple[str, str]]]]


@dataclass(frozen=True, slots=True)
class InterfaceView:
    """One interface on the network page."""

    name: str
    kind: str
    up: bool
    mac: str
    mtu: int | None
    speed: str
    duplex: str
    primary: bool
    addresses: list[tuple[str, str, str, str]]


@dataclass(frozen=True, slots=True)
class NetworkPage(HostPage):
    """templates/hosts/network.html."""

    template: ClassVar[str] = "hosts/network.html"
    dns: list[str]
    gateway: str
    interfaces: list[InterfaceView]


@routes.get("/hosts")
@gated("can_view_hosts")
async def show_list(request: web.Request) -> web.Response:
    """Show the list."""
    asked, wanted = call(request), schemas.listed(request)
    page = await service.list_hosts(asked, wanted)
    counts = await service.counts(asked)
    actor = asked.actor
    shown = HostsPage(
        hosts=page.items,
        page=page,
        search=wanted.search,
        sort=wanted.sort,
        direction=wanted.direction,
        state=wanted.state,
        states=_states(counts),
        group=wanted.group,
        chips=await _chips(asked, wanted),
        counts=counts,
        can_manage=actor.may("can_manage_hosts"),
        can_launch=actor.may("can_manage_automation") or actor.may("can_manage_patching"),
    )
    return render(request, shown)


def _states(counts: Counts) -> list[tuple[str, str, int | None]]:
    return [
        ("", "All", counts.total),
        ("online", "Connected", counts.online),
        ("offline", "Offline", counts.offline),
        ("updates", "Updates", counts.updates),
        ("security", "Security", counts.security),
        ("reboot", "Reboot", counts.reboot),
    ]


async def _chips(asked: Call, wanted: Listed) -> list[tuple[str, str]]:
    if not wanted.group:
        return []
    names = {str(group["id"]): str(group["name"]) for group in await service.list_groups(asked)}
    return [(f"Group: {names.get(wanted.group, wanted.group)}", "/hosts")]


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


@routes.post("/hosts/{host}/delete")
@gated("can_manage_hosts")
async def delete(request: web.Request) -> web.Response:
    """Remove the host."""
    gone = await service.delete(call(request), path_text(request, "host"))
    answer = web.Response(status=303, headers={"Location": "/hosts"})
    flash.say(answer, request, "good", f"The host {gone['friendly_name']} was removed.")
    return answer


async def _framed(request: web.Request, active: str) -> tuple[HostHead, list[Tab], list[Action]]:
    asked = call(request)
    head = await service.head(asked, path_text(request, "host"))
    names = [(tab.name, tab.title) for tab in host_tabs(request.config_dict[MENU], asked.actor)]
    return head, service.tabs(head, names, active), service.actions(head, asked.actor)


def _crumbs(head: HostHead) -> tuple[tuple[str, str], ...]:
    return (_CRUMB, (head.name, ""))


@routes.get("/hosts/{host}")
@gated("can_view_hosts")
async def summary(request: web.Request) -> web.Response:
    """Show whether a host is fine."""
    head, tabs, actions = await _framed(request, "summary")
    asked = call(request)
    told = await service.details(asked, head)
    lines = await service.history(asked, head, query_number(request, "lines", 20, most=200))
    facts = [
        ("Kernel", told["kernel_version"]),
        ("Architecture", told["architecture"]),
        ("Uptime", rules.plain_uptime(told["system_uptime"])),
        ("Package manager", told["package_manager"]),
        ("Machine ID", told["machine_id"]),
    ]
    page = SummaryPage(
        head,
        tabs,
        actions,
        updates=head.updates,
        security=head.security,
        packages_total=head.packages_total,
        repositories_total=head.repositories_total,
        facts=facts,
        activity=[(line.at, line.kind, line.text) for line in lines],
        jobs=[],
    )
    return render(request, page, breadcrumbs=_crumbs(head))


@routes.get("/hosts/{host}/system")
@gated("can_view_hosts")
async def system(request: web.Request) -> web.Response:
    """Show what the machine is made of."""
    head, tabs, actions = await _framed(request, "system")
    told = await service.details(call(request), head)
    page = SystemPage(head, tabs, actions, showing.system_facts(told) if told["os_type"] else [])
    return render(request, page, breadcrumbs=_crumbs(head))


@routes.get("/hosts/{host}/network")
@gated("can_view_hosts")
async def network(request: web.Request) -> web.Response:
    """Show the machine's interfaces."""
    head, tabs, actions = await _framed(request, "network")
    told = await service.details(call(request), head)
    interfaces = [_interface(one, told["primary_interface"]) for one in told["network_interfaces"]]
    page = NetworkPage(head, tabs, actions, told["dns_servers"], told["gateway_ip"], interfaces)
    return render(request, page, breadcrumbs=_crumbs(head))


def _interface(one: dict[str, Any], primary: str | None) -> InterfaceView:
    speed = one.get("link_speed_mbit") or 0
    return InterfaceView(
        name=one["name"],
        kind=one["type"],
        up=one["status"] == "up",
        mac=one["mac_address"],
        mtu=one["mtu"],
        speed=_speed(speed),
        duplex=one["duplex"],
        primary=one["name"] == primary,
        addresses=[
            (item["family"], item["address"], item["netmask"].lstrip("/"), item["gateway"]) for item in one["addresses"]
        ],
    )


def _speed(mbit: int) -> str:
    if mbit <= 0:
        return ""
    return f"{mbit / 1000:g} Gbit/s" if mbit >= 1000 else f"{mbit} Mbit/s"  # noqa: PLR2004 (a thousand)
