"""The job's events on disk, in true order, numbered without gaps: the only truth about what happened."""

from __future__ import annotations

import json
import os
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Dict

from agent.protocol.events import Item, rfc3339

#: A play that goes on failing past a cap may add this many more events.
_VITAL_PAST_CAP = 1000


class Spool:
    """Appends events of both sources; safe to call from several threads.

    A write that fails leaves only whole lines behind, ends all writing and stands in ``failure``.
    """

    def __init__(self, path: Path, max_events: int, max_bytes: int, runner: int = 0, live: int = 0) -> None:
        self.counters: Dict[str, int] = {"runner": runner, "live": live}
        self.dropped = 0
        self.failure = ""
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._vital_left = _VITAL_PAST_CAP
        self._lock = threading.Lock()
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._handle).st_size
        self._synced = self._size
        self._capped = False

    def append(self, source: str, item: Item, *, vital: bool = False) -> None:
        """Write one event of "runner" or "live"; past a cap only vital ones, the others are counted."""
        with self._lock:
            if self.failure:
                return
            if self._capped:
                if not vital or self._vital_left <= 0:
                    self.dropped += 1
                    return
                self._vital_left -= 1
            self._write(source, item)
            if not self._capped and not self.failure and self._is_full():
                self._capped = True
                self._write("runner", self._cap_notice())

    def fail(self, reason: str) -> None:
        """Nothing can be written any more, for a reason found elsewhere."""
        with self._lock:
            self.failure = self.failure or reason

    def sync(self) -> None:
        """Make everything written so far survive a power cut."""
        if self._synced == self._size:
            return
        size = self._size
        try:
            os.fsync(self._handle)
        except OSError as error:
            self.fail(error.strerror or str(error))
        self._synced = size

    def close(self) -> None:
        """Sync and close; nothing is written any more."""
        self.sync()
        with self._lock:
            self.failure = self.failure or "closed"
            os.close(self._handle)

    def _write(self, source: str, item: Item) -> None:
        line = {"source": source, "counter": self.counters[source] + 1, **item}
        rest = json.dumps(line, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8") + b"\n"
        length = len(rest)
        try:
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        except OSError as error:
            os.ftruncate(self._handle, self._size)
            self.failure = error.strerror or str(error)
            return
        self._size += length
        self.counters[source] += 1

    def _is_full(self) -> bool:
        return sum(self.counters.values()) >= self._max_events or self._size >= self._max_bytes

    def _cap_notice(self) -> Item:
        return {
            "at": rfc3339(datetime.now(timezone.utc)),
            "event": "cap_reached",
            "message": f"More than {self._max_events} events or {self._max_bytes} bytes: the job goes on, only "
            "failures and the statistics are still recorded.",
        }
