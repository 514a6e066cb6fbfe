"""Restarting the host between two phases of a job: asked for once, and gone on behind it once."""

from __future__ import annotations

import time
from typing import Callable

from agent import supervise
from agent.act.folders import Folders, JobFolder, boot_id
from agent.supervise import restart
from agent.system import files
from agent.system.log import Log
from agent.system.restart import CannotRestart

_ASKED = "asked.json"
_SECONDS_PER_MINUTE = 60


class Restarts:
    """Takes jobs that want a restart through it; everything it decides by is a file."""

    def __init__(self, folders: Folders, command: Callable[[], None], log: Log) -> None:
        self._folders = folders
        self._command = command
        self._log = log

    def step(self, folder: JobFolder, heard: bool) -> None:
        """Bring a job one step further: ask for the restart, go on behind it, or give up; blocking.

        ``heard``: the server has stored everything of phase one.
        """
        left = restart.read(folder.path)
        if left.boot_id != boot_id():
            self.adopt(folder)
        elif (folder.path / _ASKED).exists():
            self._wait_for_it(folder, left)
        elif (folder.path / "stop.json").exists():
            folder.end("cancelled", "stopped before the host was restarted")
        elif time.time() > left.deadline_at:
            folder.end("failed", "the host was not restarted: the time for it passed while it was not possible")
        elif heard and not self._others(folder):
            self._ask(folder, left)

    def adopt(self, folder: JobFolder) -> None:
        """Go on with a job whose host is back, unless it took too long; nothing happens in the same boot."""
        left = restart.read(folder.path)
        if left.boot_id == boot_id() or folder.alive:
            return
        late_seconds = time.time() - left.deadline_at
        if late_seconds > 0:
            folder.end("timed_out", f"the host came back {round(late_seconds)} s after the time it had for its restart")
            return
        self._log.info("Job goes on after the restart", job=folder.job)
        supervise.start(folder.path, folder.run)

    def _ask(self, folder: JobFolder, left: restart.Left) -> None:
        # Noted before it is done: it is better not to restart a host than to do it twice.
        files.write_object(folder.path / _ASKED, {"at": time.time()})
        self._log.info("Restarting the host", job=folder.job, reason=left.reason)
        try:
            self._command()
        except (CannotRestart, OSError) as error:
            self._log.error("The host cannot be restarted", job=folder.job, error=str(error))
            folder.end("failed", f"the host was not restarted: {error}")

    def _wait_for_it(self, folder: JobFolder, left: restart.Left) -> None:
        if time.time() > left.deadline_at:
            minutes = max(1, round((left.deadline_at - left.at) / _SECONDS_PER_MINUTE))
            folder.end("failed", f"the host was asked to restart and is still the same boot after {minutes} minutes")

    def _others(self, folder: JobFolder) -> bool:
        return any(one.alive for one in self._folders.all() if one.job != folder.job)
