"""Installed packages and their waiting updates."""

from __future__ import annotations

from . import drivers
from .base import Collector, Fields, Host, Unknown

_DEADLINE_SECONDS = 300.0


def collect(host: Host) -> Fields:
    """Return every installed package in wire form and the manager's name."""
    manager = drivers.manager(host)
    try:
        found = drivers.rows().package_rows(manager.installed(), manager.updates())
    except drivers.drivers().PackageManagerError as error:
        raise Unknown(str(error)) from error
    return {"packages": found, "packageManager": manager.name}


COLLECTOR = Collector("packages", collect, _DEADLINE_SECONDS, fatal=True)
