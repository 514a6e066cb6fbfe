# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of /etc and the package database, and the way back; private to this collection."""

from __future__ import annotations

import contextlib
import copy
import os
import re
import shutil
import stat
import tarfile
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable, Iterator, Optional, Sequence

from .package_managers import PackageManagerError
from .package_managers.locks import wait_until_free

PARTS = {
    "etc": ("etc",),
    "package_database": (
        "var/lib/dpkg",
        "var/lib/apt/extended_states",
        "var/lib/rpm",
        "usr/lib/sysimage/rpm",
        "var/lib/pacman/local",
        "lib/apk/db",
        "var/db/pkg",
    ),
}
_LOCKS = ("var/lib/dpkg/lock-frontend", "var/lib/dpkg/lock", "var/lib/rpm/.rpm.lock", "var/lib/pacman/db.lck")
_NAME = re.compile(r"snapshot-[0-9]{8}T[0-9]{6}Z(?:-[0-9]+)?\.tar\.gz")
_SPARE_BYTES = 64 * 1024 * 1024
_SUFFIX = ".patchmon-restore"
_KIB = 1024


class SnapshotError(PackageManagerError):
    """A failure told in a sentence for a person."""


@dataclass(frozen=True)
class Place:
    """Where the system and its archives are; `root` other than `/` is for images and tests."""

    root: Path
    folder: Path
    lock_timeout_seconds: int

    def archives(self) -> list[Path]:
        """The archives that are there, oldest first; other files in the folder are not ours."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted(path for path in found if _NAME.fullmatch(path.name))


@dataclass(frozen=True)
class Taken:
    """What was archived, or would be: sizes in bytes; `removed` are archives beyond the number to keep."""

    archive: Path
    files: int
    content_bytes: int
    archive_bytes: int
    removed: tuple[Path, ...]


def take(place: Place, keep: int, line: Callable[[str], None], *, check: bool) -> Taken:
    """Archive everything of PARTS that exists, then remove the oldest archives beyond `keep`."""
    files, size = _measure(place.root)
    line(f"{files} files, {size // _KIB} KiB in /etc and the package database")
    target = _free_name(place.folder)
    old = tuple(place.archives()[: -(keep - 1)] if keep > 1 else place.archives())
    if check:
        return Taken(target, files, size, 0, old)
    _make_folder(place.folder)
    _enough_space(place.folder, size)
    wait_until_free(_locks(place.root), line, time.monotonic(), place.lock_timeout_seconds)
    written = _write(place.root, place.folder, target)
    for path in old:
        path.unlink()
        line(f"Removed the old snapshot {path.name}")
    line(f"Snapshot {target} written, {written // _KIB} KiB")
    return Taken(target, files, size, written, old)


def restore(place: Place, name: str, parts: Sequence[str], line: Callable[[str], None], *, check: bool) -> list[str]:
    """Put the chosen parts of an archive back over what is there; returns the paths, those that differ only.

    Files that came after the snapshot stay. Each file is replaced in one step.
    """
    archive = _find(place, name)
    wanted = tuple(path for part in parts for path in PARTS[part])
    if not check:
        wait_until_free(_locks(place.root), line, time.monotonic(), place.lock_timeout_seconds)
    line(f"{'Comparing' if check else 'Restoring'} {', '.join(parts)} with {archive.name}")
    try:
        with tarfile.open(archive, "r:gz") as tar:
            _checked(archive, tar)
            # Later Pythons would otherwise drop owners and links: right for strangers' archives, wrong for our own.
            tar.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)
            return [
                f"/{member.name}"
                for member in tar
                if _below(member.name, wanted) and _restore_one(tar, member, place.root, check=check)
            ]
    except (tarfile.TarError, EOFError, OSError) as problem:
        raise SnapshotError(
            f"The snapshot {archive} cannot be restored: {problem}. Look at it with 'tar -tzf'."
        ) from problem


def _measure(root: Path) -> tuple[int, int]:
    files = [path for top in _present(root) for path in _walk(root / top)]
    return len(files), sum(path.lstat().st_size for path in files)


def _present(root: Path) -> list[str]:
    return [path for paths in PARTS.values() for path in paths if (root / path).exists()]


def _walk(top: Path) -> Iterator[Path]:
    if not top.is_dir():
        yield top
        return
    for folder, _folders, names in os.walk(top):
        yield from (Path(folder, name) for name in names)


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise SnapshotError(f"{folder} must be a folder that only its owner can write to. Nothing was changed.")


def _enough_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE_BYTES:
        raise SnapshotError(
            f"Not enough space for a snapshot in {folder}: {free // _KIB} KiB free, "
            f"up to {(size + _SPARE_BYTES) // _KIB} KiB needed. Free some space or choose another folder. "
            "Nothing was changed."
        )


def _locks(root: Path) -> list[str]:
    return [str(root / lock) for lock in _LOCKS]


def _free_name(folder: Path) -> Path:
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    names = [f"snapshot-{now}.tar.gz", *(f"snapshot-{now}-{number}.tar.gz" for number in range(1, 100))]
    return next(folder / name for name in names if not (folder / name).exists())


def _write(root: Path, folder: Path, target: Path) -> int:
    """Write beside the target and rename: an archive with its name is complete."""
    descriptor, part = tempfile.mkstemp(prefix=".snapshot-", suffix=".part", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6, format=tarfile.PAX_FORMAT) as tar:
                for path in _present(root):
                    tar.add(root / path, arcname=path, filter=lambda member: _archived(member, root, folder))
            file.flush()
            os.fsync(file.fileno())
        os.rename(part, target)
    except OSError as problem:
        raise SnapshotError(f"The snapshot could not be written: {problem}. Nothing was changed.") from problem
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
    return target.stat().st_size


def _archived(member: tarfile.TarInfo, root: Path, folder: Path) -> Optional[tarfile.TarInfo]:
    """Leave out devices, pipes, and the archives themselves should somebody keep them below /etc."""
    inside = root / member.name == folder
    return None if inside or not (member.isfile() or member.isdir() or member.issym() or member.islnk()) else member


def _find(place: Place, name: str) -> Path:
    archives = place.archives()
    wanted = [path for path in archives if name in ("latest", path.name, str(path))]
    if not wanted:
        raise SnapshotError(
            f"There is no snapshot {name!r} in {place.folder}; "
            f"there are: {', '.join(path.name for path in archives) or 'none'}. Nothing was changed."
        )
    return wanted[-1]


def _checked(archive: Path, tar: tarfile.TarFile) -> None:
    """Refuse what take() cannot have written, before anything is changed; reading it all also proves it complete."""
    facts = archive.stat()
    if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise SnapshotError(f"{archive} could have been written by somebody else. Nothing was changed.")
    every = tuple(path for paths in PARTS.values() for path in paths)
    wrong = [member.name for member in tar.getmembers() if not _below(member.name, every)]
    if wrong:
        raise SnapshotError(f"{archive} holds what no snapshot holds: {wrong[0]!r}. Nothing was changed.")


def _below(name: str, tops: Sequence[str]) -> bool:
    inside = any(name == top or name.startswith(f"{top}/") for top in tops)
    return inside and ".." not in name.split("/")


def _restore_one(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path, *, check: bool) -> bool:
    target = root / member.name
    if _same(tar, member, target):
        return False
    if not check:
        _put(tar, member, root, target)
    return True


def _same(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> bool:
    try:
        facts = target.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    if member.issym():
        return stat.S_ISLNK(facts.st_mode) and os.readlink(target) == member.linkname
    if (stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid) != (member.mode, member.uid, member.gid):
        return False
    if member.isdir():
        return stat.S_ISDIR(facts.st_mode)
    content = tar.extractfile(member)
    return content is not None and stat.S_ISREG(facts.st_mode) and content.read() == target.read_bytes()


def _put(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path, target: Path) -> None:
    """A file comes beside the old one and takes its place; a folder in the way of a file is not removed."""
    if member.isdir():
        if target.is_symlink() or target.is_file():
            target.unlink()
        tar.extract(member, root, numeric_owner=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = copy.copy(member)
    beside.name = member.name + _SUFFIX
    fresh = root / beside.name
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    tar.extract(beside, root, numeric_owner=True)
    os.replace(fresh, target)
