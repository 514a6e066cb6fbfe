"""Addresses of static files that change with their content, so that browsers may keep them for a year."""

import functools
import hashlib
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent / "static"
PREFIX: Final = "/static/"
#: What is asked for under an address with the right mark never changes; the rest is asked for again each time.
FOR_GOOD: Final = "public, max-age=31536000, immutable"
EACH_TIME: Final = "no-cache"


def asset(path: str) -> str:
    """Return the address of a static file (``css/tokens.css``) with the mark of its content."""
    return f"{PREFIX}{path}?v={mark(path)}"


def mark(path: str) -> str:
    """Return the mark of a file's content; empty when there is no such file."""
    file = FOLDER / path
    try:
        # One look at the disk: where pages are built, files change while the server runs.
        changed = file.stat().st_mtime_ns
    except (OSError, ValueError):
        return ""
    return _marked(file, changed) if file.is_file() and file.resolve().is_relative_to(FOLDER) else ""


def caching(path: str, given: str) -> str:
    """Return how long a browser may keep what it asked for under ``path`` with the mark ``given``."""
    return FOR_GOOD if given and given == mark(path.removeprefix(PREFIX)) else EACH_TIME


@functools.lru_cache(maxsize=512)
def _marked(file: Path, _changed: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
