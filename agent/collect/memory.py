"""Memory and swap."""

from __future__ import annotations

from typing import Dict, Union

from .base import Collector, Fields, Host

_KIB_PER_GIB = 1024 * 1024


def collect(host: Host) -> Fields:
    """Return memory and swap in GiB: installed, and what programs use of the memory and could still have."""
    found: Dict[str, int] = {}
    for line in host.read("/proc/meminfo").splitlines():
        key, _, value = line.partition(":")
        if key in ("MemTotal", "MemAvailable", "SwapTotal"):
            found[key] = int(value.split()[0])
    total, free = found.get("MemTotal", 0), found.get("MemAvailable")
    fields: Fields = {"ramInstalled": _gib(total), "swapSize": _gib(found.get("SwapTotal", 0))}
    # Caches count as free: the kernel gives them up for whoever needs the room.
    return fields if free is None else {**fields, "ramUsed": _gib(max(0, total - free)), "ramFree": _gib(free)}


def _gib(kib: int) -> Union[int, float]:
    return round(kib / _KIB_PER_GIB, 2) or 0


COLLECTOR = Collector("memory", collect)
