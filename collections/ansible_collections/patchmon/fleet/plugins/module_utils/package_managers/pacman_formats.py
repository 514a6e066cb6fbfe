"""Reads what pacman prints, and its configuration."""

from __future__ import annotations

import re
from glob import glob
from pathlib import Path
from typing import Iterator, NamedTuple

from .apt_policy import without_userinfo
from .base import Repository
from .pacman_version import compare

_WAITING = re.compile(r"^(\S+) (\S+) -> (\S+)( \[ignored\])?$", re.MULTILINE)
_LISTED = re.compile(r"^(\S+) (\S+) (\S+)", re.MULTILINE)
_STEP = re.compile(r"^\|([^|]*)\|([^|]+)\|([^|]+)\|$", re.MULTILINE)
_CONDITION = re.compile(r"([^<>=\s]+)(?:(<=|>=|=|<|>)(\S+))?")
_NOTHING = ("", "None")
STEP_FORMAT = "|%r|%n|%v|"


class Waiting(NamedTuple):
    """One line of `pacman -Qu`; `ignored` by the host's configuration."""

    name: str
    version: str
    ignored: bool


class Listed(NamedTuple):
    """One package of a repository."""

    repository: str
    name: str
    version: str


def read_waiting(text: str) -> list[Waiting]:
    """Read `pacman -Qu`."""
    return [Waiting(name, version, bool(ignored)) for name, _, version, ignored in _WAITING.findall(text)]


def read_listed(text: str) -> list[Listed]:
    """Read `pacman -Sl`."""
    return [Listed(*found) for found in _LISTED.findall(text)]


def read_steps(text: str) -> list[Listed]:
    """Read what `--print` says in STEP_FORMAT."""
    return [Listed(*found) for found in _STEP.findall(text)]


def read_info(text: str) -> list[dict[str, str]]:
    """Read the blocks of `pacman -Qi` and `-Si`; values that go on in the next line are joined."""
    blocks: list[dict[str, str]] = []
    field = ""
    for line in text.splitlines():
        if line.startswith(" ") and field and blocks:
            blocks[-1][field] += " " + line.strip()
        elif " : " in line:
            field, _, value = (part.strip() for part in line.partition(" : "))
            if not blocks or field in blocks[-1]:
                blocks.append({})
            blocks[-1][field] = "" if value in _NOTHING else value
        elif not line.strip():
            field = ""
    return blocks


def names_met(conditions: str, installed: dict[str, str]) -> list[str]:
    """Installed packages that a list of conditions, such as `other<2 third`, means."""
    found = []
    for condition in conditions.split():
        match = _CONDITION.fullmatch(condition)
        if match and match.group(1) in installed and _meets(installed[match.group(1)], match.group(2), match.group(3)):
            found.append(match.group(1))
    return found


def read_repositories(root: str) -> list[Repository]:
    """Every source of pacman.conf, one row for each address; included lists of mirrors count by their first."""
    found: dict[str, Repository] = {}
    for name, key, value in _settings(root, Path(root, "etc/pacman.conf"), "options"):
        if name == "options" or key != "Server" or any(one.name == name for one in found.values()):
            continue
        url = without_userinfo(value.replace("$repo", name)).rstrip("/")
        found.setdefault(url, Repository(name, url, "", name, "pacman", True, url.startswith("https:")))
    return list(found.values())


def _settings(root: str, path: Path, section: str, depth: int = 0) -> Iterator[tuple[str, str, str]]:
    """Section, key and value of each setting, with what is included in its place."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("[") and text.endswith("]"):
            section = text[1:-1]
        elif text:
            key, _, value = (part.strip() for part in text.partition("="))
            if key == "Include" and not depth:
                for included in sorted(glob(value if value.startswith(root) else str(Path(root, value.lstrip("/"))))):
                    yield from _settings(root, Path(included), section, depth + 1)
            else:
                yield section, key, value


def _meets(version: str, operator: str, wanted: str) -> bool:
    if not operator:
        return True
    order = compare(version, wanted)
    return {"<": order < 0, "<=": order <= 0, "=": order == 0, ">=": order >= 0, ">": order > 0}[operator]
