"""Network interfaces, addresses, the way out and the name servers."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Optional

from . import addresses, routes
from .base import Collector, Fields, Host

_ETHERNET = "1"
_LOOPBACK = "772"
_TUNNELS = frozenset(("65534", "768", "769", "776", "778", "783", "823"))
_NO_MAC = ("", "00:00:00:00:00:00")
#: One end of each container's cable: come and go by the hundred and say nothing about the host.
_PASSING = ("veth", "cali", "lxc", "flannel.", "tap-")


def collect(host: Host) -> Fields:
    """Return interfaces (without loopback and containers' cables), main address, gateway and name servers."""
    ways = routes.default_routes(host)
    gateways = routes.gateways(ways)
    known = addresses.addresses() if host.live else {}
    folder = host.path("/sys/class/net")
    names = sorted(entry.name for entry in folder.iterdir() if (entry / "type").exists()) if folder.is_dir() else []
    interfaces = [
        row
        for row in (_interface(folder / name, known, gateways) for name in names if not name.startswith(_PASSING))
        if row
    ]
    return {
        "networkInterfaces": interfaces,
        "ip": _main_address(interfaces, ways),
        "gatewayIp": next((way.gateway for way in ways if way.gateway), ""),
        "dnsServers": routes.name_servers(host),
    }


def _interface(
    folder: Path, known: Dict[int, List[addresses.Address]], gateways: Dict[str, str]
) -> Optional[Dict[str, object]]:
    hardware = _value(folder, "type")
    if hardware == _LOOPBACK:
        return None
    row: Dict[str, object] = {"name": folder.name, "type": _kind(folder, hardware)}
    mac = _value(folder, "address")
    if mac not in _NO_MAC:
        row["macAddress"] = mac
    mtu = _number(folder, "mtu")
    if mtu > 0:
        row["mtu"] = mtu
    row["status"] = _status(folder)
    row["linkSpeed"] = _number(folder, "speed")
    duplex = _value(folder, "duplex")
    if duplex in ("full", "half"):
        row["duplex"] = duplex
    row["addresses"] = [
        _address(address, gateways.get(f"{folder.name}/{address.family}", ""))
        for address in known.get(_number(folder, "ifindex"), [])
    ]
    return row


def _address(address: addresses.Address, gateway: str) -> Dict[str, str]:
    row = {"address": address.address, "family": address.family, "netmask": f"/{address.prefix}"}
    if gateway and not address.address.startswith("fe80:"):
        row["gateway"] = gateway
    return row


def _kind(folder: Path, hardware: str) -> str:
    for mark, word in (("wireless", "wifi"), ("phy80211", "wifi"), ("bridge", "bridge"), ("bonding", "bond")):
        if (folder / mark).exists():
            return word
    if "DEVTYPE=vlan" in _value(folder, "uevent"):
        return "vlan"
    if hardware in _TUNNELS or (folder / "tun_flags").exists():
        return "tunnel"
    if hardware != _ETHERNET:
        return "other"
    return "ethernet" if (folder / "device").exists() or not _is_virtual(folder) else "virtual"


def _is_virtual(folder: Path) -> bool:
    # A container's own interface is virtual to the kernel, but its network card to everybody who looks.
    return "/virtual/" in str(folder.resolve()) and folder.name.startswith(("dummy", "ifb", "docker", "virbr"))


def _status(folder: Path) -> str:
    state = _value(folder, "operstate")
    if state == "unknown":
        return "up" if _value(folder, "carrier") == "1" else "down"
    return "up" if state == "up" else "down"


def _main_address(interfaces: List[Dict[str, object]], ways: List[routes.Route]) -> str:
    preferred = [way.interface for way in ways]
    found: Dict[str, List[str]] = {"inet": [], "inet6": []}
    ordered = sorted(
        interfaces, key=lambda row: preferred.index(str(row["name"])) if row["name"] in preferred else len(preferred)
    )
    for row in ordered:
        listed = row["addresses"]
        for address in listed if isinstance(listed, list) and row["status"] == "up" else []:
            if not address["address"].startswith(("fe80:", "169.254.")):
                found[address["family"]].append(address["address"])
    return next(iter(found["inet"] + found["inet6"]), "")


def _value(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(folder: Path, name: str) -> int:
    try:
        return int(_value(folder, name))
    except ValueError:
        return -1


COLLECTOR = Collector("network", collect)
