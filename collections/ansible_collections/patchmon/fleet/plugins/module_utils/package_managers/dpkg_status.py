"""Asks dpkg what is on the disk and in which state."""

from __future__ import annotations

from typing import Mapping, NamedTuple

from .processes import look

_FIELDS = ("db:Status-Abbrev", "Package", "Version", "Architecture", "Section", "binary:Summary")
_FORMAT = "\\t".join("${" + field + "}" for field in _FIELDS) + "\\n"
_ON_DISK = "iWtFUH"
_UNFINISHED = "FUH"  # waiting triggers (W, t) are apt's own business


class Entry(NamedTuple):
    """One package whose files are on the disk; `name` carries the architecture only when it is a foreign one."""

    name: str
    version: str
    architecture: str
    section: str
    summary: str
    held: bool
    unfinished: bool


def read_status(root: str, variables: Mapping[str, str]) -> dict[str, Entry]:
    """Every package on the disk by name, in the database's order."""
    argv = ["dpkg-query", f"--admindir={root.rstrip('/')}/var/lib/dpkg", "-W", "-f", _FORMAT]
    native = look(["dpkg", "--print-architecture"], variables).strip()
    rows = (line.split("\t") for line in look(argv, variables, accept=(0, 1)).splitlines())
    entries = (_entry(row, native) for row in rows if len(row) == len(_FIELDS) and row[0][1:2] in _ON_DISK)
    return {entry.name: entry for entry in entries}


def _entry(row: list[str], native: str) -> Entry:
    state, package, version, architecture, section, summary = row
    name = package if architecture in (native, "all") else f"{package}:{architecture}"
    return Entry(
        name, version, architecture, section, summary, state[0] == "h", state[1] in _UNFINISHED or "R" in state[2:]
    )
