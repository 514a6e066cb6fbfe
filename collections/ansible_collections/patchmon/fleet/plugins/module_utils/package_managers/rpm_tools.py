"""Reads rpm's database: one call for a whole inventory, whichever tool sits on top of it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Mapping, NamedTuple, Optional

from .processes import look
from .rpm_version import newer

_FIELDS = ("NAME", "EPOCHNUM", "VERSION", "RELEASE", "ARCH", "GROUP", "SUMMARY")
_FORMAT = "\\t".join(f"%{{{field}}}" for field in _FIELDS) + "\\n"
_DATABASES = ("var/lib/rpm", "usr/lib/sysimage/rpm", "root/.rpmdb")
"""The last one is where rpm keeps the packages of a root made on a system that is not its own."""

_FILES = ("rpmdb.sqlite", "Packages", "Packages.db")
_KEYS = "gpg-pubkey"
_NO_GROUP = ("Unspecified", "(none)")
_NEVRA = re.compile(r"(.+)-((?:\d+:)?[^-\s]+-[^-\s]+)\.([^.\s-]+)")


class RpmPackage(NamedTuple):
    """One package on the disk; `version` is `epoch:version-release`, without an epoch of zero."""

    name: str
    version: str
    architecture: str
    group: str
    summary: str


class Nevra(NamedTuple):
    """A package file's name, taken apart."""

    name: str
    version: str
    architecture: str


def database(root: str) -> Optional[Path]:
    """The file that holds the package database; None where rpm does not run the system."""
    places = (Path(root, folder, file) for folder in _DATABASES for file in _FILES)
    return next((place for place in places if place.is_file()), None)


def read_installed(root: str, variables: Mapping[str, str]) -> dict[str, RpmPackage]:
    """Every package by its name here; of those installed side by side, such as kernels, the newest."""
    where = [] if root == "/" else ["--root", root]
    found: dict[str, RpmPackage] = {}
    for text in look(["rpm", *where, "-qa", "--qf", _FORMAT], variables).splitlines():
        words = text.split("\t", len(_FIELDS) - 1)
        if len(words) == len(_FIELDS) and words[0] != _KEYS:
            package = _package(words)
            earlier = found.get(package.name)
            if earlier is None or newer(package.version, earlier.version):
                found[package.name] = package
    return dict(sorted(found.items()))


def name_of(name: str, architecture: str) -> str:
    """The name as reports have it: a foreign architecture belongs to it."""
    return f"{name}:{architecture}" if _foreign(architecture) else name


def word_of(name: str, version: str = "") -> str:
    """What rpm's tools call a package of a report, of one version if wanted."""
    plain, _, architecture = name.partition(":")
    return plain + (f"-{version}" if version else "") + (f".{architecture}" if architecture else "")


def evr(epoch: str, version: str, release: str) -> str:
    """One text for a version; an epoch of zero is left out."""
    text = f"{version}-{release}" if release else version
    return text if epoch in ("", "0", "(none)") else f"{epoch}:{text}"


def split_nevra(text: str) -> Optional[Nevra]:
    """Take `name-epoch:version-release.architecture` apart; None for anything else."""
    found = _NEVRA.fullmatch(text)
    if not found:
        return None
    name, version, architecture = found.groups()
    return Nevra(name_of(name, architecture), version.removeprefix("0:"), architecture)


def _package(words: list[str]) -> RpmPackage:
    name, epoch, version, release, architecture, group, summary = words
    return RpmPackage(
        name_of(name, architecture),
        evr(epoch, version, release),
        architecture,
        "" if group in _NO_GROUP else group,
        summary.strip(),
    )


def _foreign(architecture: str) -> bool:
    return architecture not in ("noarch", "(none)") and _family(architecture) != _family(os.uname().machine)


def _family(architecture: str) -> str:
    """Names that one machine runs as its own."""
    if re.fullmatch(r"i[3-6]86|athlon|geode", architecture):
        return "x86"
    return "arm" if architecture.startswith("arm") else architecture.partition("_v")[0]
