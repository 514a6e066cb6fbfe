"""Which operating system this is, by os-release."""

from __future__ import annotations

import os
import shlex
from typing import Dict

from .base import Collector, Fields, Host, Unknown

_FILES = ("/etc/os-release", "/usr/lib/os-release")


def collect(host: Host) -> Fields:
    """Return ``osType`` and ``osVersion`` (NAME and VERSION) and the machine's architecture."""
    release = read_release(host)
    name = release.get("NAME") or release.get("ID") or "Linux"
    version = release.get("VERSION") or release.get("VERSION_ID") or release.get("BUILD_ID") or "unknown"
    return {"osType": name, "osVersion": version, "architecture": os.uname().machine}


def read_release(host: Host) -> Dict[str, str]:
    """Return the pairs of os-release.

    Raises:
        Unknown: there is none.
    """
    for name in _FILES:
        if host.path(name).is_file():
            return _pairs(host.read(name))
    raise Unknown("no os-release file")


def _pairs(text: str) -> Dict[str, str]:
    pairs = {}
    for line in text.splitlines():
        key, mark, value = line.strip().partition("=")
        if not mark or key.startswith("#"):
            continue
        try:
            words = shlex.split(value)
        except ValueError:
            words = [value]
        pairs[key] = " ".join(words)
    return pairs


COLLECTOR = Collector("os", collect, fatal=True)
