"""Finds what an interrupted update of rpm packages left: the new version is there, the old one was never erased."""

from __future__ import annotations

import re
from functools import cmp_to_key
from typing import Iterable, Mapping, NamedTuple

from .base import PackageManagerError
from .processes import look
from .rpm_tools import evr, name_of
from .rpm_version import newer

_FORMAT = "%{NAME}\\t%{EPOCHNUM}\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}\\n"
_CONTENTS = "[%{FILENAMES}\\n]"
_SIDE_BY_SIDE = re.compile(r"^(?:installonlypkg|multiversion)\(", re.MULTILINE)
_KERNELS = ("gpg-pubkey", "kernel")


class Double(NamedTuple):
    """An older version beside a newer one; `word` is what rpm calls it."""

    name: str
    version: str
    word: str


def doubles(root: str, variables: Mapping[str, str]) -> list[Double]:
    """Older versions of packages that are not meant to be installed side by side."""
    known: dict[tuple[str, str], list[Double]] = {}
    for text in _ask(root, variables, "-qa", "--qf", _FORMAT).splitlines():
        words = text.split("\t")
        if len(words) == 5 and not words[0].startswith(_KERNELS):  # noqa: PLR2004 (the columns)
            name, epoch, version, release, architecture = words
            word = f"{name}-{version}-{release}.{architecture}"
            one = Double(name_of(name, architecture), evr(epoch, version, release), word)
            known.setdefault((name, architecture), []).append(one)
    twice = (sorted(found, key=cmp_to_key(_order)) for found in known.values() if len(found) > 1)
    return [one for found in twice for one in found[:-1] if _is_left(root, variables, one, found[-1])]


def _is_left(root: str, variables: Mapping[str, str], old: Double, new: Double) -> bool:
    """Two versions that have not one file in common were put there on purpose."""
    if _SIDE_BY_SIDE.search(_ask(root, variables, "-q", "--provides", old.word)):
        return False
    before, after = (_files(_ask(root, variables, "-q", "--qf", _CONTENTS, one.word)) for one in (old, new))
    return bool(before & after) or not (before or after)


def _files(text: str) -> frozenset[str]:
    return frozenset(name for name in text.splitlines() if name.startswith("/"))


def _ask(root: str, variables: Mapping[str, str], *arguments: str) -> str:
    try:
        return look(["rpm", *([] if root == "/" else ["--root", root]), *arguments], variables)
    except PackageManagerError as problem:
        raise PackageManagerError(f"rpm's database cannot be read: {problem.text}", problem.tail) from problem


def _order(left: Double, right: Double) -> int:
    return 1 if newer(left.version, right.version) else -1


def erase_command(root: str, found: Iterable[Double]) -> list[str]:
    """What ends the update: files that the newer version has too stay."""
    return ["rpm", *([] if root == "/" else ["--root", root]), "-e", *(one.word for one in found)]
