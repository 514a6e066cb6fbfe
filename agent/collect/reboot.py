"""Whether the host asks for a restart."""

from __future__ import annotations

from . import drivers
from .base import Collector, Fields, Host, Unknown

_DEADLINE_SECONDS = 30.0


def collect(host: Host) -> Fields:
    """Return what the package manager says: a restart file, or a newer kernel than the running one."""
    manager = drivers.manager(host)
    try:
        found = manager.reboot()
    except drivers.drivers().PackageManagerError as error:
        raise Unknown(str(error)) from error
    return {"needsReboot": found.required, **({"rebootReason": found.reason} if found.reason else {})}


COLLECTOR = Collector("reboot", collect, _DEADLINE_SECONDS)
