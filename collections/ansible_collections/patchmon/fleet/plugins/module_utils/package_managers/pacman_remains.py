"""Entries of pacman's database that an interrupted run left without their contents."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Iterator

_CONTENTS = ("desc", "files")


def broken(database: Path) -> dict[str, Path]:
    """Folders of packages whose description or list of files is missing or empty, by the package's name."""
    found = {}
    folders = database.glob("local/*/") if (database / "local").is_dir() else ()
    for folder in sorted(folders):
        if not all(_has_text(folder / name) for name in _CONTENTS):
            found[folder.name.rsplit("-", 2)[0]] = folder
    return found


@contextlib.contextmanager
def set_aside(database: Path) -> Iterator[list[str]]:
    """Move broken entries out of pacman's way while they are installed anew; what fails puts them back."""
    found = broken(database)
    moved = [(folder, database / f"{folder.name}.patchmon") for folder in found.values()]
    for folder, aside in moved:
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
    try:
        yield list(found)
    except BaseException:
        for folder, aside in moved:
            if not folder.exists():
                aside.rename(folder)
        raise
    finally:
        for _, aside in moved:
            shutil.rmtree(aside, ignore_errors=True)


def _has_text(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except OSError:
        return False
