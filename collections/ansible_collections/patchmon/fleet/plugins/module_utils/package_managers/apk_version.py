"""Orders versions the way apk does: numbers with dots, a letter, suffixes such as `_rc1`, a release `-r2`."""

from __future__ import annotations

import re

_VERSION = re.compile(
    r"(?P<numbers>\d+(?:\.\d+)*)(?P<letter>[a-z]?)(?P<suffixes>(?:_[a-z]+\d*)*)(?:~[0-9a-f]+)?(?:-r(?P<release>\d+))?"
)
_SUFFIX = re.compile(r"_([a-z]+)(\d*)")
_ORDER = {"alpha": -4, "beta": -3, "pre": -2, "rc": -1, "cvs": 1, "svn": 2, "git": 3, "hg": 4, "p": 5}


def newer(left: str, right: str) -> bool:
    """Tell whether left is the newer version."""
    return _key(left) > _key(right)


def _key(version: str) -> tuple[list[int], str, list[tuple[int, int]], int]:
    found = _VERSION.fullmatch(version)
    if not found:
        return ([], version, [], 0)
    suffixes = [(_ORDER.get(name, 0), int(number or 0)) for name, number in _SUFFIX.findall(found["suffixes"])]
    return (
        [int(number) for number in found["numbers"].split(".")],
        found["letter"],
        [*suffixes, (0, 0)],
        int(found["release"] or 0),
    )
