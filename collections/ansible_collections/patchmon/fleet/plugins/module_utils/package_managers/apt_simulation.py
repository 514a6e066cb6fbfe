"""Reads what `apt-get --simulate` says it would do."""

from __future__ import annotations

import re
from typing import Iterator, NamedTuple

_INSTALL = re.compile(r"^Inst (\S+)(?: \[([^\]\s]+)\])? \((\S+)")
_REMOVE = re.compile(r"^(?:Remv|Purg) (\S+)(?: \[([^\]\s]+)\])?")
_KEPT_HEADS = ("The following packages have been kept back", "The following upgrades have been deferred")


class Step(NamedTuple):
    """One package of the plan; `after` is empty for a removal, `before` for a new package."""

    name: str
    before: str
    after: str


def read_steps(text: str) -> list[Step]:
    """Every package that would be installed, changed or removed, in apt's order, each once."""
    steps: dict[str, Step] = {}
    for line in text.splitlines():
        install = _INSTALL.match(line)
        remove = None if install else _REMOVE.match(line)
        if install:
            name, before, after = install.groups()
            earlier = steps.get(name)
            steps[name] = Step(name, before or (earlier.before if earlier else ""), after)
        elif remove:
            name, before = remove.groups()
            steps[name] = Step(name, before or "", "")
    return list(steps.values())


def read_kept_back(text: str) -> list[str]:
    """Names of the updates that apt leaves for later, whatever its reason."""
    return sorted(set(_kept_back(text)))


def _kept_back(text: str) -> Iterator[str]:
    inside = False
    for line in text.splitlines():
        if line.startswith(_KEPT_HEADS):
            inside = True
        elif inside and line.startswith("  "):
            yield from line.split()
        else:
            inside = False
