"""The pages of one host."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.hosts import service, showing
from server.hosts.pages.frame import HostPage, crumbs, framed
from server.web.navigation import HostTab
from server.web.render import render
from server.web.routing import Routes, call, gated

routes: Final = Routes()

HOST_TABS: Final = (
    HostTab("summary", "Summary", 0),
    HostTab("system", "System", 30),
    HostTab("network", "Network", 40),
)


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
    can_manage: bool


@routes.get("/hosts/{host}/system")
@gated("can_view_hosts")
async def system(request: web.Request) -> web.Response:
    """Show what the machine is made of."""
    head, tabs, actions = await framed(request, "system")
    told = await service.details(call(request), head)
    page = SystemPage(head, tabs, actions, showing.system_facts(told) if told["os_type"] else [])
    return render(request, page, breadcrumbs=crumbs(head))


@routes.get("/hosts/{host}/network")
@gated("can_view_hosts")
async def network(request: web.Request) -> web.Response:
    """Show the machine's interfaces."""
    head, tabs, actions = await framed(request, "network")
    told = await service.details(call(request), head)
    interfaces = [_interface(one, told["primary_interface"]) for one in told["network_interfaces"]]
    may_manage = call(request).actor.may("can_manage_hosts")
    page = NetworkPage(head, tabs, actions, told["dns_servers"], told["gateway_ip"], interfaces, may_manage)
    return render(request, page, breadcrumbs=crumbs(head))


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
