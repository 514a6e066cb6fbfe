"""Drivers for the package managers of the hosts: one small file each, one interface, standard library only."""

from __future__ import annotations

from .base import (
    SCOPES,
    Change,
    Exact,
    Installed,
    Limits,
    Line,
    PackageManager,
    PackageManagerError,
    Plan,
    Reboot,
    Repository,
    UnsupportedManager,
    UnsupportedPlatform,
    Update,
)
from .catalogue import MANAGERS, RECOGNISED, by_name, detect

__all__ = [
    "MANAGERS",
    "RECOGNISED",
    "SCOPES",
    "Change",
    "Exact",
    "Installed",
    "Limits",
    "Line",
    "PackageManager",
    "PackageManagerError",
    "Plan",
    "Reboot",
    "Repository",
    "UnsupportedManager",
    "UnsupportedPlatform",
    "Update",
    "by_name",
    "detect",
]
