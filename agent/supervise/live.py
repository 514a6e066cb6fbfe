"""The socket to which modules write lines while they run, and the thread that listens on it."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable, Dict

BATCH_BYTES = 1024
BATCH_SECONDS = 0.05
#: A line without an end is passed on in pieces of this size.
_LONGEST_LINE = 64 * 1024
_MOST_WRITERS = 64
_READ_BYTES = 64 * 1024
_LAST_READS = 64

Write = Callable[[str, datetime], None]


@dataclass
class _Writer:
    """A connected module: ``lines`` are whole and wait for their batch, ``rest`` has no end yet."""

    lines: bytearray = field(default_factory=bytearray)
    rest: bytearray = field(default_factory=bytearray)
    since: float = 0.0
    at: datetime | None = None


class LiveSocket:
    """Listens from construction until ``close``; hands over batches of whole lines in the order they came."""

    def __init__(self, path: Path, write: Write) -> None:
        self._write = write
        self._writers: Dict[socket.socket, _Writer] = {}
        self._selector = selectors.DefaultSelector()
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._server.bind(str(path))
        except OSError:
            self._server.close()
            raise
        path.chmod(0o600)
        self._server.listen(_MOST_WRITERS)
        self._server.setblocking(False)
        self._selector.register(self._server, selectors.EVENT_READ)
        self._bell, waiting = socket.socketpair()
        self._selector.register(waiting, selectors.EVENT_READ)
        self._waiting = waiting
        self._thread = threading.Thread(target=self._listen, name="live", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take what has arrived, hand it over and stop listening."""
        self._bell.send(b".")
        self._thread.join()
        for each in (*self._writers, self._server, self._waiting, self._bell):
            each.close()
        self._selector.close()

    def _listen(self) -> None:
        closing = False
        while not closing:
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is self._server:
                    self._accept()
                elif key.fileobj is self._waiting:
                    closing = True
                else:
                    self._read(key.fileobj)  # type: ignore[arg-type]
            self._hand_over(all_of_it=False)
        self._drain()
        self._hand_over(all_of_it=True)

    def _patience(self) -> float | None:
        """Return how long nothing need be handed over."""
        oldest = min((writer.since for writer in self._writers.values() if writer.lines), default=None)
        return None if oldest is None else max(0.0, oldest + BATCH_SECONDS - time.monotonic())

    def _accept(self) -> None:
        try:
            connection, _ = self._server.accept()
        except OSError:
            return  # the module gave up before its turn came
        if len(self._writers) >= _MOST_WRITERS:
            connection.close()
            return
        connection.setblocking(False)
        self._writers[connection] = _Writer()
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, connection: socket.socket) -> bool:
        """Take what one module wrote; say whether more may follow at once."""
        writer = self._writers[connection]
        try:
            data = connection.recv(_READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(connection)
            connection.close()
            del self._writers[connection]
            self._flush(writer, with_rest=True)
            return False
        self._take(writer, data)
        return True

    def _take(self, writer: _Writer, data: bytes) -> None:
        if not writer.lines:
            writer.since, writer.at = time.monotonic(), datetime.now(timezone.utc)
        for line in data.splitlines(keepends=True) if b"\n" in data else (data,):
            writer.rest += line
            if line.endswith(b"\n") or len(writer.rest) >= _LONGEST_LINE:
                writer.lines += writer.rest if line.endswith(b"\n") else writer.rest + b"\n"
                writer.rest.clear()
            if len(writer.lines) >= BATCH_BYTES:
                self._flush(writer)

    def _hand_over(self, *, all_of_it: bool) -> None:
        now = time.monotonic()
        for writer in self._writers.values():
            if all_of_it or (writer.lines and now - writer.since >= BATCH_SECONDS):
                self._flush(writer, with_rest=all_of_it)

    def _flush(self, writer: _Writer, *, with_rest: bool = False) -> None:
        if with_rest and writer.rest:
            writer.lines += writer.rest + b"\n"
            writer.rest.clear()
        if writer.lines:
            text = writer.lines.decode("utf-8", "replace")
            writer.lines.clear()
            self._write(text, writer.at or datetime.now(timezone.utc))

    def _drain(self) -> None:
        self._accept_waiting()
        for connection in tuple(self._writers):
            # Whoever outlives the play and goes on writing must not hold up its end.
            for _ in range(_LAST_READS):
                if not self._read(connection):
                    break

    def _accept_waiting(self) -> None:
        before = -1
        while before != len(self._writers):
            before = len(self._writers)
            self._accept()
