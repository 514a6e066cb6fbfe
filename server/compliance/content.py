"""Scanner content that the server hands out: the datastreams of one folder, and their version."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.compliance import rules
from server.compliance.errors import BadFilename, ContentMissing

_MARKER: Final = ".ssg-version"
_MARKER_MOST: Final = 32
_HEAD_BYTES: Final = 256 * 1024
_VERSION: Final = re.compile(rb"(?:ssg-|scap-security-guide[-_/]?v?|<[\w:-]*version[^>]*>)\s*(\d+\.\d+\.\d+)")


@dataclass(frozen=True, slots=True)
class Content:
    """What there is; without a usable folder no version and no files."""

    version: str | None
    files: tuple[str, ...]


def look(folder: Path) -> Content:
    """Return what a folder offers; reads a file's head where no marker tells the version."""
    if not folder.is_dir():
        return Content(None, ())
    files = tuple(sorted(one.name for one in folder.iterdir() if rules.CONTENT.fullmatch(one.name) and one.is_file()))
    return Content(_version(folder, files) if files else None, files)


def _version(folder: Path, files: tuple[str, ...]) -> str:
    marker = folder / _MARKER
    if marker.is_file() and (told := marker.read_text(encoding="utf-8", errors="replace").strip()[:_MARKER_MOST]):
        return told
    for name in files:
        with (folder / name).open("rb") as file:
            if found := _VERSION.search(file.read(_HEAD_BYTES)):
                return found[1].decode()
    return "unknown"


def path_of(folder: Path, name: str) -> Path:
    """Return a content file; raises ``ContentMissing``, or ``BadFilename`` for what no content is called."""
    if "/" in name or "\\" in name or ".." in name:
        raise ContentMissing
    if not rules.CONTENT.fullmatch(name):
        raise BadFilename
    path = folder / name
    if not path.is_file():
        raise ContentMissing
    return path
