"""What the agent finds out about its host: one small file per subject, one explicit list."""

from __future__ import annotations

import sys
from typing import Tuple

from . import (
    beside,
    disks,
    freebsd,
    hardware,
    hostname,
    kernel,
    machine,
    memory,
    network,
    os_release,
    packages,
    reboot,
    repositories,
    selinux,
    uptime,
)
from .base import Collector, Fields, Host, Note, Outcome, run

_OF_LINUX: Tuple[Collector, ...] = (
    machine.COLLECTOR,
    kernel.COLLECTOR,
    selinux.COLLECTOR,
    uptime.COLLECTOR,
    hardware.COLLECTOR,
    memory.COLLECTOR,
    disks.COLLECTOR,
    network.COLLECTOR,
)

COLLECTORS: Tuple[Collector, ...] = (
    os_release.COLLECTOR,
    hostname.COLLECTOR,
    *(freebsd.COLLECTORS if sys.platform.startswith("freebsd") else _OF_LINUX),
    packages.COLLECTOR,
    repositories.COLLECTOR,
    beside.COLLECTOR,
    reboot.COLLECTOR,
)

__all__ = ["COLLECTORS", "Collector", "Fields", "Host", "Note", "Outcome", "run"]
