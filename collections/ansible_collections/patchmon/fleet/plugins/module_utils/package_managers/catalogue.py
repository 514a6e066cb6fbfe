"""The one list of package managers: those with a driver, and those we would recognise."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NoReturn

from .apk import Apk
from .apt import Apt
from .base import PackageManager, UnsupportedManager, UnsupportedPlatform
from .dnf import Dnf
from .pacman import Pacman
from .pkg import Pkg
from .processes import environment
from .yum import Yum
from .zypper import Zypper

MANAGERS: tuple[type[PackageManager], ...] = (Apt, Dnf, Yum, Zypper, Pacman, Apk, Pkg)

RECOGNISED = {
    "apt-get": "apt",
    "dnf": "dnf",
    "yum": "yum",
    "zypper": "zypper",
    "pacman": "pacman",
    "apk": "apk",
    "pkg": "pkg",
}
"""Programs that give a manager with a driver away, and its name."""

FOREIGN = {
    "microdnf": "microdnf",
    "tdnf": "tdnf",
    "emerge": "portage",
    "xbps-install": "xbps",
    "eopkg": "eopkg",
    "swupd": "swupd",
    "urpmi": "urpmi",
}
"""The same for those without one; the refusal names them."""

_FAMILIES = {"suse": "zypper", "opensuse": "zypper", "sles": "zypper", "fedora": "dnf", "rhel": "dnf", "arch": "pacman"}
"""Systems whose own manager is asked before others that somebody may have installed beside it."""


def detect(root: str = "/") -> PackageManager:
    """The manager that runs this host; an error says which one was found without a driver, or what was looked for."""
    own = _own_manager(root)
    for manager_class in sorted(MANAGERS, key=lambda one: one.name != own):
        manager = manager_class(root)
        if manager.available():
            return manager
    path = environment({})["PATH"]
    found = next((name for program, name in FOREIGN.items() if shutil.which(program, path=path)), None)
    if found is not None:
        _refuse(found)
    raise UnsupportedPlatform(f"No package manager was found on this host; looked for {', '.join(RECOGNISED)}")


def by_name(name: str, root: str = "/") -> PackageManager:
    """The named manager, whether or not it is installed."""
    found = next((manager_class for manager_class in MANAGERS if manager_class.name == name), None)
    return found(root) if found else _refuse(name)


def _own_manager(root: str) -> str:
    """The manager that the system says it belongs to; empty when the order above will do."""
    path = Path(root, "etc/os-release")
    words: list[str] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
        key, _, value = line.partition("=")
        if key in ("ID", "ID_LIKE"):
            words += value.strip().strip("\"'").split()
    return next((_FAMILIES[word.partition("-")[0]] for word in words if word.partition("-")[0] in _FAMILIES), "")


def _refuse(name: str) -> NoReturn:
    required = ", ".join(_driven())
    raise UnsupportedManager(f'package manager "{name}" not supported for patching ({required} required)')


def _driven() -> list[str]:
    return [manager_class.name for manager_class in MANAGERS]
