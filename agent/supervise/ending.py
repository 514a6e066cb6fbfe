"""Taking a play down: every descendant is interrupted at once, killed after the grace, and none may be left."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import List, Set, Tuple

from .process import PACKAGE_WRITERS, Collector, Process, descendants

_LOOKS_TO_BE_SURE = 2


@dataclass(frozen=True)
class Cause:
    """Why a play is ended before its own end: the job's status, the reason for people, the time it gets."""

    status: str
    reason: str
    grace_seconds: float


class Ending:
    """One attempt to end everything below this process; call ``step`` again and again until it says True.

    ``helper`` is a process of ours that waits for the others; it is killed as soon as it is alone.
    """

    def __init__(self, cause: Cause, helper: int = 0) -> None:
        self.cause = cause
        self._helper = helper
        self._begun_at = time.monotonic()
        self._kill_at = self._begun_at + cause.grace_seconds
        self._first_kill_at = self._kill_at
        self._interrupted: Set[Tuple[int, int]] = set()
        self._quiet_looks = 0
        self._collector = Collector()

    def hurry(self, grace_seconds: float) -> None:
        """Another wish arrived: end sooner, counted from the beginning; package managers keep their first grace."""
        self._kill_at = min(self._kill_at, self._begun_at + grace_seconds)

    def step(self) -> bool:
        """Signal whoever needs it; True when nobody was there in several looks in a row."""
        family = descendants(os.getpid())
        living = [process for process in family if not process.dead]
        if not living:
            self._collector.collect(family, everyone=False)
            self._quiet_looks += 1
            return self._quiet_looks >= _LOOKS_TO_BE_SURE
        self._quiet_looks = 0
        if time.monotonic() >= self._deadline(living) or all(process.pid == self._helper for process in living):
            for process in living:
                _send(process, signal.SIGKILL)
        else:
            self._interrupt(living)
        return False

    def _deadline(self, living: List[Process]) -> float:
        writing = any(process.name in PACKAGE_WRITERS for process in living)
        return self._first_kill_at if writing else self._kill_at

    def _interrupt(self, living: List[Process]) -> None:
        """Interrupt each once: a second interruption would break what the first one began to clean up."""
        for process in living:
            name = (process.pid, process.start_ticks)
            if name not in self._interrupted:
                self._interrupted.add(name)
                _send(process, signal.SIGINT)


def _send(process: Process, number: signal.Signals) -> None:
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return
