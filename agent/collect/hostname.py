"""What this host calls itself."""

from __future__ import annotations

import os

from .base import Collector, Fields, Host, Unknown


def collect(host: Host) -> Fields:
    """Return the kernel's name of the host, or the configured one."""
    name = (os.uname().nodename if host.live else "") or host.line("/etc/hostname")
    if not name:
        raise Unknown("the host has no name")
    return {"hostname": name}


COLLECTOR = Collector("hostname", collect, fatal=True)
