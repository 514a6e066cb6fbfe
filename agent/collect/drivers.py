"""The collection's package-manager drivers: the same files that the playbooks use."""

from __future__ import annotations

import importlib
import sys
from functools import lru_cache
from typing import Any

from agent.system import build

from .base import Host, Unknown

_DRIVERS = "ansible_collections.patchmon.fleet.plugins.module_utils.package_managers"


@lru_cache(maxsize=1)
def drivers() -> Any:
    """Return the package of drivers, from beside this program or from the source tree."""
    _reach()
    return importlib.import_module(_DRIVERS)


@lru_cache(maxsize=1)
def rows() -> Any:
    """Return the module that turns drivers' finds into the report's rows."""
    _reach()
    return importlib.import_module(f"{_DRIVERS}.report")


@lru_cache(maxsize=1)
def beside() -> Any:
    """Return the module that looks at formats beside the host's own."""
    _reach()
    return importlib.import_module(f"{_DRIVERS}.beside")


def manager(host: Host) -> Any:
    """Return the driver of this host.

    Raises:
        Unknown: there is none for it.
    """
    package = drivers()
    try:
        return package.detect(str(host.root))
    except package.PackageManagerError as error:
        raise Unknown(str(error)) from error


def _reach() -> None:
    source = str(build.root() / "collections")
    if (build.root() / "collections").is_dir() and source not in sys.path:
        sys.path.append(source)
