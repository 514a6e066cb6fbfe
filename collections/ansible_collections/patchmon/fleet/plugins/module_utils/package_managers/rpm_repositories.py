"""Reads the .repo files of dnf, yum and zypper."""

from __future__ import annotations

import configparser
import os
from pathlib import Path
from typing import Sequence

from .apt_policy import without_userinfo
from .base import Repository

_ADDRESSES = ("baseurl", "metalink", "mirrorlist")
_FALSE = ("0", "no", "false", "off")
_VARIABLE_FOLDERS = ("etc/dnf/vars", "etc/yum/vars", "etc/zypp/vars.d")


def read_repositories(root: str, folders: Sequence[str]) -> list[Repository]:
    """Every enabled source of these folders below `root`, one row for each address."""
    variables = _variables(root)
    found: dict[str, Repository] = {}
    for path in sorted(path for folder in folders for path in Path(root, folder).glob("*.repo")):
        for repository in _read_file(path, variables):
            found.setdefault(repository.url, repository)
    return list(found.values())


def _read_file(path: Path, variables: dict[str, str]) -> list[Repository]:
    found = []
    for name, section in _sections(path):
        if section.get("enabled", "1").strip().lower() not in _FALSE:
            addresses = next((section[key] for key in _ADDRESSES if section.get(key, "").strip()), "")
            found += [_repository(name, address, variables) for address in addresses.replace(",", " ").split()]
    return found


def _sections(path: Path) -> list[tuple[str, dict[str, str]]]:
    """The sources of one file; a broken one has none, as for the tools themselves, which go on without it."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8", errors="replace"), str(path))
    except (configparser.Error, OSError):
        return []
    named = ((name, {key: value or "" for key, value in parser.items(name)}) for name in parser.sections())
    return [(name, section) for name, section in named if name != "main"]


def _repository(name: str, address: str, variables: dict[str, str]) -> Repository:
    url = without_userinfo(_filled(address, variables)).rstrip("/")
    return Repository(
        name=_filled(name, variables),
        url=url,
        distribution=variables.get("releasever", ""),
        components="",
        repo_type="rpm",
        enabled=True,
        secure=url.startswith("https:"),
    )


def _filled(text: str, variables: dict[str, str]) -> str:
    for variable in sorted(variables, key=len, reverse=True):
        text = text.replace("${" + variable + "}", variables[variable]).replace(f"${variable}", variables[variable])
    return text


def _variables(root: str) -> dict[str, str]:
    """The variables that addresses may hold: release and architecture, and the host's own."""
    variables = {"basearch": os.uname().machine, "arch": os.uname().machine}
    release = _release(root)
    if release:
        variables["releasever"] = release
        variables["releasever_major"], _, variables["releasever_minor"] = release.partition(".")
    for folder in _VARIABLE_FOLDERS:
        for path in sorted(Path(root, folder).glob("*")):
            if path.is_file():
                variables[path.name] = path.read_text(encoding="utf-8", errors="replace").strip()
    return variables


def _release(root: str) -> str:
    """The release as the tools see it: enterprise systems use the first number alone."""
    pairs: dict[str, str] = {}
    path = next(
        (path for path in (Path(root, "etc/os-release"), Path(root, "usr/lib/os-release")) if path.exists()), None
    )
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path else ():
        name, _, value = line.partition("=")
        pairs[name] = value.strip().strip("\"'")
    version = pairs.get("VERSION_ID", "")
    enterprise = "rhel" in (pairs.get("ID", ""), *pairs.get("ID_LIKE", "").split())
    return version.partition(".")[0] if enterprise else version


def read_names(root: str, folders: Sequence[str]) -> dict[str, str]:
    """The short name, by the long one that some tools show instead, of every source."""
    variables = _variables(root)
    names: dict[str, str] = {}
    for path in sorted(path for folder in folders for path in Path(root, folder).glob("*.repo")):
        for name, section in _sections(path):
            names[_filled(section.get("name", name), variables)] = name
    return names
