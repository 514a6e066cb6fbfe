"""The pages of one host."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.hosts import rules, service, showing
from server.hosts.models import Action, HostHead, Tab
from server.web import flash
from server.web.forms import query_number
from server.web.navigation import MENU, HostTab, host_tabs
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

HOST_TABS: Final = (
    HostTab("summary", "Summary", 0),
    HostTab("system", "System", 30),
    HostTab("network", "Network", 40),
)

_CRUMB: Final = ("Hosts", "/hosts")


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
