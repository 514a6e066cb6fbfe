"""Reads what zypper says in XML, and the one listing that it has only as text."""

from __future__ import annotations

import re
from typing import Iterator, NamedTuple
from xml.etree import ElementTree as ET

from .base import PackageManagerError
from .rpm_tools import name_of

_CONFLICT = re.compile(
    r"(?:Conflicts\s*:)?\s*(?:\[\d+\]\s*)?"
    r"([\w.+-]+?)(?:\.(noarch|x86_64|i[3-6]86|aarch64|ppc64le|s390x|armv\w+))? < (\S+)"
)
_CHANGED = ("to-upgrade", "to-install", "to-downgrade", "to-change-arch", "to-change-vendor", "to-reinstall")
_CHANGED_TOO = ("to-upgrade-change-arch", "to-downgrade-change-arch")
_SAYS = ("message", "text", "description", "problem")


class Offer(NamedTuple):
    """A package, or a patch, that zypper would install; `source` is the short name of its repository."""

    name: str
    version: str
    source: str


class Solvable(NamedTuple):
    """One package of a plan; `removed` when it goes away."""

    name: str
    version: str
    source: str
    removed: bool


def read_updates(text: str, kind: str) -> list[Offer]:
    """Waiting packages or patches of `zypper -x list-updates` and `list-patches`."""
    return [
        Offer(
            name_of(update.get("name", ""), update.get("arch", "")) if kind == "package" else update.get("name", ""),
            update.get("edition", ""),
            _alias(update),
        )
        for update in _parsed(text).iter("update")
        if update.get("kind") == kind
    ]


def read_found(text: str) -> list[Offer]:
    """Every version of `zypper -x search -s` that a repository has."""
    return [
        Offer(
            name_of(found.get("name", ""), found.get("arch", "")), found.get("edition", ""), found.get("repository", "")
        )
        for found in _parsed(text).iter("solvable")
        if found.get("repository") != "(System Packages)"
    ]


def read_summary(text: str) -> list[Solvable]:
    """Every package of the plan that `zypper -x --dry-run` shows."""
    rows = []
    for summary in _parsed(text).iter("install-summary"):
        for group in summary:
            if group.tag in (*_CHANGED, *_CHANGED_TOO, "to-remove"):
                rows += [
                    Solvable(
                        name_of(one.get("name", ""), one.get("arch", "")),
                        one.get("edition", ""),
                        one.get("repository", ""),
                        group.tag == "to-remove",
                    )
                    for one in group.iter("solvable")
                    if one.get("type", "package") == "package"
                ]
    return rows


def read_messages(text: str) -> str:
    """What zypper had to say to a person, errors and problems with their solutions."""
    try:
        parsed = _parsed(text)
    except PackageManagerError:
        return text
    said = [element.text.strip() for element in parsed.iter() if element.tag in _SAYS and element.text]
    return "\n".join(line for line in said if line and line != "Continue?")


def read_patches(text: str) -> Iterator[tuple[str, str]]:
    """Package and the version below which it has to be replaced, of every patch that `zypper info` describes."""
    for line in text.splitlines():
        found = _CONFLICT.fullmatch(line.rstrip())
        if found and not line.lstrip().startswith("srcpackage:"):
            name, architecture, version = found.groups()
            yield name_of(name, architecture or "noarch"), version


def _alias(update: ET.Element) -> str:
    source = update.find("source")
    return source.get("alias", "") if source is not None else ""


def _parsed(text: str) -> ET.Element:
    try:
        return ET.fromstring(text[text.find("<") :] if "<" in text else text)  # noqa: S314 (zypper's own answer)
    except ET.ParseError as error:
        raise PackageManagerError(f"zypper's answer cannot be read: {error}", text[-2000:]) from error
