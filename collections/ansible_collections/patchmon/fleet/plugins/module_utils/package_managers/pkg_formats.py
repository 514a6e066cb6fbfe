"""Reads what FreeBSD's pkg and freebsd-update print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from .apt_policy import without_userinfo
from .base import Repository

QUERY = "%n\t%v\t%R\t%c\t%o\t%q\t%k"
"""Name, version, repository, comment, origin, architecture, and whether it is locked."""
REMOTE_QUERY = "%n\t%v\t%R"
_STEP = re.compile(
    r"^\s+(?P<name>[^\s:]+): (?P<first>\S+)(?: -> (?P<second>\S+))?(?: \[(?P<repository>[^\]]+)\])?(?: \(.*\))?\s*$"
)
_SECTION = re.compile(r"packages? to be (REMOVED|INSTALLED|UPGRADED|DOWNGRADED|REINSTALLED|FETCHED)")
_VULNERABLE = re.compile(r"^(\S+)-([^-\s]+) is vulnerable", re.MULTILINE)
_BLOCK = re.compile(r"([\w.@+-]+|\"[^\"]+\")\s*:?\s*\{((?:\$\{[^}]*\}|[^}])*)\}")
_SETTING = re.compile(r"(\w+)\s*[:=]\s*(\"[^\"]*\"|[^\s,}]+)")
_FALSE = ("no", "false", "off", "0")
_TO = re.compile(r"updating to (\S+?):", re.IGNORECASE)
_FOLDERS = ("etc/pkg", "usr/local/etc/pkg/repos")


class Local(NamedTuple):
    """One installed package."""

    name: str
    version: str
    repository: str
    comment: str
    origin: str
    architecture: str
    locked: bool


class Planned(NamedTuple):
    """One line of a plan; `after` is empty when the package goes away."""

    name: str
    after: str
    repository: str


def read_local(text: str) -> list[Local]:
    """Read `pkg query` with QUERY."""
    rows = (line.split("\t") for line in text.splitlines())
    return [
        Local(row[0], row[1], row[2], row[3], row[4], row[5], row[6] == "1")
        for row in rows
        if len(row) == len(Local._fields)
    ]


def read_remote(text: str) -> dict[str, tuple[str, str]]:
    """Version and repository by name, of `pkg rquery` with REMOTE_QUERY."""
    rows = (line.split("\t") for line in text.splitlines())
    return {row[0]: (row[1], row[2]) for row in rows if len(row) == 3}  # noqa: PLR2004 (the columns)


def read_steps(text: str) -> list[Planned]:
    """Read the plan of `pkg upgrade -n` by its sections."""
    steps = []
    section = ""
    for line in text.splitlines():
        heading = _SECTION.search(line)
        if heading:
            section = heading.group(1)
        match = _STEP.match(line)
        if match and section in ("REMOVED", "INSTALLED", "UPGRADED", "DOWNGRADED"):
            after = "" if section == "REMOVED" else match["second"] or match["first"]
            steps.append(Planned(match["name"], after, match["repository"] or ""))
    return steps


def read_vulnerable(text: str) -> dict[str, str]:
    """Version by name, of `pkg audit`."""
    return dict(_VULNERABLE.findall(text))


def read_base_update(text: str) -> str:
    """The level that `freebsd-update` would bring the system to, such as `14.1-RELEASE-p5`; empty when it is there."""
    found = _TO.search(text)
    return found.group(1) if found and "No updates needed" not in text else ""


def read_repositories(root: str, abi: str) -> list[Repository]:
    """Every source of pkg's configuration; a later file changes what an earlier one said of the same source."""
    known: dict[str, dict[str, str]] = {}
    for path in (path for folder in _FOLDERS for path in sorted(Path(root, folder).glob("*.conf"))):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
        for name, body in _BLOCK.findall(text):
            settings = {key.lower(): value.strip('"') for key, value in _SETTING.findall(body)}
            known.setdefault(name.strip('"'), {}).update(settings)
    return [_repository(name, settings, abi) for name, settings in known.items() if settings.get("url")]


def _repository(name: str, settings: dict[str, str], abi: str) -> Repository:
    url = without_userinfo(settings["url"].replace("${ABI}", abi)).rstrip("/")
    url = url.removeprefix("pkg+")
    enabled = settings.get("enabled", "yes").lower() not in _FALSE
    return Repository(name, url, abi, url.rpartition("/")[2], "freebsd", enabled, url.startswith("https:"))
