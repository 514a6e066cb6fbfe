"""The same facts on FreeBSD, which has no /proc: asked of sysctl, df, ifconfig and route."""

from __future__ import annotations

import ipaddress
import re
import time
from datetime import datetime, timezone
from typing import Callable, Dict, List, Sequence, Tuple

from agent.system.ask import ask as ask_program
from agent.system.run import CommandFailed

from . import routes
from .base import Collector, Fields, Host, Unknown
from .hardware import stated
from .uptime import spoken

Ask = Callable[[Sequence[str]], str]
_GIB = 1024**3
_FIRMWARE = {
    "hardwareVendor": "smbios.system.maker",
    "hardwareProduct": "smbios.system.product",
    "hardwareSerial": "smbios.system.serial",
}
_DISK = re.compile(r"(\S.*?) +(?:ufs|zfs|msdosfs|ext2fs) +(\d+) +(\d+) +(-?\d+) +\d+% +(/.*)")
_INTERFACE = re.compile(r"^(\S+?): flags=\w+<([^>]*)>.*?\bmtu (\d+)")
_MEDIA = re.compile(r"\((\d+)(G?)base\S*\s*(?:<([^>]*)>)?")


class FreeBsd:
    """Reads the answers of the system's programs; ``ask`` is another one where they are recorded."""

    def __init__(self, ask: Ask = ask_program) -> None:
        self._ask = ask

    def collectors(self) -> Tuple[Collector, ...]:
        """Return what takes the place of the collectors that read /proc and /sys."""
        found = {
            "machine": self.machine, "kernel": self.kernel, "selinux": self.selinux, "uptime": self.uptime,
            "hardware": self.hardware, "memory": self.memory, "disks": self.disks, "network": self.network,
        }  # fmt: skip
        return tuple(Collector(name, collect) for name, collect in found.items())

    def machine(self, _host: Host) -> Fields:
        """Return the system's own id."""
        return {"machineId": self._value("kern.hostuuid")}

    def kernel(self, _host: Host) -> Fields:
        """Return the running kernel and the one on the disk."""
        return {
            "kernelVersion": self._value("kern.osrelease"),
            "installedKernelVersion": self._said("freebsd-version", "-k"),
        }

    def selinux(self, _host: Host) -> Fields:
        """Return what every other system is asked, too."""
        return {"selinuxStatus": "disabled"}

    def uptime(self, _host: Host) -> Fields:
        """Return uptime, boot time and load."""
        found = re.search(r"sec = (\d+)", self._value("kern.boottime"))
        if found is None:
            raise Unknown("kern.boottime holds no time")
        booted = int(found.group(1))
        load = [float(word) for word in self._value("vm.loadavg").strip("{} ").split()[:3]]
        return {
            "systemUptime": spoken(max(0, int(time.time()) - booted)),
            "bootTime": datetime.fromtimestamp(booted, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "loadAverage": load,
        }

    def hardware(self, _host: Host) -> Fields:
        """Return the processor's name and the number of logical processors."""
        fields: Fields = {
            "cpuModel": " ".join(self._value("hw.model").split()),
            "cpuCores": int(self._value("hw.ncpu")),
        }
        mhz = self._perhaps("sysctl", "-n", "hw.clockrate")
        if mhz.isdecimal():
            fields["cpuMhz"] = int(mhz)
        firmware = {name: stated(self._perhaps("kenv", "-q", variable)) for name, variable in _FIRMWARE.items()}
        return {**fields, **{name: text for name, text in firmware.items() if text}}

    def memory(self, _host: Host) -> Fields:
        """Return installed memory and swap in GiB."""
        found = [round(int(self._value(name)) / _GIB, 2) or 0 for name in ("hw.physmem", "vm.swap_total")]
        fields: Fields = {"ramInstalled": found[0], "swapSize": found[1]}
        pages = [self._perhaps("sysctl", "-n", f"vm.stats.vm.v_{kind}_count") for kind in ("free", "inactive")]
        size = self._perhaps("sysctl", "-n", "hw.pagesize")
        if not all(text.isdecimal() for text in (*pages, size)):
            return fields
        free = round(sum(map(int, pages)) * int(size) / _GIB, 2)
        return {**fields, "ramUsed": max(0, round(found[0] - free, 2)), "ramFree": free}

    def disks(self, _host: Host) -> Fields:
        """Return every local file system, a pool of ZFS by its data sets."""
        rows = []
        for text in self._said("df", "-k", "-T").splitlines()[1:]:
            row = _DISK.match(text)
            if row is None:
                continue
            total, used, free = (int(word) * 1024 for word in row.group(2, 3, 4))
            share = 100 * used / (used + free) if used + free > 0 else 0.0
            size = f"{total / _GIB:.2f}GB ({used / _GIB:.2f}GB used, {free / _GIB:.2f}GB free, {share:.1f}% used)"
            rows.append({"name": row.group(1), "size": size, "mountpoint": row.group(5)})
        return {"diskDetails": rows}

    def network(self, host: Host) -> Fields:
        """Return interfaces without loopback, the main address, the gateway and the name servers."""
        gateway, way = self._default_route()
        interfaces = _interfaces(self._said("ifconfig", "-a"), gateway, way)
        preferred = sorted(interfaces, key=lambda row: row["name"] != way)
        found = [
            one for row in preferred for one in _listed(row) if not one["address"].startswith(("fe80:", "169.254."))
        ]
        found.sort(key=lambda one: one["family"] != "inet")
        return {
            "networkInterfaces": interfaces,
            "ip": found[0]["address"] if found else "",
            "gatewayIp": gateway,
            "dnsServers": routes.name_servers(host),
        }

    # ------------------------------------------------------------ inside

    def _default_route(self) -> Tuple[str, str]:
        try:
            told = self._said("route", "-n", "get", "default")
        except Unknown:
            # No way out at all.
            return "", ""
        pairs = dict(text.strip().split(": ", 1) for text in told.splitlines() if ": " in text)
        return pairs.get("gateway", ""), pairs.get("interface", "")

    def _value(self, name: str) -> str:
        return self._said("sysctl", "-n", name)

    def _perhaps(self, *argv: str) -> str:
        try:
            return self._said(*argv)
        except Unknown:
            return ""

    def _said(self, *argv: str) -> str:
        try:
            return self._ask(argv).strip()
        except CommandFailed as error:
            raise Unknown(str(error)) from error


def _interfaces(text: str, gateway: str, way: str) -> List[Dict[str, object]]:
    found: List[Dict[str, object]] = []
    for line in text.splitlines():
        head = _INTERFACE.match(line)
        if head is not None:
            flags = head.group(2).split(",")
            kind = "loopback" if "LOOPBACK" in flags else _kind(head.group(1))
            status = "up" if "RUNNING" in flags else "down"
            found.append(
                {"name": head.group(1), "type": kind, "mtu": int(head.group(3)), "status": status, "linkSpeed": -1,
                 "addresses": []}
            )  # fmt: skip
        elif found:
            _detail(found[-1], line.split(), gateway if found[-1]["name"] == way else "")
    return [row for row in found if row["type"] != "loopback"]


def _kind(name: str) -> str:
    for start, kind in (("wlan", "wifi"), ("bridge", "bridge"), ("lagg", "bond"), ("vlan", "vlan"), ("tun", "tunnel")):
        if name.startswith(start):
            return kind
    return "tunnel" if name.startswith(("gif", "gre", "wg", "tap")) else "ethernet"


def _detail(row: Dict[str, object], words: List[str], gateway: str) -> None:
    if not words:
        return
    if words[0] == "ether":
        row["macAddress"] = words[1]
    elif words[0] == "status:":
        row["status"] = "up" if words[1] in ("active", "associated") else "down"
    elif words[0] == "media:":
        media = _MEDIA.search(" ".join(words))
        if media is not None:
            row["linkSpeed"] = int(media.group(1)) * (1000 if media.group(2) else 1)
            row["duplex"] = "half" if "half-duplex" in (media.group(3) or "") else "full"
    elif words[0] in ("inet", "inet6"):
        address = _address(words, gateway)
        listed = row["addresses"]
        if address and isinstance(listed, list):
            listed.append(address)


def _address(words: List[str], gateway: str) -> Dict[str, str]:
    told = words[1].partition("%")[0]
    try:
        family = "inet" if ipaddress.ip_address(told).version == 4 else "inet6"  # noqa: PLR2004 (the protocol's name)
        mark = words[words.index("netmask" if family == "inet" else "prefixlen") + 1]
    except (ValueError, IndexError):
        return {}
    length = 32 - (~int(mark, 16) & 0xFFFFFFFF).bit_length() if family == "inet" else int(mark)
    row = {"address": told, "family": family, "netmask": f"/{length}"}
    if gateway and family == "inet":
        row["gateway"] = gateway
    return row


def _listed(row: Dict[str, object]) -> List[Dict[str, str]]:
    listed = row["addresses"]
    return listed if isinstance(listed, list) and row["status"] == "up" else []


COLLECTORS = FreeBsd().collectors()
