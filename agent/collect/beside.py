"""Programs that come beside the host's own packages: flatpak and snap."""

from __future__ import annotations

from typing import Mapping

from . import drivers, packages
from .base import Collector, Fields, Host, Partly, Unknown

#: They ask their sources over the network, and a report does not wait for that.
_DEADLINE_SECONDS = 60.0
_PACKAGES, _REPOSITORIES = "packagesBeside", "repositoriesBeside"


def collect(host: Host) -> Fields:
    """Return rows in wire form, under names of their own: ``merged`` puts them where they belong."""
    if not host.live:
        return {}
    try:
        installed, updates, repositories, troubles = drivers.beside().look_beside()
    except drivers.drivers().PackageManagerError as error:
        raise Unknown(str(error)) from error
    rows = drivers.rows()
    found: Fields = {
        _PACKAGES: rows.package_rows(installed, updates),
        _REPOSITORIES: rows.repository_rows(repositories),
    }
    if troubles:
        raise Partly("; ".join(troubles), found)
    return found


def merged(fields: Mapping[str, object]) -> Fields:
    """Return fields with what came beside behind the host's own, and not more of it than a report may hold."""
    found = {name: value for name, value in fields.items() if name not in (_PACKAGES, _REPOSITORIES)}
    own, more = fields.get("packages"), fields.get(_PACKAGES)
    if isinstance(own, list) and isinstance(more, list) and more:
        found["packages"] = packages.most_wanted([*own, *more]) if len(own) + len(more) > packages.MOST else own + more
    own, more = fields.get("repositories"), fields.get(_REPOSITORIES)
    if isinstance(more, list) and more:
        found["repositories"] = [*(own if isinstance(own, list) else ()), *more]
    return found


COLLECTOR = Collector("beside", collect, _DEADLINE_SECONDS)
