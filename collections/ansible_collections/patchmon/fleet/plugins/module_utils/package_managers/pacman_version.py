"""Orders versions the way pacman does."""

from __future__ import annotations

import functools
import re
from itertools import zip_longest

_PIECES = re.compile(r"[0-9]+|[a-zA-Z]+")


def compare(left: str, right: str) -> int:
    """Negative, zero or positive as left, `epoch:version-release`, is older than, equal to or newer than right."""
    one, other = _parts(left), _parts(right)
    if one[0] != other[0]:
        return 1 if one[0] > other[0] else -1
    order = _compare_part(one[1], other[1])
    return order or (_compare_part(one[2], other[2]) if one[2] and other[2] else 0)


def newer(left: str, right: str) -> bool:
    """Tell whether left is the newer version."""
    return compare(left, right) > 0


key = functools.cmp_to_key(compare)


def _parts(text: str) -> tuple[int, str, str]:
    epoch, separator, rest = text.partition(":")
    if not separator or not epoch.isdigit():
        epoch, rest = "0", text
    version, _, release = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return int(epoch), version, release


def _compare_part(left: str, right: str) -> int:
    """Compare piece by piece; letters at the end, as in `1.0rc`, come before the end itself."""
    for one, other in zip_longest(_PIECES.findall(left), _PIECES.findall(right), fillvalue=""):
        if one != other:
            ranks = [_rank(piece) for piece in (one, other)]
            if ranks[0] != ranks[1]:
                return 1 if ranks[0] > ranks[1] else -1
            if one.isdigit() and int(one) == int(other):
                continue
            larger = int(one) > int(other) if one.isdigit() else one > other
            return 1 if larger else -1
    return 0


def _rank(piece: str) -> int:
    if not piece:
        return 1
    return 2 if piece.isdigit() else 0
