"""Orders versions the way FreeBSD's pkg does: `version_revision,epoch`."""

from __future__ import annotations

import re
from itertools import zip_longest

_PIECES = re.compile(r"\d+|[a-zA-Z]+")
_BEFORE = {"pl": 2, "alpha": -4, "a": -4, "beta": -3, "b": -3, "pre": -2, "rc": -1}


def newer(left: str, right: str) -> bool:
    """Tell whether left is the newer version."""
    one, other = _parts(left), _parts(right)
    if one[0] != other[0]:
        return one[0] > other[0]
    order = _compare(one[1], other[1])
    return order > 0 or (order == 0 and one[2] > other[2])


def _parts(text: str) -> tuple[int, str, int]:
    version, _, epoch = text.partition(",")
    version, _, revision = version.partition("_")
    return int(epoch) if epoch.isdigit() else 0, version, int(revision) if revision.isdigit() else 0


def _compare(left: str, right: str) -> int:
    for one, other in zip_longest(_PIECES.findall(left), _PIECES.findall(right), fillvalue=""):
        ranks = (_rank(one), _rank(other))
        if ranks[0] != ranks[1]:
            return 1 if ranks[0] > ranks[1] else -1
    return 0


def _rank(piece: str) -> tuple[int, int, str]:
    """A number counts as itself, words for what comes before a release as less than nothing."""
    if piece.isdigit():
        return (1, int(piece), "")
    if not piece:
        return (0, 0, "")
    word = piece.lower()
    return (_BEFORE[word], 0, word) if word in _BEFORE else (0, 1, word)
