"""Directories of the embedded services: made privately, never taken over from somebody else."""

import contextlib
import hashlib
import os
import stat
from pathlib import Path
from typing import Final

from server.core.embedded.account import Account
from server.core.embedded.errors import PlaceRefused

_RUN: Final = Path("/run")
_TMP: Final = Path("/tmp")  # noqa: S108 (entries are made privately below, and checked)
_OTHERS_MAY_WRITE: Final = 0o022


def make_data_dir(data_dir: Path) -> Path:
    """Create the data directory where missing and return its real path; refuse one that others may change."""
    path = data_dir.absolute()
    missing = [directory for directory in (path, *path.parents) if not directory.exists()]
    for directory in reversed(missing):
        directory.mkdir(mode=0o700, exist_ok=True)
        if directory != path and os.geteuid() == 0:
            # The service's user must pass through what we made on the way, whatever root's umask is.
            directory.chmod(0o755)
    path = path.resolve()
    status = path.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise PlaceRefused(path=path, reason="it is not a directory")
    if status.st_uid != os.geteuid():
        raise PlaceRefused(path=path, reason=f"it belongs to user number {status.st_uid}; start PatchMon as that user")
    if status.st_mode & _OTHERS_MAY_WRITE:
        raise PlaceRefused(
            path=path, reason="other users may write to it; run `chmod go-w` on it or choose another directory"
        )
    return path


def open_to(account: Account, data_dir: Path) -> None:
    """Let the service's user pass through our data directory, and nobody else; parents are never changed."""
    if (closed := account.closed_parent(data_dir)) is not None:
        reason = (
            f"PostgreSQL runs as the user {account.name}, who may not enter {closed}; "
            "set PATCHMON_DATA_DIR to a directory outside it"
        )
        raise PlaceRefused(path=data_dir, reason=reason)
    if not account.may_enter(data_dir):
        os.chown(data_dir, -1, account.gid)
        data_dir.chmod(stat.S_IMODE(data_dir.stat().st_mode) | 0o010)


def make_private(path: Path, account: Account) -> Path:
    """Create ``path``, or check that it is already a directory of ours; mode 0700, owned by the service's user."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise PlaceRefused(path=path, reason=f"it should be a directory of our own ({error.strerror})") from error
    try:
        if (owner := os.fstat(descriptor).st_uid) not in {os.geteuid(), account.uid}:
            raise PlaceRefused(path=path, reason=f"it belongs to user number {owner}; remove it and start again")
        if account.switch:
            os.fchown(descriptor, account.uid, account.gid)
        os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)
    return path


def make_runtime_dir(data_dir: Path, account: Account) -> Path:
    """Return the private directory of the sockets; its path is short because a socket's may have 107 bytes.

    Not under ``/run/user``: that goes away when the person logs out, and the server stays.
    """
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    for parent in (_RUN, _RUN / "patchmon"):
        if parent.is_dir() and not parent.is_symlink() and _only_ours(parent) and os.access(parent, os.W_OK | os.X_OK):
            if (closed := account.closed_parent(parent / digest)) is None:
                return make_private(parent / f"patchmon-{digest}", account)
            raise PlaceRefused(path=parent, reason=f"the user {account.name} may not enter {closed}")
    return make_private(_TMP / f"patchmon-{os.geteuid()}-{digest}", account)


def _only_ours(directory: Path) -> bool:
    status = directory.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_MAY_WRITE
