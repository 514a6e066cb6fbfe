"""Files that are there whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Dict, Mapping

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def write_atomically(path: Path, content: bytes, mode: int = PRIVATE_FILE) -> None:
    """Put content in place so that readers and a power cut see the old or the new, never a part.

    Raises:
        OSError: nothing was changed.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink()
        raise
    _sync_folder(path.parent)


def write_object(path: Path, content: Mapping[str, object]) -> None:
    """As ``write_atomically``, for a JSON object."""
    write_atomically(path, json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode())


def read_object(path: Path) -> Dict[str, object]:
    """Return the JSON object in a file; empty when it is missing, torn or no object."""
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner can enter, and its parents.

    Raises:
        PermissionError: it is a link, or belongs to somebody else: what is in it cannot be trusted.
    """
    path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    found = path.lstat()
    if path.is_symlink() or found.st_uid != os.geteuid():
        raise PermissionError(f"{path} must be a folder that belongs to user {os.geteuid()}")
    if found.st_mode & 0o077:
        path.chmod(PRIVATE_FOLDER)
    return path


def append(path: Path, offset: int, data: bytes) -> None:
    """Write data at ``offset`` of a private file; what stood behind it is gone."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, PRIVATE_FILE)
    with os.fdopen(handle, "wb") as file:
        file.truncate(offset)
        file.seek(offset)
        file.write(data)


def free_bytes(path: Path) -> int:
    """Return how much this user may still write where ``path`` is."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def remove_tree(path: Path) -> None:
    """Delete a folder and everything in it; nothing happens when it is not there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
