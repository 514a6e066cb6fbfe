"""One holder at a time, on this host, until the process ends however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class AlreadyRunning(RuntimeError):
    """Somebody else holds the lock; the text names the process, ``pid`` is 0 when it cannot be told."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"the agent is already running on this host (process {holder or 'unknown'})")
        self.pid = int(holder) if holder.isdecimal() else 0


class Lock:
    """An advisory lock on a file; the kernel releases it with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1

    def take(self) -> None:
        """Take the lock and write our process id into it.

        Raises:
            AlreadyRunning: another process has it.
        """
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(handle, 32).decode("ascii", "replace").strip()
            os.close(handle)
            raise AlreadyRunning(holder) from error
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        self._handle = handle

    def release(self) -> None:
        """Give the lock back."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
