"""Reads what apk prints: lists of packages, plans, and its file of repositories."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from .apt_policy import without_userinfo
from .base import Repository

_FULL_NAME = re.compile(r"(?P<name>.+)-(?P<version>\d[^-]*-r\d+)")
_INSTALLED = re.compile(
    r"^(?P<full>\S+) (?P<arch>\S+) \{(?P<origin>[^}]*)\} \((?P<licence>.*)\) \[installed\]", re.MULTILINE
)
_OUTDATED = re.compile(r"^(\S+)\s+<\s+(\S+)(?:\s+@(\S+))?\s*$", re.MULTILINE)
_STEP = re.compile(
    r"^\(\s*\d+/\d+\) (?P<verb>Installing|Upgrading|Downgrading|Replacing|Purging|Reinstalling) (?P<name>[^\s@]+)"
    r"(?:@\S+)? \((?P<before>\S+?)(?: -> (?P<after>\S+))?\)",
    re.MULTILINE,
)
_POLICY_VERSION = re.compile(r"^  (\S+):$")


class Package(NamedTuple):
    """One installed package."""

    name: str
    version: str
    architecture: str


class Planned(NamedTuple):
    """One line of a plan; `after` is empty when the package goes away."""

    name: str
    after: str


def split_name(full: str) -> tuple[str, str]:
    """`musl-utils-1.2.5-r0` is version 1.2.5-r0 of musl-utils; an empty version for anything else."""
    found = _FULL_NAME.fullmatch(full)
    return (found["name"], found["version"]) if found else (full, "")


def read_installed(text: str) -> list[Package]:
    """Read `apk list --installed`."""
    found = []
    for match in _INSTALLED.finditer(text):
        name, version = split_name(match["full"])
        if version:
            found.append(Package(name, version, match["arch"]))
    return found


def read_descriptions(text: str) -> dict[str, str]:
    """Read `apk info -v -v`: `name-version - description`."""
    rows = (line.partition(" - ") for line in text.splitlines())
    return {split_name(full.strip())[0]: description.strip() for full, _, description in rows if description}


def read_outdated(text: str) -> dict[str, str]:
    """New version by name, of `apk version --limit '<'`."""
    return {split_name(full)[0]: version for full, version, _tag in _OUTDATED.findall(text)}


def read_policy(text: str) -> dict[tuple[str, str], str]:
    """Address of the repository by name and version, of `apk policy`; the database on the disk is none."""
    found: dict[tuple[str, str], str] = {}
    name = version = ""
    for line in text.splitlines():
        match = _POLICY_VERSION.match(line)
        if match:
            version = match.group(1)
        elif line.endswith(" policy:"):
            name, version = line[: -len(" policy:")], ""
        elif line.startswith("    ") and version:
            address = line.split()[-1]
            if "://" in address or (address.startswith("/") and "/" in address[1:]):
                found.setdefault((name, version), address)
    return found


def read_steps(text: str) -> list[Planned]:
    """Read what `apk --simulate` or a real run says, in its order."""
    return [
        Planned(match["name"], "" if match["verb"] == "Purging" else match["after"] or match["before"])
        for match in _STEP.finditer(text)
        if match["verb"] != "Reinstalling"
    ]


def component(address: str) -> str:
    """The last part of a repository's address: main, community, testing."""
    return address.rstrip("/").rpartition("/")[2]


def read_repositories(text: str) -> list[Repository]:
    """Read etc/apk/repositories: one address a line, with a tag before it or not; `#` switches one off."""
    found: dict[str, Repository] = {}
    for line in text.splitlines():
        plain = line.strip()
        enabled = not plain.startswith("#")
        words = plain.lstrip("# ").split()
        address = words[-1] if words and len(words) <= 2 else ""  # noqa: PLR2004 (a tag and an address)
        if "://" in address or (enabled and address.startswith("/")):
            repository = _repository(address, enabled=enabled)
            found.setdefault(repository.url, repository)
    return list(found.values())


def _repository(address: str, *, enabled: bool) -> Repository:
    url = without_userinfo(address).rstrip("/")
    folder, _, last = url.rpartition("/")
    distribution = folder.rpartition("/")[2]
    place = urlsplit(url).hostname or url
    return Repository(
        f"{place} {distribution} {last}", url, distribution, last, "apk", enabled, url.startswith("https:")
    )
