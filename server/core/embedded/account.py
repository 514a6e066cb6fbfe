"""Which system user the embedded services run as."""

import os
import pwd
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.core.embedded.errors import EmbeddedFailure, PlaceRefused
from server.core.embedded.processes import run

_OWN: Final = "patchmon"
_CANDIDATES: Final = (_OWN, "postgres")
_LAUNCHER: Final = Path(__file__).with_name("launch.py")
_SYSTEM_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
# Shadow's command first, then busybox's pair.
_CREATORS: Final = (
    (
        (
            "useradd",
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/bin/false",
            _OWN,
        ),
    ),
    (
        ("addgroup", "-S", _OWN),
        ("adduser", "-S", "-D", "-H", "-h", "/nonexistent", "-s", "/bin/false", "-G", _OWN, _OWN),
    ),
)


@dataclass(frozen=True, slots=True)
class Account:
    """A system user; ``switch`` says that a program must change to it, because we are root."""

    name: str
    uid: int
    gid: int
    switch: bool

    def bound(self, command: Sequence[str], *, on_death: signal.Signals) -> list[str]:
        """Return ``command`` run as this user, with the signal it gets when our process (or thread) ends."""
        uid, gid = (self.uid, self.gid) if self.switch else (-1, -1)
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER)]
        return [*launcher, str(os.getpid()), str(int(on_death)), str(uid), str(gid), *command]

    def may_enter(self, path: Path) -> bool:
        """Tell by owner, group and mode whether this user can pass through (or execute) ``path``."""
        return self._allowed(path, 0o1)

    def may_read(self, path: Path) -> bool:
        """Tell by owner, group and mode whether this user can read ``path``."""
        return self._allowed(path, 0o4)

    def _allowed(self, path: Path, bit: int) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            bit <<= 6
        elif status.st_gid == self.gid:
            bit <<= 3
        return bool(status.st_mode & bit)

    def closed_parent(self, path: Path) -> Path | None:
        """Return the topmost parent directory of ``path`` this user cannot pass through."""
        return next((parent for parent in reversed(path.parents) if not self.may_enter(parent)), None)


def service_account(cluster: Path) -> Account:
    """Return the user that runs, or already owns, the database in ``cluster``.

    An ordinary user runs everything as itself. Root uses the owner of an existing database, else the user
    ``patchmon``, else ``postgres``, else it creates ``patchmon``. Never ``nobody``: other programs share that user.
    """
    if os.geteuid() != 0:
        return _myself()
    if cluster.is_dir():
        return _owner(cluster)
    for name in _CANDIDATES:
        if (account := _named(name)) is not None:
            return account
    return _created()


def _myself() -> Account:
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError as error:
        reason = f"user number {uid} has no name, and PostgreSQL needs one: add it to /etc/passwd, or set DATABASE_URL"
        raise EmbeddedFailure(reason=reason) from error
    return Account(name, uid, os.getegid(), switch=False)


def _named(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name, entry.pw_uid, entry.pw_gid, switch=True) if entry.pw_uid != 0 else None


def _owner(cluster: Path) -> Account:
    uid = cluster.lstat().st_uid
    for name in _CANDIDATES:
        if (account := _named(name)) is not None and account.uid == uid:
            return account
    reason = f"it belongs to user number {uid}; start PatchMon as that user, or give it to {' or '.join(_CANDIDATES)}"
    raise PlaceRefused(path=cluster, reason=reason)


def _created() -> Account:
    for commands in _CREATORS:
        programs = [shutil.which(command[0], path=_SYSTEM_PATH) for command in commands]
        if not all(programs):
            continue
        for program, command in zip(programs, commands, strict=True):
            run("creating the system user patchmon", [str(program), *command[1:]])
        if (account := _named(_OWN)) is not None:
            return account
    reason = (
        f"PostgreSQL refuses to run as root and there is no user {' or '.join(_CANDIDATES)}; "
        f"create the system user {_OWN}, or start PatchMon as an ordinary user"
    )
    raise EmbeddedFailure(reason=reason)
