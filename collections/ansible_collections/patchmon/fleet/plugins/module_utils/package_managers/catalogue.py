"""The one list of package managers: those with a driver, and those we would recognise."""

from __future__ import annotations

import shutil
from typing import NoReturn

from .apt import Apt
from .base import PackageManager, UnsupportedManager, UnsupportedPlatform
from .processes import environment

MANAGERS: tuple[type[PackageManager], ...] = (Apt,)

RECOGNISED = {
    "apt-get": "apt",
    "dnf": "dnf",
    "yum": "yum",
    "zypper": "zypper",
    "pacman": "pacman",
    "apk": "apk",
    "pkg": "pkg",
}
"""Programs that give a manager away, and its name; those without a class above come later."""


def detect(root: str = "/") -> PackageManager:
    """The manager that runs this host; an error says which one was found without a driver, or what was looked for."""
    for manager_class in MANAGERS:
        manager = manager_class(root)
        if manager.available():
            return manager
    path = environment({})["PATH"]
    found = next((name for program, name in RECOGNISED.items() if shutil.which(program, path=path)), None)
    if found is not None and found not in _driven():
        _refuse(found)
    raise UnsupportedPlatform(f"No package manager was found on this host; looked for {', '.join(RECOGNISED)}")


def by_name(name: str, root: str = "/") -> PackageManager:
    """The named manager, whether or not it is installed."""
    found = next((manager_class for manager_class in MANAGERS if manager_class.name == name), None)
    return found(root) if found else _refuse(name)


def _refuse(name: str) -> NoReturn:
    required = ", ".join(_driven())
    raise UnsupportedManager(f'package manager "{name}" not supported for patching ({required} required)')


def _driven() -> list[str]:
    return [manager_class.name for manager_class in MANAGERS]
