"""Uploaded files: one playbook, or a zip or tar of a folder, read without ever touching the disk. Pure."""

import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Final

from server.library.errors import BadFile
from server.library.models import MOST_BYTES, MOST_FILE_BYTES, MOST_FILES

_SKIPPED: Final = frozenset({".git", "__pycache__", "__MACOSX", ".DS_Store"})
_LONGEST_PATH: Final = 240
_TARS: Final = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_PIECE_BYTES: Final = 64 * 1024
_MOST_ENTRIES: Final = 4 * MOST_FILES


def read(name: str, data: bytes) -> dict[str, bytes]:
    """Return the files of an upload by their relative POSIX names.

    A folder that holds everything is left out. Raises ``BadFile`` for what leads out of the folder, for links and
    devices, for too much, and for what is no archive.
    """
    lower = name.lower()
    if lower.endswith((".yml", ".yaml")):
        return {checked(name.replace("\\", "/").rpartition("/")[2]): data}
    if lower.endswith(".zip"):
        found = dict(_bounded(_of_zip(data)))
    elif lower.endswith(_TARS):
        found = dict(_bounded(_of_tar(data)))
    else:
        raise BadFile(reason="Upload a playbook (.yml) or an archive (.zip, .tar, .tar.gz)")
    if not found:
        raise BadFile(reason="There is no file in the archive")
    return _without_top(found)


def checked(name: str) -> str:
    """Return a file's name below its project; ``BadFile`` for one that leads elsewhere or that no system takes."""
    parts = name.split("/")
    odd = any(not one.isprintable() for one in name) or any(one in name for one in "\\:\0")
    if not name or odd or any(part in {"", ".", ".."} for part in parts) or len(name.encode()) > _LONGEST_PATH:
        raise BadFile(reason=f"{name[:80]!r} is not the name of a file below the project")
    if _SKIPPED & set(parts):
        raise BadFile(reason=f"{name[:80]} is not kept: it belongs to another program")
    return name


def _bounded(entries: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    seen: set[str] = set()
    total = 0
    for name, content in entries:
        if name in seen:
            raise BadFile(reason=f"{name} is in the archive twice")
        seen.add(name)
        total += len(content)
        if len(seen) > MOST_FILES:
            raise BadFile(reason=f"The archive has more than {MOST_FILES} files")
        if total > MOST_BYTES:
            raise BadFile(reason=f"Unpacked the archive is larger than {MOST_BYTES // 1024**2} MiB")
        yield name, content


def _of_zip(data: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_ENTRIES:
                raise BadFile(reason=f"The archive has more than {MOST_FILES} files")
            for entry in entries:
                kind = stat.S_IFMT(entry.external_attr >> 16)
                if entry.is_dir() or _is_skipped(entry.filename):
                    continue
                if kind not in (0, stat.S_IFREG):
                    raise BadFile(reason=f"{entry.filename[:80]} is a link or a device; only plain files are kept")
                name = checked(entry.filename)
                with archive.open(entry) as source:
                    yield name, _limited(name, source)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, OSError) as error:
        raise BadFile(reason="This is not a readable zip archive") from error


def _of_tar(data: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        # As a stream: an archive that unpacks to gigabytes is left when it is too much, not after it.
        with tarfile.open(fileobj=io.BytesIO(data), mode="r|*") as archive:
            for number, entry in enumerate(archive):
                if number > _MOST_ENTRIES:
                    raise BadFile(reason=f"The archive has more than {MOST_FILES} files")
                name = entry.name.removeprefix("./")
                if entry.isdir() or _is_skipped(name):
                    continue
                if not entry.isfile():
                    raise BadFile(reason=f"{name[:80]} is a link or a device; only plain files are kept")
                if entry.size > MOST_FILE_BYTES:
                    raise BadFile(reason=f"{name[:80]} is larger than {MOST_FILE_BYTES // 1024**2} MiB")
                source = archive.extractfile(entry)
                assert source is not None
                yield checked(name), _limited(name, source)
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:
        raise BadFile(reason="This is not a readable tar archive") from error


def _limited(name: str, source: IO[bytes]) -> bytes:
    content = bytearray()
    while piece := source.read(_PIECE_BYTES):
        content += piece
        if len(content) > MOST_FILE_BYTES:
            raise BadFile(reason=f"{name[:80]} is larger than {MOST_FILE_BYTES // 1024**2} MiB")
    return bytes(content)


def _is_skipped(name: str) -> bool:
    return bool(_SKIPPED & set(name.split("/"))) and ".." not in name.split("/")


def _without_top(files: dict[str, bytes]) -> dict[str, bytes]:
    tops = {name.partition("/")[0] for name in files}
    if len(tops) != 1 or any("/" not in name for name in files):
        return files
    # A folder of roles alone is not the wrapping that archives of repositories have.
    if tops & {"roles", "group_vars", "host_vars", "tasks", "files", "templates", "vars", "collections"}:
        return files
    return {name.partition("/")[2]: content for name, content in files.items()}
