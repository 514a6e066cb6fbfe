"""Starting programs: short ones that are waited for, and long ones bound to this process's life."""

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypeVar

from server.core.embedded.errors import ServiceFailed
from server.core.log import get_log

log = get_log(__name__)

Result = TypeVar("Result")

# Nothing of the server's environment (which may hold secrets) reaches a program.
ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "HOME": "/", "LC_ALL": "C", "TZ": "UTC"}
_TAIL_LINES: Final = 20
_LOCK_PAUSE_SECONDS: Final = 0.01
OLD_INSTANCE_SECONDS: Final = 60.0
_KILLED_SECONDS: Final = 10.0


def run(
    what: str, command: Sequence[str], *, text: str = "", pass_fds: Sequence[int] = (), cwd: Path | None = None
) -> str:
    """Run a short program to its end and return what it printed; ``ServiceFailed`` names ``what`` was being done."""
    try:
        done = subprocess.run(
            command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT,
            pass_fds=pass_fds, cwd=cwd, start_new_session=True, check=False, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise ServiceFailed(name=what, reason=str(error)) from error
    if done.returncode != 0:
        raise ServiceFailed(name=what, reason=last_words(done.stdout.splitlines(), done.returncode))
    return done.stdout


async def finished(work: Callable[[], Result]) -> Result:
    """Run ``work`` in a thread to its very end, even if the caller is cancelled: no half-done start goes on alone."""
    doing = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise


def last_words(lines: Sequence[str], returncode: int) -> str:
    """Return the end of a program's output as one line, or how it ended when it said nothing."""
    said = " | ".join(line.strip() for line in lines[-_TAIL_LINES:] if line.strip())
    return said or (f"ended by signal {-returncode}" if returncode < 0 else f"ended with exit code {returncode}")


def hold_lock(path: Path, *, within_seconds: float, given_up: threading.Event | None = None) -> int | None:
    """Return a descriptor that holds ``path`` exclusively, or ``None`` if others hold it all the time.

    The lock belongs to the open file: a program that inherits the descriptor, and all its children, keep it until
    the last of them is gone. That is how a new server knows that nothing of the old one is left.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline or (given_up is not None and given_up.is_set()):
                os.close(descriptor)
                return None
            time.sleep(_LOCK_PAUSE_SECONDS)
        else:
            return descriptor


@dataclass(frozen=True, slots=True)
class Launch:
    """How a long program is started and ended.

    Attributes:
        command: program and arguments, already bound to this process's life (``Account.bound``).
        lock: held by the program and its children for as long as one of them lives.
        stop: signals and how long each may take, gentlest first; SIGKILL follows by itself.
    """

    name: str
    command: Sequence[str]
    lock: Path
    stop: Sequence[tuple[signal.Signals, float]]


class Child:
    """One running program: its thread starts it, logs what it prints and sees it end.

    The kernel sends the parent-death signal when the *thread* that started the program ends, so that thread must
    live exactly as long as the program does.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._loop = asyncio.get_running_loop()
        self._given_up = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self.started: asyncio.Future[int] = self._loop.create_future()
        self.ended: asyncio.Future[int] = self._loop.create_future()

    async def start(self) -> int:
        """Start the program once nothing of a former one is left; return its process id."""
        threading.Thread(target=self._live, name=f"embedded-{self._launch.name}", daemon=True).start()
        return await asyncio.shield(self.started)

    @property
    def last_words(self) -> str:
        """The end of what the program printed, or how it ended."""
        return last_words(list(self._tail), self.ended.result() if self.ended.done() else 0)

    async def stop(self) -> None:
        """End the program, gently first; returns when it and everything it started are gone."""
        self._given_up.set()
        for number, seconds in (*self._launch.stop, (signal.SIGKILL, _KILLED_SECONDS)):
            if self._process is not None and not self.ended.done():
                self._process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.ended), seconds)
                return
            log.warning("embedded_service_does_not_stop", service=self._launch.name, after=number.name, seconds=seconds)
        raise ServiceFailed(name=self._launch.name, reason="it does not end, not even when killed")

    def _live(self) -> None:
        try:
            process = self._spawn()
        except Exception as error:  # noqa: BLE001 (handed over whole to whoever awaits the start)
            self._tell(self._fail, error)
            return
        self._process = process
        self._tell(self._settle, self.started, process.pid)
        if self._given_up.is_set():
            process.send_signal(self._launch.stop[0][0])
        assert process.stdout is not None
        self._listen(process.stdout)
        self._tell(self._settle, self.ended, process.wait())

    def _spawn(self) -> subprocess.Popen[bytes]:
        lock = hold_lock(self._launch.lock, within_seconds=OLD_INSTANCE_SECONDS, given_up=self._given_up)
        if lock is None:
            raise ServiceFailed(name=self._launch.name, reason=f"a former one still runs and holds {self._launch.lock}")
        try:
            return subprocess.Popen(
                self._launch.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env=ENVIRONMENT, pass_fds=(lock,), cwd="/", start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(lock)

    def _listen(self, output: IO[bytes]) -> None:
        # Ends when every process of the program has closed its end, so nothing of it is left then.
        for raw in output:
            line = raw.decode("utf-8", "replace").rstrip()
            self._tail.append(line)
            level = log.warning if "FATAL" in line or "PANIC" in line else log.debug
            level("embedded_service_says", service=self._launch.name, line=line)

    def _fail(self, error: Exception) -> None:
        if not self.started.done():
            self.started.set_exception(error)
            # A start that nobody awaits any more (stopped meanwhile) is not an error of its own.
            self.started.exception()
        self._settle(self.ended, 1)

    def _settle(self, future: asyncio.Future[int], value: int) -> None:
        if not future.done():
            future.set_result(value)

    def _tell(self, what: Callable[..., None], *facts: object) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *facts)
        except RuntimeError:
            # The loop was closed without stop(): the process ends, and the kernel ends the program with it.
            log.warning("embedded_service_lost_its_loop", service=self._launch.name)
