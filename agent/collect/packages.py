"""Installed packages and their waiting updates."""

from __future__ import annotations

import time
from typing import Any, Dict, List

from . import drivers
from .base import Collector, Fields, Host, Partly, Unknown

_DEADLINE_SECONDS = 300.0
#: Somebody else may be installing or refreshing at this very moment; the next look finds things settled.
_ATTEMPTS = 4
_PAUSE_SECONDS = 3.0
#: A name for people; that something is half done matters more than all of it.
_UNFINISHED_MOST = 50


#: A server takes no more; a host that has more says which are waiting, and that it left some out.
MOST = 10_000


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
            rest = {"packageManager": manager.name, **_unfinished(manager)}
            if len(found) <= MOST:
                return {"packages": found, **rest}
            raise Partly(
                f"{len(found)} packages are installed, {MOST} are reported", {"packages": most_wanted(found), **rest}
            )
    raise AssertionError("at least one attempt")


def most_wanted(rows: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Return as many rows as a report may have: security updates first, then other updates, then the rest by name."""
    first = sorted(rows, key=lambda row: (not row["isSecurityUpdate"], not row["needsUpdate"], row["name"]))[:MOST]
    return sorted(first, key=lambda row: str(row["name"]))


def _unfinished(manager: Any) -> Fields:
    """Return what an interrupted run left half done; nothing while somebody is at work, whose packages are all that."""
    try:
        return {} if manager.busy() else {"unfinishedPackages": list(manager.unfinished())[:_UNFINISHED_MOST]}
    except drivers.drivers().PackageManagerError:
        return {}


COLLECTOR = Collector("packages", collect, _DEADLINE_SECONDS, fatal=True)
