"""Whether SELinux guards this host."""

from __future__ import annotations

from .base import Collector, Fields, Host


def collect(host: Host) -> Fields:
    """Return enabled, permissive or disabled, as the kernel says."""
    word = {"1": "enabled", "0": "permissive"}.get(host.line("/sys/fs/selinux/enforce"), "disabled")
    return {"selinuxStatus": word}


COLLECTOR = Collector("selinux", collect)
