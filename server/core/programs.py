"""Running somebody else's program on what operators bring: with an empty environment, little time and few rights.

Run by root it becomes ``nobody`` where it can still find its interpreter, so that what a project's files make Ansible
or git do reaches nothing of the server's.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from server.core.loop import in_thread

_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_PIECE_BYTES: Final = 64 * 1024
_NOBODY: Final = "nobody"


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended, and the last of what it printed; ``late``: it took too long and was ended."""

    code: int
    output: str
    late: bool = False


def missing(name: str) -> bool:
    """Tell whether a program is not installed."""
    return shutil.which(name, path=_PATH) is None


@cache
def humble_user() -> int | None:
    """Return the user as whom programs run; ``None`` stays who we are: not root, or ``nobody`` would find nothing."""
    if os.geteuid() != 0:
        return None
    try:
        user = pwd.getpwnam(_NOBODY).pw_uid
    except KeyError:
        return None
    roots = {Path(sys.executable).absolute(), Path(sys.executable).resolve(), Path(sys.prefix).absolute()}
    return user if all(_open_to_all(place) for root in roots for place in (root, *root.parents)) else None


def _open_to_all(place: Path) -> bool:
    return bool(place.stat().st_mode & stat.S_IXOTH)


def hand_over(folder: Path) -> None:
    """Give a folder and everything in it to the user as whom programs run."""
    user = humble_user()
    if user is None:
        return
    for place, _, names in os.walk(folder):
        for one in (place, *(str(Path(place, name)) for name in names)):
            os.chown(one, user, -1, follow_symlinks=False)


async def run(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    seconds: float,
    keep_bytes: int = 256 * 1024,
) -> Done:
    """Run a program to its end in a folder that was handed over; nothing it started outlives it.

    Args:
        command: the program and its arguments; none of them may be a secret, everybody on the machine reads them.
        cwd: where; also its home.
        environment: everything it sees beside PATH, HOME and the language.
        seconds: after so long it is killed.
        keep_bytes: of its output only the last are kept.
    """
    running = _Running(command, cwd, {"PATH": _PATH, "HOME": str(cwd), "LANG": "C.UTF-8", **environment}, keep_bytes)
    try:
        return await in_thread(running.finish, seconds)
    except asyncio.CancelledError:
        running.kill()
        raise


class _Running:
    """A program in a session of its own; it is read in a thread."""

    def __init__(self, command: Sequence[str], cwd: Path, environment: Mapping[str, str], keep_bytes: int) -> None:
        self._command = command
        self._cwd = cwd
        self._environment = environment
        self._keep_bytes = keep_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._late = False
        self._killed = False

    def finish(self, seconds: float) -> Done:
        user = humble_user()
        with subprocess.Popen(
            self._command, cwd=self._cwd, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, user=user,
            extra_groups=None if user is None else [], umask=0o077,
        ) as process:  # fmt: skip
            self._process = process
            if self._killed:
                self.kill()
            timer = threading.Timer(seconds, self._give_up)
            timer.start()
            kept = bytearray()
            try:
                assert process.stdout is not None
                while piece := process.stdout.read1(_PIECE_BYTES):  # type: ignore[attr-defined]
                    kept += piece
                    del kept[: -self._keep_bytes]
                code = process.wait()
            finally:
                timer.cancel()
                # What it left behind in its session.
                self.kill()
        return Done(code, bytes(kept).decode("utf-8", "replace"), self._late)

    def _give_up(self) -> None:
        self._late = True
        self.kill()

    def kill(self) -> None:
        self._killed = True
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
