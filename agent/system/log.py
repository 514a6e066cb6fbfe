"""The agent's log: one text line per record, in a file that rotates itself and, for a service, on standard error."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path
from typing import Dict, Optional

LEVELS: Dict[str, int] = {"debug": 10, "info": 20, "warn": 30, "error": 40}
_MAX_BYTES = 10 * 1024 * 1024
_KEPT_FILES = 5
_KEPT_SECONDS = 14 * 24 * 3600
_FILE_MODE = 0o600
_FOLDER_MODE = 0o700


class Log:
    """Writes records at or above its level.

    Several processes write the same file: each record is one append to whatever file has the name at that moment.
    """

    def __init__(self, path: Optional[Path], level: str, *, on_terminal: bool, max_bytes: int = _MAX_BYTES) -> None:
        self._path = path
        self._threshold = LEVELS.get(level, LEVELS["info"])
        self._on_terminal = on_terminal
        self._max_bytes = max_bytes

    def debug(self, message: str, **fields: object) -> None:
        """Every operation."""
        self._write("debug", message, fields)

    def info(self, message: str, **fields: object) -> None:
        """Key events and summaries."""
        self._write("info", message, fields)

    def warning(self, message: str, **fields: object) -> None:
        """Retries and what is degraded."""
        self._write("warn", message, fields)

    def error(self, message: str, **fields: object) -> None:
        """What somebody must look at."""
        self._write("error", message, fields)

    def failed(self, name: str, error: BaseException) -> None:
        """Record the failure of a background task; debug adds where it came from."""
        self.error("Task failed", task=name, error=f"{type(error).__name__}: {error}")
        if self._threshold <= LEVELS["debug"]:
            import traceback  # noqa: PLC0415 (kept out of the idle daemon)

            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            self.debug("Trace", text=text)

    def _write(self, level: str, message: str, fields: Dict[str, object]) -> None:
        if LEVELS[level] < self._threshold:
            return
        line = _line(level, message, fields)
        if self._on_terminal:
            sys.stderr.write(line)
            sys.stderr.flush()
        if self._path is None:
            return
        try:
            self._append(self._path, line.encode("utf-8", "replace"))
        except OSError as error:
            # The log must never stop the agent: from here on the terminal or the journal has to do.
            self._path, self._on_terminal = None, True
            sys.stderr.write(_line("warn", "Log file cannot be written", {"error": str(error)}))

    def _append(self, path: Path, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            handle = os.open(path, flags, _FILE_MODE)
        except FileNotFoundError:
            path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            handle = os.open(path, flags, _FILE_MODE)
        try:
            os.write(handle, data)
            size = os.fstat(handle).st_size
        finally:
            os.close(handle)
        if size > self._max_bytes:
            _rotate(path, self._max_bytes)


def last_lines(path: Path, count: int) -> str:
    """Return the end of a log, read from its last 64 KiB.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65536))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-count:])


def _line(level: str, message: str, fields: Dict[str, object]) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S")
    rest = "".join(f" {key}={_value(value)}" for key, value in fields.items())
    return f"{stamp} level={level} msg={_quoted(message)}{rest}\n"


def _value(value: object) -> str:
    text = str(value)
    plain = text and not any(character in text for character in ' "=\\') and text.isprintable()
    return text if plain else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return '"' + "".join(character if character.isprintable() else "?" for character in escaped) + '"'


def _rotate(path: Path, max_bytes: int) -> None:
    import gzip  # noqa: PLC0415 (needed once in weeks)
    import shutil  # noqa: PLC0415 (same)

    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        # Another process may have been quicker.
        if path.stat().st_size <= max_bytes:
            return
        stamp = time.strftime("%Y-%m-%dT%H-%M-%S")
        old = path.with_name(f"{path.stem}-{stamp}.{time.time_ns() % 10**9:09}{path.suffix}")
        path.rename(old)
        with old.open("rb") as source, gzip.open(f"{old}.gz", "wb") as target:
            shutil.copyfileobj(source, target)
        Path(f"{old}.gz").chmod(_FILE_MODE)
        old.unlink()
        _prune(path)
    finally:
        os.close(handle)


def _prune(path: Path) -> None:
    rotated = sorted(path.parent.glob(f"{path.stem}-*{path.suffix}.gz"), key=lambda file: file.stat().st_mtime)
    for number, file in enumerate(reversed(rotated)):
        if number >= _KEPT_FILES or time.time() - file.stat().st_mtime > _KEPT_SECONDS:
            file.unlink()
