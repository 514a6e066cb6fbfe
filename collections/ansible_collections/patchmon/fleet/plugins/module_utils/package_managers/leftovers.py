"""Temporary folders named after the process that owns them, so that the next one removes what a killed one left."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Optional


def owned(prefix: str) -> str:
    """The prefix with which this process marks its own folders."""
    return f"{prefix}{os.getpid()}-"


def sweep(prefix: str, folder: Optional[str] = None) -> None:
    """Remove folders whose process is gone, unless a program that it started still works with them."""
    found = [place for place in Path(folder or tempfile.gettempdir()).glob(f"{prefix}*") if _is_left(place, prefix)]
    if not found:
        return
    commands = _commands()
    for place in found:
        if os.fsencode(place) not in commands:
            shutil.rmtree(place, ignore_errors=True)


def _is_left(place: Path, prefix: str) -> bool:
    owner = re.match(r"(\d+)-", place.name[len(prefix) :])
    if owner and Path("/proc", owner.group(1)).exists():
        return False
    try:
        return place.lstat().st_uid == os.geteuid() and place.is_dir() and not place.is_symlink()
    except FileNotFoundError:
        return False


def _commands() -> bytes:
    """The command lines of all processes, one after the other."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_bytes())
        except OSError:
            continue  # it ended meanwhile
    return b"\n".join(lines)
