"""Which of two version texts is newer, by the rules that dpkg and rpm share."""

import re
from functools import lru_cache
from typing import Final

_PARTS: Final = re.compile(r"(\D*)(\d*)", re.ASCII)
_EPOCH: Final = re.compile(r"^(\d+):", re.ASCII)
_PUNCTUATION: Final = 0x110000

_Key = tuple[int, tuple[object, ...], tuple[object, ...]]


def is_newer(version: str, than: str) -> bool:
    """Tell whether ``version`` is newer than the other one; an empty text is older than any other.

    Numbers count by value, ``~`` sorts before the end of the text, letters before other characters, the epoch first and
    what follows the last hyphen last (deb-version(7)). Versions of other kinds are ordered the same way.
    """
    if not version or not than:
        return bool(version)
    return _key(version) > _key(than)


@lru_cache(maxsize=4096)
def _key(version: str) -> _Key:
    epoch = _EPOCH.match(version)
    rest = version[epoch.end() :] if epoch else version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    # Digits of hostile length would make int() refuse: nobody's version has more.
    return (int(epoch.group(1)[:18]) if epoch else 0, _part(upstream), _part(revision))


def _part(text: str) -> tuple[object, ...]:
    key: list[object] = []
    for words, digits in _PARTS.findall(text):
        key.append((*map(_weight, words), 0))
        if digits:
            stripped = digits.lstrip("0")
            key.append((len(stripped), stripped))
    return tuple(key)


def _weight(char: str) -> int:
    if char == "~":
        return -1
    return ord(char) if char.isalpha() else ord(char) + _PUNCTUATION
