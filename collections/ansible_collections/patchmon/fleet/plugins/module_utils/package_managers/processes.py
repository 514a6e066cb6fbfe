"""Runs the package managers' own tools: quietly for looking, line by line for changing."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections import deque
from typing import IO, Iterator, Mapping, NamedTuple, Sequence

from .base import Line, PackageManagerError

TAIL_LINES = 40
LOOK_TIMEOUT_SECONDS = 300
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


class Finished(NamedTuple):
    """How a streamed command ended; a negative code is the signal that ended it, as in subprocess."""

    code: int
    tail: str
    stopped: bool


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment in plain English and UTF-8, with the system's folders on the path."""
    variables = {name: value for name, value in os.environ.items() if name != "LANGUAGE"}
    path = [folder for folder in variables.get("PATH", "").split(os.pathsep) if folder]
    variables["PATH"] = os.pathsep.join([*path, *(folder for folder in _SYSTEM_PATH if folder not in path)])
    variables.update({"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"})
    variables.update(extra)
    return variables


def look(argv: Sequence[str], variables: Mapping[str, str], accept: Sequence[int] = (0,)) -> str:
    """Standard output of a command that changes nothing; any other exit code is an error with its own words."""
    with _kept() as out, _kept() as words:
        try:
            # Not through pipes: thousands of small pieces would wake us as often, and cost more than the question.
            code = subprocess.run(
                list(argv),
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=words,
                timeout=LOOK_TIMEOUT_SECONDS,
                check=False,
            ).returncode
        except FileNotFoundError as missing:
            raise PackageManagerError(f"{argv[0]} is not installed on this host") from missing
        except subprocess.TimeoutExpired as late:
            raise PackageManagerError(f"{argv[0]} did not answer within {LOOK_TIMEOUT_SECONDS} seconds") from late
        said, complaints = _whole(out), _whole(words)
    if code not in accept:
        summary = _summary(complaints.strip() or said.strip())
        raise PackageManagerError(f"{argv[0]} failed (exit code {code}): {summary}", f"{said}\n{complaints}")
    return said


def _kept() -> IO[bytes]:
    """A file without a name: in memory where the system can, so that a full disk keeps nobody from looking."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("patchmon-answer"), "w+b")
    return tempfile.TemporaryFile()


def _whole(file: IO[bytes]) -> str:
    file.seek(0)
    return _text(file.read())


def stream(argv: Sequence[str], variables: Mapping[str, str], line: Line, shown: str) -> Finished:
    """Run a command and hand over each line as it is printed, errors in their place between the others.

    The first line is `shown`, the command without the options that are the same every time.

    A stop (SIGINT or SIGTERM to this process) is passed on as SIGINT, once, and then waited for: the package manager
    ends at the next safe point. What it printed and changed until then is still told. User names and passwords in
    addresses are left out.
    """
    line(f"$ {shown}")
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with (
        subprocess.Popen(
            list(argv), env=dict(variables), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
        _stop_passed_on(process, line) as stops,
    ):
        for text in _lines(process):
            tail.append(text)
            line(text)
        code = process.wait()
    return Finished(code, "\n".join(tail), bool(stops))


def failure(argv: Sequence[str], finished: Finished) -> PackageManagerError:
    """The error for a streamed command that did not end well."""
    if finished.stopped:
        return PackageManagerError("Stopped on request before the work was complete", finished.tail)
    said = _summary(finished.tail)
    how = f"ended by signal {-finished.code}" if finished.code < 0 else f"exit code {finished.code}"
    return PackageManagerError(f"{os.path.basename(argv[0])} failed ({how}): {said}", finished.tail)


@contextlib.contextmanager
def _stop_passed_on(process: subprocess.Popen[bytes], line: Line) -> Iterator[list[int]]:
    """Collect stop signals while the process runs; outside the main thread Python allows no handlers, so none."""
    stops: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        stops.append(number)
        if len(stops) == 1:
            line("Stopping: waiting for the package manager to finish what it is doing")
            process.send_signal(signal.SIGINT)

    if threading.current_thread() is not threading.main_thread():
        yield stops
        return
    old = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stops
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    assert process.stdout is not None
    for raw in process.stdout:
        for text in _text(raw).rstrip("\r\n").split("\r"):
            if text.strip():
                yield _USERINFO.sub("", text.rstrip())


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").replace("\x00", "\ufffd")


def _summary(words: str) -> str:
    """The lines that carry the errors, else the last one."""
    lines = [text.strip() for text in words.splitlines() if text.strip()]
    errors = [text for text in lines if text.startswith(("E:", "dpkg: error", "Error"))]
    return "; ".join(errors or lines[-1:]) or "no message"
