"""What a collector is, and how they are run: side by side, each with a deadline, none able to stop the others."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List, Sequence, Tuple

#: Wire fields of the report (camel case) and their values.
Fields = Dict[str, object]


class Unknown(Exception):
    """A collector cannot find out; the text says why. Its fields stay empty."""


class Partly(Unknown):
    """A collector found something, and the text says what is missing; that is never fatal."""

    def __init__(self, text: str, fields: Fields) -> None:
        super().__init__(text)
        self.fields = fields


@dataclass(frozen=True)
class Host:
    """The host to look at; ``root`` is "/" except where a test looks at a recorded one."""

    root: Path = Path("/")

    def path(self, name: str) -> Path:
        """Return where a system file is."""
        return self.root / name.lstrip("/")

    def read(self, name: str) -> str:
        """Return a small system file as text.

        Raises:
            Unknown: it cannot be read.
        """
        try:
            return self.path(name).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise Unknown(f"{name}: {error.strerror}") from error

    def line(self, name: str) -> str:
        """Return a one-line system file, empty when it cannot be read."""
        try:
            return self.read(name).strip()
        except Unknown:
            return ""

    @property
    def live(self) -> bool:
        """Say whether the kernel may be asked, not only files."""
        return self.root == Path("/")


@dataclass(frozen=True)
class Collector:
    """Looks at one thing and returns its wire fields; ``fatal`` ones make a report worthless when they fail."""

    name: str
    collect: Callable[[Host], Fields]
    deadline_seconds: float = 30.0
    fatal: bool = False


@dataclass(frozen=True)
class Note:
    """Why a collector has nothing to say."""

    collector: str
    text: str
    fatal: bool = False


@dataclass
class Outcome:
    """What all collectors found, and what they could not."""

    fields: Fields = field(default_factory=dict)
    notes: List[Note] = field(default_factory=list)

    @property
    def fatal(self) -> Tuple[Note, ...]:
        """Return the failures that make a report worthless."""
        return tuple(note for note in self.notes if note.fatal)


def run(collectors: Sequence[Collector], host: Host) -> Outcome:
    """Run every collector; a failure or a passed deadline becomes a note."""
    begun = time.monotonic()
    work = [_Work(collector, host) for collector in collectors]
    outcome = Outcome()
    for one in work:
        one.join(begun + one.collector.deadline_seconds - time.monotonic())
        if one.text:
            outcome.notes.append(Note(one.collector.name, one.text, one.collector.fatal and not one.fields))
        outcome.fields.update(one.fields)
    return outcome


class _Work:
    """One collector in its thread; the thread of one that never ends does not keep the process alive."""

    def __init__(self, collector: Collector, host: Host) -> None:
        self.collector = collector
        self.fields: Fields = {}
        self.text = ""
        self._host = host
        self._thread = threading.Thread(target=self._run, name=collector.name, daemon=True)
        self._found: Fields = {}
        self._failed = ""
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the end or the deadline, then say what came out."""
        self._thread.join(max(0.0, seconds))
        if self._thread.is_alive():
            self.text = f"no answer within {self.collector.deadline_seconds:g} s"
            return
        self.fields, self.text = self._found, self._failed

    def _run(self) -> None:
        try:
            self._found = self.collector.collect(self._host)
        except Partly as error:
            self._found, self._failed = error.fields, str(error)
        except Unknown as error:
            self._failed = str(error)
        except Exception as error:  # noqa: BLE001 (becomes a note: one bad collector must not cost the report)
            self._failed = f"{type(error).__name__}: {error}"
