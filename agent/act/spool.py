"""Reading a job's spool: whole lines, in order, as batches of one source each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Tuple

from agent.protocol.messages import BATCH_BYTES, SOURCES

Item = Dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """Consecutive events of one source."""

    source: str
    first: int
    items: Tuple[Item, ...]
    size_bytes: int

    @property
    def last(self) -> int:
        """Return the counter of the last event."""
        return self.first + len(self.items) - 1


class SpoolReader:
    """Reads a growing spool; ``counters`` says how far, per source.

    A line that cannot be read ends the reading for good: what a power cut leaves behind is not an event.
    """

    def __init__(self, path: Path, runner: int = 0, live: int = 0) -> None:
        self._path = path
        self._behind = {"runner": runner, "live": live}
        self._offset = 0
        self.counters: Dict[str, int] = dict.fromkeys(SOURCES, 0)
        self.broken = False

    def read(self) -> List[Batch]:
        """Return what is new, at most one batch's size of it (a longer event comes alone); empty when nothing is."""
        lines = self._lines()
        batches: List[Batch] = []
        items: List[Item] = []
        source, first, size = "", 0, 0
        for line in lines:
            found = self._event(line)
            if found is None:
                break
            kind, counter, item = found
            if counter <= self._behind[kind]:
                continue
            if items and kind != source:
                batches.append(Batch(source, first, tuple(items), size))
                items, size = [], 0
            if not items:
                source, first = kind, counter
            items.append(item)
            size += len(line)
        if items:
            batches.append(Batch(source, first, tuple(items), size))
        return batches

    @property
    def position(self) -> int:
        """Return the offset behind the last line read; it tells progress even where everything was skipped."""
        return self._offset

    def _lines(self) -> List[bytes]:
        if self.broken:
            return []
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(BATCH_BYTES)
                while data and b"\n" not in data:
                    more = file.read(BATCH_BYTES)
                    if not more:
                        return []
                    data += more
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.splitlines()

    def _event(self, line: bytes) -> "Tuple[str, int, Item] | None":
        try:
            item = json.loads(line)
            source, counter = item.pop("source"), item["counter"]
        except (ValueError, KeyError, TypeError, AttributeError):
            self.broken = True
            return None
        if source not in self.counters or counter != self.counters[source] + 1:
            self.broken = True
            return None
        self.counters[source] = counter
        return source, counter, item


def count(path: Path) -> Dict[str, int]:
    """Return how many events of each source a spool holds."""
    reader = SpoolReader(path, 2**53, 2**53)
    before = -1
    while reader.position != before:
        before = reader.position
        reader.read()
    return reader.counters
