"""The running kernel and the one that the next start would take."""

from __future__ import annotations

import os
import re
from typing import List, Tuple, Union

from .base import Collector, Fields, Host

_PREFIX = "vmlinuz-"
_LINKS = ("/vmlinuz", "/boot/vmlinuz")
Part = Tuple[int, Union[int, str]]


def collect(host: Host) -> Fields:
    """Return the running version, and the installed one where a kernel is installed at all (not in a container)."""
    running = os.uname().release if host.live else host.line("/proc/sys/kernel/osrelease")
    installed = _installed(host)
    return {"kernelVersion": running, **({"installedKernelVersion": installed} if installed else {})}


def _installed(host: Host) -> str:
    # The distributions' own links name what the boot loader takes first.
    for name in _LINKS:
        link = host.path(name)
        if link.is_symlink():
            target = os.readlink(link).rpartition("/")[2]  # noqa: PTH115 (Path.readlink came with 3.9, its text is what is wanted)
            if target.startswith(_PREFIX) and host.path(f"/boot/{target}").is_file():
                return target[len(_PREFIX) :]
    boot = host.path("/boot")
    try:
        names = [file.name[len(_PREFIX) :] for file in boot.glob(f"{_PREFIX}*") if "rescue" not in file.name]
    except OSError:
        return ""
    return max(names, key=_order, default="")


def _order(version: str) -> List[Part]:
    parts = re.findall(r"\d+|[a-z]+", version)
    return [(1, int(part)) if part.isdigit() else (0, part) for part in parts]


COLLECTOR = Collector("kernel", collect)
