"""The supervisor's process: from waiting for the job's parts to its last word."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from . import process, restart
from .job import Job
from .launch import record_supervisor
from .layout import clear

_LOG_BYTES = 256 * 1024
_POLL_SECONDS = 0.01
_PATIENT_POLL_SECONDS = 0.1
_PATIENT_AFTER_SECONDS = 60.0


class Supervisor:
    """Waits for one job to become complete and carries it out once."""

    def __init__(self, job_dir: Path, run_dir: Path) -> None:
        self._job_dir = job_dir
        self._job = Job(job_dir, run_dir, log)
        self._parent = os.getppid()

    def supervise(self) -> None:
        """Do all of it; every way out leaves either the job's last word or nothing at all."""
        signal.signal(signal.SIGTERM, lambda _number, _frame: self._job.terminate())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        try:
            self._job.warm_up()
            if self._wait():
                self._job.carry_out()
            else:
                self._leave_nothing()
        except Exception as error:  # noqa: BLE001 (a bug here must end the job, not leave it hanging)
            log(self._job.cleaner.text(traceback.format_exc()))
            self._job.fail(f"job supervisor: {type(error).__name__}: {error}")
        finally:
            self._job.clear()

    def _wait(self) -> bool:
        """Wait for the word; False when the offer died."""
        since = time.monotonic()
        while True:
            if (self._job_dir / "go").exists() or (self._job_dir / "stop.json").exists():
                return True
            if self._offer_died():
                # Whoever gave the word may have ended right after it.
                return (self._job_dir / "go").exists()
            long = time.monotonic() - since > _PATIENT_AFTER_SECONDS
            time.sleep(_PATIENT_POLL_SECONDS if long else _POLL_SECONDS)

    def _offer_died(self) -> bool:
        orphaned = os.getppid() != self._parent
        return orphaned or self._job.terminated or not self._job_dir.exists() or (self._job_dir / "abandon").exists()

    def _leave_nothing(self) -> None:
        for name in ("supervisor.json", "supervisor.log", "reserve"):
            (self._job_dir / name).unlink(missing_ok=True)


def main() -> int:
    """Run as the child that ``launch.start`` spawned: arguments are import paths, job folder and run folder."""
    job_dir, run_dir = Path(sys.argv[2]), Path(sys.argv[3])
    detach()
    try:
        lock = claim(job_dir)
        begun = (job_dir / "started").exists() and not restart.pending(job_dir)
        if lock is None or begun or (job_dir / "ended.json").exists():
            return 0
        found = process.find(os.getpid())
        if found is None:
            raise ProcessLookupError(os.getpid())
        record_supervisor(job_dir, found)
    except FileNotFoundError:
        # The offer died before this process had begun.
        clear(run_dir)
        return 0
    Supervisor(job_dir, run_dir).supervise()
    return 0


def detach() -> None:
    """Own session, no terminal, none of the agent's files; orphans below come to us."""
    try:
        os.setsid()
    except PermissionError:
        log("already the leader of a process group")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 (numbers, not paths)
        if int(name) > sys.stderr.fileno():
            try:
                os.close(int(name))
            except OSError:
                continue  # the listing's own descriptor
    process.become_subreaper()


def claim(job_dir: Path) -> int | None:
    """Lock the job for this process's life; None when another supervisor has it."""
    handle = os.open(job_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def log(text: str) -> None:
    """Write to the supervisor's log, which stops growing at its cap and whose failures stop nothing."""
    try:
        if os.fstat(2).st_size < _LOG_BYTES:
            os.write(2, (text.rstrip("\n") + "\n").encode("utf-8", "replace"))
    except OSError:
        return
