"""A folder as one deterministic zip: the same files give the same bytes on every machine."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
from pathlib import Path
from typing import Dict, List, Mapping, Union

#: What a project may be at most, unpacked; a zip that claims more is refused before anything is written.
MAX_FILES = 10_000
MAX_BYTES = 256 * 1024 * 1024
_MADE_AT = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o644
_SKIPPED_FOLDERS = ("__pycache__", ".git")
_UNIX = 3


class ArchiveError(ValueError):
    """The folder or the zip is not one we carry; the text says which name and why."""


def digest(data: bytes) -> str:
    """Return the name of content: its SHA-256 in lowercase hex."""
    return hashlib.sha256(data).hexdigest()


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return the zip of relative POSIX names and their bytes.

    Stored, not deflated: zlib's output differs between machines, and the digest must not.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(_checked(name), _MADE_AT)
            info.create_system = _UNIX
            info.external_attr = (stat.S_IFREG | _FILE_MODE) << 16
            archive.writestr(info, files[name])
    return buffer.getvalue()


def read_folder(path: Union[str, Path]) -> Dict[str, bytes]:
    """Return every file below ``path`` by its relative POSIX name, without caches and version control.

    Raises:
        ArchiveError: the folder holds a link or something else that is not a plain file.
    """
    root = Path(path)
    files: Dict[str, bytes] = {}
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS)
        for name in sorted(names):
            file = Path(folder, name)
            if not stat.S_ISREG(file.lstat().st_mode):
                raise ArchiveError(f"{file} is not a plain file")
            if file.suffix != ".pyc":
                files[file.relative_to(root).as_posix()] = file.read_bytes()
        for name in folders:
            if Path(folder, name).is_symlink():
                raise ArchiveError(f"{Path(folder, name)} is a link")
    return files


def unpack(data: bytes, target: Union[str, Path], max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES) -> None:
    """Write the files of a zip below ``target``, which is made 0700 when missing; nothing lands outside it.

    Raises:
        ArchiveError: not a zip, too big, or a name, link or duplicate that a project never has. Everything is
            checked before the first file is written.
    """
    root = Path(target)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = _entries(archive, max_bytes, max_files)
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for entry in entries:
                _write(archive, entry, root)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ArchiveError(f"not a readable zip: {error}") from error


def _entries(archive: zipfile.ZipFile, max_bytes: int, max_files: int) -> List[zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > max_files:
        raise ArchiveError(f"more than {max_files} files")
    if sum(entry.file_size for entry in entries) > max_bytes:
        raise ArchiveError(f"more than {max_bytes} bytes unpacked")
    seen = set()
    for entry in entries:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ArchiveError(f"{entry.filename!r} is not a plain file")
        name = _checked(entry.filename.removesuffix("/"))
        if name in seen:
            raise ArchiveError(f"{name!r} is there twice")
        seen.add(name)
    return entries


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, root: Path) -> None:
    place = root.joinpath(*entry.filename.rstrip("/").split("/"))
    try:
        if entry.filename.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ArchiveError(f"{entry.filename!r} is below a file") from error
    with archive.open(entry) as source:
        # The size in the zip's own list was checked against the cap; reading one byte more unmasks a lie.
        content = source.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise ArchiveError(f"{entry.filename!r} is not as long as it says")
    # Exclusive creation does not follow a link that was there before.
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), _FILE_MODE)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _checked(name: str) -> str:
    parts = name.split("/")
    if not name or "\\" in name or ":" in name or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise ArchiveError(f"{name!r} is not a name below the folder")
    return name
