"""Installed packages and their waiting updates."""

from __future__ import annotations

import time

from . import drivers
from .base import Collector, Fields, Host, Unknown

_DEADLINE_SECONDS = 300.0
#: Somebody else may be installing or refreshing at this very moment; the next look finds things settled.
_ATTEMPTS = 4
_PAUSE_SECONDS = 3.0


def collect(host: Host) -> Fields:
    """Return every installed package in wire form and the manager's name."""
    manager = drivers.manager(host)
    for left in range(_ATTEMPTS - 1, -1, -1):
        try:
            found = drivers.rows().package_rows(manager.installed(), manager.updates())
        except drivers.drivers().PackageManagerError as error:
            if not left:
                raise Unknown(str(error)) from error
            time.sleep(_PAUSE_SECONDS)
        else:
            return {"packages": found, "packageManager": manager.name}
    raise AssertionError("at least one attempt")


COLLECTOR = Collector("packages", collect, _DEADLINE_SECONDS, fatal=True)
