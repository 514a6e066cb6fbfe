"""Configured package sources."""

from __future__ import annotations

from . import drivers
from .base import Collector, Fields, Host, Unknown

_DEADLINE_SECONDS = 60.0


def collect(host: Host) -> Fields:
    """Return every package source in wire form."""
    manager = drivers.manager(host)
    try:
        return {"repositories": drivers.rows().repository_rows(manager.repositories())}
    except drivers.drivers().PackageManagerError as error:
        raise Unknown(str(error)) from error


COLLECTOR = Collector("repositories", collect, _DEADLINE_SECONDS)
