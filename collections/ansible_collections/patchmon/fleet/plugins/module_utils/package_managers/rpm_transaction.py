"""Reads the table of a transaction as dnf, in both its generations, and yum print it."""

from __future__ import annotations

from typing import Iterator, NamedTuple

from .rpm_tools import name_of

_ENDS = "Transaction Summary"
_COLUMNS = 4
_REPLACING = "replacing"
_JOINED = 3
"""Words of dnf 4's line for a package whose place another takes: name and architecture are one."""


class Row(NamedTuple):
    """One line of the table; `removed` when the package goes away."""

    name: str
    version: str
    repository: str
    removed: bool


def read_rows(text: str) -> list[Row]:
    """Every package that would be installed, changed or removed, in the tool's order.

    Long columns are broken into several lines, so words are collected until the next row begins.
    """
    rows: list[Row] = []
    for heading, words in _entries(text):
        if words[0] == _REPLACING:
            rows.extend(_replaced(words, rows))
        elif len(words) >= _COLUMNS and _changes(heading):
            name, architecture, version, repository = words[:_COLUMNS]
            removed = heading.startswith("Removing")
            rows.append(Row(name_of(name, architecture), version.removeprefix("0:"), repository.lstrip("@"), removed))
    return rows


def _entries(text: str) -> Iterator[tuple[str, list[str]]]:
    heading = ""
    words: list[str] = []
    for line in text.splitlines():
        starts_row = line.startswith(" ") and not line.startswith("  ")
        plain = line.strip()
        if line.startswith(_ENDS):
            break
        if starts_row or plain.startswith(_REPLACING) or not line.startswith(" "):
            if heading and words:
                yield heading, words
            words = []
        if not line.startswith(" "):
            heading = plain[:-1] if plain.endswith(":") else ("" if not plain.startswith("(") else heading)
        elif heading:
            words += plain.split()
    if heading and words:
        yield heading, words


def _changes(heading: str) -> bool:
    return heading.startswith(("Installing", "Upgrading", "Updating", "Downgrading", "Removing"))


def _replaced(words: list[str], rows: list[Row]) -> list[Row]:
    """A package whose place another takes; dnf 5 writes this for the old version of an update too, which stays."""
    if len(words) == _JOINED:
        name, _, architecture = words[1].rpartition(".")
    else:
        name, architecture = words[1], words[2]
    version = words[2] if len(words) == _JOINED else words[3] if len(words) > _JOINED else ""
    known = name_of(name, architecture)
    return [] if any(row.name == known and not row.removed for row in rows) else [Row(known, version, "", True)]
