"""Default routes and name servers, from the kernel's tables."""

from __future__ import annotations

import ipaddress
from typing import Dict, List, NamedTuple

from .base import Host, Unknown

_V4_DEFAULT = "00000000"
_V6_DEFAULT = "0" * 32
_GATEWAY_FLAG = 0x2
_STUB = "127.0.0.53"
_RESOLVERS = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")


class Route(NamedTuple):
    """A default route; ``gateway`` may be empty when the network itself is the way out."""

    interface: str
    family: str
    gateway: str
    metric: int


def default_routes(host: Host) -> List[Route]:
    """Return the default routes of both families, the preferred first, IPv4 before IPv6."""
    found: List[Route] = []
    for text in _lines(host, "/proc/net/route")[1:]:
        words = text.split()
        if len(words) > 7 and words[1] == _V4_DEFAULT and words[7] == _V4_DEFAULT:  # noqa: PLR2004 (columns of the table)
            gateway = str(ipaddress.IPv4Address(bytes.fromhex(words[2])[::-1]))
            found.append(Route(words[0], "inet", gateway if int(words[3], 16) & _GATEWAY_FLAG else "", int(words[6])))
    for text in _lines(host, "/proc/net/ipv6_route"):
        words = text.split()
        if len(words) > 9 and words[0] == _V6_DEFAULT and words[1] == "00" and words[9] != "lo":  # noqa: PLR2004
            gateway = "" if words[4] == _V6_DEFAULT else str(ipaddress.IPv6Address(bytes.fromhex(words[4])))
            found.append(Route(words[9], "inet6", gateway, int(words[5], 16)))
    return sorted(found, key=lambda route: (route.family, route.metric))


def name_servers(host: Host) -> List[str]:
    """Return the name servers, those behind systemd's local stub where that is configured."""
    servers: List[str] = []
    for name in _RESOLVERS:
        for text in _lines(host, name):
            words = text.split()
            if len(words) > 1 and words[0] == "nameserver":
                servers.append(words[1])
        servers = [server for server in dict.fromkeys(servers) if server != _STUB] or servers[:1]
        if servers and servers != [_STUB]:
            break
    return servers


def gateways(routes: List[Route]) -> Dict[str, str]:
    """Return the gateway of each interface and family, by ``interface/family``."""
    return {f"{route.interface}/{route.family}": route.gateway for route in reversed(routes) if route.gateway}


def _lines(host: Host, name: str) -> List[str]:
    try:
        return host.read(name).splitlines()
    except Unknown:
        return []
