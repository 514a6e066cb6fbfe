"""Packages that apk itself has marked as broken in its database, and who holds its lock."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional, Sequence

from .locks import Holder, program_of

_BROKEN = "f:"
_NAME = "P:"


def broken(text: str) -> tuple[str, ...]:
    """Names of packages with a mark: a script, files or attributes that could not be put in their place."""
    found = []
    name = ""
    for line in text.splitlines():
        if line.startswith(_NAME):
            name = line[len(_NAME) :].strip()
        elif line.startswith(_BROKEN) and line[len(_BROKEN) :].strip() and name:
            found.append(name)
    return tuple(sorted(set(found)))


def lock_holder(paths: Sequence[str], listing: str = "/proc/locks") -> Optional[Holder]:
    """The process that holds a lock of apk's kind; these are seen in the kernel's list alone."""
    try:
        rows = [text.split() for text in Path(listing).read_text(encoding="ascii", errors="replace").splitlines()]
    except OSError:
        return None
    held = {row[5].rpartition(":")[2]: int(row[4]) for row in rows if len(row) > 5 and row[1] == "FLOCK"}  # noqa: PLR2004 (the columns)
    for path in paths:
        try:
            inode = str(os.stat(path).st_ino)
        except OSError:
            continue
        if inode in held:
            pid = max(held[inode], 0)
            return Holder(path, pid, program_of(pid))
    return None
