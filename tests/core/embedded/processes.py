"""What the tests do with processes: a server in a process of its own, and finding what it leaves."""

import json
import os
import pwd
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PARENT = Path(__file__).with_name("parent.py")


def left_in(data_dir: Path) -> list[str]:
    """Return the processes that work in (or were told of) the data directory; both programs go to their folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            works_here = (process / "cwd").readlink().is_relative_to(data_dir)
        except OSError:
            continue
        if works_here or (str(data_dir) in words and int(process.name) != os.getpid() and "pytest" not in words):
            found.append(f"{process.name} {words}")
    return found


def nothing_left_within(data_dir: Path, seconds: float) -> bool:
    """Tell whether everything in the data directory ends in time."""
    deadline = time.monotonic() + seconds
    while left_in(data_dir):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def as_nobody(command: Sequence[str], **more: Any) -> "subprocess.CompletedProcess[str]":
    """Run a command as the user ``nobody``."""
    nobody = pwd.getpwnam("nobody")
    return subprocess.run(
        command, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], capture_output=True, text=True, cwd="/",
        check=False, timeout=60, **more,
    )  # fmt: skip


@contextmanager
def sleeper(uid: int) -> Iterator[int]:
    """Yield the id of a process of that user that does nothing."""
    process = subprocess.Popen(["sleep", "300"], user=uid, cwd="/")
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter and where it finds our code."""

    interpreter: str
    path: str

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment it is started with."""
        return {"PYTHONPATH": self.path, "PATH": os.defpath}


class Parent:
    """A server's process: it starts the services and commits rows as fast as it can, naming each."""

    def __init__(self, data_dir: Path, *, user: int | None = None, python: Python | None = None) -> None:
        python = python or Python(sys.executable, str(ROOT))
        self._process = subprocess.Popen(
            [python.interpreter, str(PARENT), str(data_dir)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, user=user, group=user,
            extra_groups=None if user is None else [], env=python.environment,
        )  # fmt: skip
        self.hello = self._line()
        self.committed: list[int] = []

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process ended early"
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    def wait_for_rows(self, count: int) -> None:
        """Return when that many rows were committed by this process."""
        while len(self.committed) < count:
            self.committed.append(self._line()["committed"])

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does; what it had said until then counts as committed."""
        self._process.kill()
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.committed.append(json.loads(line)["committed"])
        self._process.wait()

    def end(self) -> int:
        """Let it stop its services and end; return its exit code."""
        self._process.communicate(timeout=60)
        return self._process.returncode


def python_of_nobody() -> Python | None:
    """Return a Python of this version that the user ``nobody`` can run with our packages, or ``None``.

    The environment's own may lie in root's closed home; then the system's runs the same packages.
    """
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    for interpreter in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        python = Python(interpreter, f"{ROOT}:{packages}")
        try:
            found = as_nobody([interpreter, "-c", "import aiopg, server.core.embedded"], env=python.environment)
        except (PermissionError, FileNotFoundError):
            continue
        if found.returncode == 0:
            return python
    return None


def kill_after(data_dir: Path, seconds: float) -> None:
    """Start a server and SIGKILL it after that time, whatever it is doing then."""
    process = subprocess.Popen(
        [sys.executable, str(PARENT), str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=ROOT,
        env=Python(sys.executable, str(ROOT)).environment,
    )  # fmt: skip
    time.sleep(seconds)
    process.kill()
    process.communicate()
