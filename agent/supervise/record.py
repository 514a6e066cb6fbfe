"""Files of a job that must survive a power cut: written whole, or once and never again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Dict, Mapping

_MODE = 0o600


def write_durably(path: Path, content: Mapping[str, object]) -> None:
    """Put a JSON object in place so that readers see the old or the new text, also after a power cut."""
    _prepared(path, content).replace(path)
    sync_folder(path.parent)


def write_once(path: Path, content: Mapping[str, object]) -> bool:
    """As ``write_durably``, but False, changing nothing, when the file is already there."""
    prepared = _prepared(path, content)
    try:
        os.link(prepared, path)
    except FileExistsError:
        return False
    finally:
        prepared.unlink()
    sync_folder(path.parent)
    return True


def read_object(path: Path) -> Dict[str, object]:
    """Return the JSON object in a file; empty when it is missing or no object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _prepared(path: Path, content: Mapping[str, object]) -> Path:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, separators=(",", ":"))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        beside.unlink()
        raise
    return beside
