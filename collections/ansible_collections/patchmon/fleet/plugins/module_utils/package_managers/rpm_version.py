"""Orders versions the way rpm does, without asking rpm thousands of times."""

from __future__ import annotations

import functools
import re
from itertools import zip_longest

_PIECES = re.compile(r"[0-9]+|[a-zA-Z]+|~|\^")


def compare(left: str, right: str) -> int:
    """Negative, zero or positive as left, `epoch:version-release`, is older than, equal to or newer than right."""
    if left == right:
        return 0
    one, other = _parts(left), _parts(right)
    if one[0] != other[0]:
        return 1 if one[0] > other[0] else -1
    return _compare_part(one[1], other[1]) or _compare_part(one[2], other[2])


def newer(left: str, right: str) -> bool:
    """Tell whether left is the newer version."""
    return compare(left, right) > 0


key = functools.cmp_to_key(compare)


@functools.lru_cache(maxsize=8192)
def _parts(text: str) -> tuple[int, str, str]:
    epoch, separator, rest = text.partition(":")
    if not separator:
        epoch, rest = "0", text
    version, _, release = rest.partition("-")
    return int(epoch) if epoch.isdigit() else 0, version, release


def _compare_part(left: str, right: str) -> int:
    """Compare piece by piece; a missing release fits any."""
    for one, other in zip_longest(_PIECES.findall(left), _PIECES.findall(right), fillvalue=""):
        if one != other:
            order = _compare_piece(one, other)
            if order:
                return order
    return 0


def _compare_piece(one: str, other: str) -> int:
    """`~` comes before everything, even the end; `^` after the end and before the rest; numbers after letters."""
    ranks = [_rank(piece) for piece in (one, other)]
    if ranks[0] != ranks[1]:
        return 1 if ranks[0] > ranks[1] else -1
    if one.isdigit():
        return (int(one) > int(other)) - (int(one) < int(other))
    return (one > other) - (one < other)


def _rank(piece: str) -> int:
    if not piece:
        return 1
    return {"~": 0, "^": 2}.get(piece, 4 if piece.isdigit() else 3)
