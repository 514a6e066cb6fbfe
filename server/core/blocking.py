"""Notices when the loop stands still because something in it does not give way, and says what that was.

For development and tests: a thread looks at the loop's thread, which costs some fifty wake-ups a second.
"""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.core.log import get_log

log = get_log(__name__)

#: A callback that runs longer than this is reported.
LIMIT_SECONDS: Final = 0.1
_BEAT_SECONDS: Final = 0.02
_DEEPEST: Final = 25


@dataclass(frozen=True, slots=True)
class Blocked:
    """The loop stood still for this long; the stack was taken while it did."""

    seconds: float
    stack: str


def report(blocked: Blocked) -> None:
    """Write it to the log."""
    log.warning("loop_blocked", seconds=round(blocked.seconds, 3), stack=blocked.stack)


class BlockingWatch:
    """Watches the running loop from ``start`` until ``stop``; waiting for a processor does not count."""

    def __init__(self, say: Callable[[Blocked], None] = report, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._say = say
        self._limit_seconds = limit_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="blocking-watch", daemon=True)
        self._watched = 0
        self._queue = Path()
        self._beat = (0.0, 0.0)
        self._seen: tuple[float, str] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; call it in the loop's own thread."""
        self._watched = threading.get_ident()
        self._queue = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        self._beat = (time.monotonic(), self._queued_seconds())
        self._thread.start()
        self._note()

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
        self._ended.set()
        self._thread.join()

    def _note(self) -> None:
        before, self._beat = self._beat, (time.monotonic(), self._queued_seconds())
        stood = (self._beat[0] - before[0]) - (self._beat[1] - before[1]) - _BEAT_SECONDS
        seen, self._seen = self._seen, None
        if stood > self._limit_seconds:
            self._say(Blocked(stood, seen[1] if seen is not None and seen[0] == before[0] else "(over before a look)"))
        self._timer = asyncio.get_running_loop().call_later(_BEAT_SECONDS, self._note)

    def _look(self) -> None:
        while not self._ended.wait(_BEAT_SECONDS):
            beat = self._beat[0]
            late = time.monotonic() - beat > self._limit_seconds / 2
            if late and (self._seen is None or self._seen[0] != beat):
                self._seen = (beat, self._stack())

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001 (made for this)
        return "".join(traceback.format_stack(frame, limit=_DEEPEST)) if frame is not None else ""

    def _queued_seconds(self) -> float:
        # How long this thread has waited for a processor; unknown where there is no Linux.
        try:
            return int(self._queue.read_bytes().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return 0.0
