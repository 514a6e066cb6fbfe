"""Installed packages and their waiting updates."""

from __future__ import annotations

import time
from typing import Any

from . import drivers
from .base import Collector, Fields, Host, Unknown

_DEADLINE_SECONDS = 300.0
#: Somebody else may be installing or refreshing at this very moment; the next look finds things settled.
_ATTEMPTS = 4
_PAUSE_SECONDS = 3.0
#: A name for people; that something is half done matters more than all of it.
_UNFINISHED_MOST = 50


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
            return {"packages": found, "packageManager": manager.name, **_unfinished(manager)}
    raise AssertionError("at least one attempt")


def _unfinished(manager: Any) -> Fields:
    """Return what an interrupted run left half done; nothing while somebody is at work, whose packages are all that."""
    try:
        return {} if manager.busy() else {"unfinishedPackages": list(manager.unfinished())[:_UNFINISHED_MOST]}
    except drivers.drivers().PackageManagerError:
        return {}


COLLECTOR = Collector("packages", collect, _DEADLINE_SECONDS, fatal=True)
