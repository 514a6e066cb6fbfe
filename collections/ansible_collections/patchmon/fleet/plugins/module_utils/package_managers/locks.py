"""Tells who holds a package manager's lock files and waits for them to be free."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from pathlib import Path
from typing import Callable, NamedTuple, Optional, Sequence

from .base import Line, PackageManagerError

SAY_EVERY_SECONDS = 3.0
_LOOK_EVERY_SECONDS = 0.25
_FLOCK = "hhqqi"


class Holder(NamedTuple):
    """A process that holds a lock; pid 0 when it lives where we cannot see it."""

    path: str
    pid: int
    program: str

    def __str__(self) -> str:
        """Name it for a person."""
        who = f"{self.program} (process {self.pid})" if self.program else f"process {self.pid}"
        return f"{who if self.pid else 'another program'} holds {self.path}"


def holder(paths: Sequence[str]) -> Optional[Holder]:
    """The first process in the way; None when all are free, missing or not ours to ask about."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            pid = _locked_by(path)
            if pid is not None:
                return Holder(path, pid, program_of(pid))
    return None


def wait_until_free(
    paths: Sequence[str],
    line: Line,
    started: float,
    timeout_seconds: float,
    who: Callable[[Sequence[str]], Optional[Holder]] = holder,
) -> None:
    """Wait, saying so every few seconds; `started` is a time.monotonic() so that several waits share one limit.

    `who` names the process in the way, for managers that do not use locks of the kernel.
    """
    said = 0.0
    while True:
        busy = who(paths)
        if busy is None:
            return
        waited = time.monotonic() - started
        if waited >= timeout_seconds:
            raise PackageManagerError(
                f"Gave up after {timeout_seconds:.0f} seconds: {busy}. Nothing was changed by this run; "
                "start it again when that program has ended."
            )
        if not said or time.monotonic() - said >= SAY_EVERY_SECONDS:
            said = time.monotonic()
            line(f"Waiting: {busy} ({waited:.0f} of at most {timeout_seconds:.0f} seconds)")
        time.sleep(min(_LOOK_EVERY_SECONDS, max(timeout_seconds - waited, 0.01)))


def _locked_by(path: str) -> Optional[int]:
    """Ask the kernel without taking the lock, so that nobody else ever fails because we looked."""
    question = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, question)
    finally:
        os.close(descriptor)
    kind, _whence, _start, _length, pid = struct.unpack(_FLOCK, answer)
    return None if kind == fcntl.F_UNLCK else max(int(pid), 0)


def program_of(pid: int) -> str:
    """Name of a process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
