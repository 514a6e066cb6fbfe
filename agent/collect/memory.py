"""Memory and swap."""

from __future__ import annotations

from typing import Union

from .base import Collector, Fields, Host

_KIB_PER_GIB = 1024 * 1024


def collect(host: Host) -> Fields:
    """Return installed memory and swap in GiB."""
    found = {}
    for line in host.read("/proc/meminfo").splitlines():
        key, _, value = line.partition(":")
        if key in ("MemTotal", "SwapTotal"):
            found[key] = int(value.split()[0])
    return {"ramInstalled": _gib(found.get("MemTotal", 0)), "swapSize": _gib(found.get("SwapTotal", 0))}


def _gib(kib: int) -> Union[int, float]:
    return round(kib / _KIB_PER_GIB, 2) or 0


COLLECTOR = Collector("memory", collect)
