"""Since when the host runs, and how busy it is."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from .base import Collector, Fields, Host, Unknown

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")


def collect(host: Host) -> Fields:
    """Return uptime, boot time and load; inside a container those of the container."""
    up_seconds = float(host.read("/proc/uptime").split()[0])
    booted = _boot_second(host)
    if in_container(host):
        started_seconds = _first_process_seconds(host)
        up_seconds, booted = up_seconds - started_seconds, booted + int(started_seconds)
    load = [float(word) for word in host.read("/proc/loadavg").split()[:3]]
    return {
        "systemUptime": spoken(int(up_seconds)),
        "bootTime": datetime.fromtimestamp(booted, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "loadAverage": load,
    }


def spoken(seconds: int) -> str:
    """Return ``D days, H hours, M minutes`` without leading parts that are zero."""
    days, hours, minutes = seconds // _DAY, seconds % _DAY // _HOUR, seconds % _HOUR // _MINUTE
    if days:
        return f"{days} days, {hours} hours, {minutes} minutes"
    return f"{hours} hours, {minutes} minutes" if hours else f"{minutes} minutes"


def in_container(host: Host) -> bool:
    """Say whether this host is a container that shares its kernel."""
    if any(host.path(mark).exists() for mark in _CONTAINER_MARKS):
        return True
    try:
        return "\0container=" in "\0" + host.read("/proc/1/environ")
    except Unknown:
        return False


def _boot_second(host: Host) -> int:
    for line in host.read("/proc/stat").splitlines():
        if line.startswith("btime "):
            return int(line.split()[1])
    raise Unknown("/proc/stat has no boot time")


def _first_process_seconds(host: Host) -> float:
    # Field 22 of stat, counted behind the name, which may hold blanks itself: the start in ticks after the boot.
    ticks = host.read("/proc/1/stat").rpartition(")")[2].split()[19]
    return int(ticks) / os.sysconf("SC_CLK_TCK")


COLLECTOR = Collector("uptime", collect)
