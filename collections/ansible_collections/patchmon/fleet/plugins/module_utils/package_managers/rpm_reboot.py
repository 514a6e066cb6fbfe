"""Tells which packages have been updated since the host started and come into use only with the next start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Mapping

from .base import PackageManagerError
from .processes import look

_CORE = (
    "dbus",
    "dbus-broker",
    "dbus-daemon",
    "glibc",
    "kernel",
    "kernel-core",
    "kernel-rt",
    "kernel-rt-core",
    "linux-firmware",
    "microcode_ctl",
    "systemd",
)
_FORMAT = "%{NAME}\\t%{INSTALLTIME}\\n"


def updated_since_start(root: str, variables: Mapping[str, str]) -> list[str]:
    """Names of core packages whose files are newer than the first process; nothing for a root that does not run."""
    if root != "/":
        return []
    started = _started_second()
    # Packages that are not installed are lines of text without a tab, and make rpm's exit code their number.
    said = look(["rpm", "-q", "--qf", _FORMAT, *_CORE], variables, range(len(_CORE) + 1))
    rows = (text.partition("\t") for text in said.splitlines())
    return sorted({name for name, _, second in rows if second.isdigit() and int(second) > started})


def _started_second() -> int:
    """When the first process began, which in a container is later than the kernel."""
    try:
        ticks = int(Path("/proc/1/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[19])
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise PackageManagerError(f"The time of the host's start cannot be read: {error}") from error
    booted = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
    return booted + ticks // os.sysconf("SC_CLK_TCK")
