"""Finds the plain sentence for a failure; each manager lists its own causes."""

from __future__ import annotations

import re
from typing import Callable, Match, Sequence, Union

from .base import PackageManagerError

AGAIN = "start this again"
Sentence = Union[str, Callable[[Match[str]], str]]

FULL = (
    "The disk of the host is full: free some space (the package cache is a good place to begin) and start this again."
)
READ_ONLY = f"A file system of the host is read-only: mount it writable and {AGAIN}."
EVERYWHERE: tuple[tuple[str, Sentence], ...] = (
    (
        r"No space left on device|Disk quota exceeded|[Nn]ot enough (?:free )?(?:disk )?space|needs \d+\S* more space",
        FULL,
    ),
    (r"Read-only file system", READ_ONLY),
)


class Causes:
    """The causes of one manager, before their consequences; those that every system knows come first."""

    def __init__(self, rules: Sequence[tuple[str, Sentence]]) -> None:
        """Each rule is an expression and its sentence, or what makes it from the match."""
        self._rules = [(re.compile(pattern, re.MULTILINE), sentence) for pattern, sentence in (*EVERYWHERE, *rules)]

    def explain(self, output: str) -> str:
        """The sentence for the first cause that fits; empty for none."""
        for pattern, sentence in self._rules:
            match = pattern.search(output)
            if match:
                return sentence if isinstance(sentence, str) else sentence(match)
        return ""

    def explained(self, problem: PackageManagerError) -> PackageManagerError:
        """The same failure, its sentence first and the program's own words after it; unchanged when it is a new one."""
        sentence = self.explain(f"{problem.tail}\n{problem.text}")
        if not sentence:
            return problem
        return PackageManagerError(f"{sentence} ({problem.text})", problem.tail, problem.done)


def first(match: Match[str]) -> str:
    """The first group that holds something."""
    return next((group.strip() for group in match.groups() if group), "")
