"""The file this agent was installed as: where it is, trying another one in its place, and starting it anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from agent.system.run import CLEAN, CommandFailed, own_command

_SERVICE_SECONDS = 60
_STOP_SECONDS = 15.0
_LOOK_SECONDS = 0.1


def program_file() -> Optional[Path]:
    """Return the file that was started, if it is one that can be replaced; None for a source tree or a child."""
    started = Path(sys.argv[0])
    if not started.is_file():
        return None
    with started.open("rb") as file:
        # A line for the shell, then a zip; asking the module of that name would cost the service memory all day.
        line, content = file.readline(256), file.read(2)
    return started.absolute() if line.startswith(b"#!") and content == b"PK" else None


def run_file(file: Path, arguments: Sequence[str], environment: Dict[str, str], seconds: float) -> Tuple[int, str]:
    """Run an agent file with this very Python and return its exit code and what it printed.

    Raises:
        CommandFailed: it could not be started or did not end in time.
    """
    try:
        done = subprocess.run(  # noqa: S603 (the file whose digest was checked)
            [sys.executable, str(file), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**environment, **CLEAN}, timeout=seconds, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandFailed(f"{file.name} {' '.join(arguments[-1:])}: {error}") from error
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()


def become(file: Path, arguments: Sequence[str]) -> None:
    """Replace this process by what is in an agent file now; whoever watches over the process sees the same one.

    Raises:
        OSError: it could not be started; this process goes on.
    """
    os.execv(sys.executable, [sys.executable, str(file), *arguments])  # noqa: S606 (no shell)


def start_apart(command: List[str], environment: Dict[str, str]) -> None:
    """Start a program that outlives this one, with no ties to it."""
    subprocess.Popen(  # noqa: S603 (our own program)
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**environment, **CLEAN}, start_new_session=True, close_fds=True,
    )  # fmt: skip


def start_own_apart(arguments: Sequence[str], environment: Dict[str, str]) -> None:
    """As ``start_apart``, for this version of the agent whatever the installed file is by then."""
    start_apart(own_command(*arguments), environment)


def restart_service(pid: int, command: List[str], environment: Dict[str, str], *, installed: bool) -> None:
    """Start the service anew: by the service manager that has it, else by ending ``pid`` and starting ``command``.

    ``pid`` is 0 when the service does not run.
    """
    for there, words in _MANAGERS if installed else ():
        if Path(there).exists() and _ran(words):
            return
    if pid:
        _end(pid)
    start_apart(command, environment)


_MANAGERS: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    ("/run/systemd/system", ("systemctl", "restart", "patchmon-agent.service")),
    ("/etc/init.d/patchmon-agent", ("rc-service", "patchmon-agent", "restart")),
    ("/usr/local/etc/rc.d/patchmon_agent", ("service", "patchmon_agent", "restart")),
)


def _ran(command: Sequence[str]) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 (a constant)
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=CLEAN, timeout=_SERVICE_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _end(pid: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + _STOP_SECONDS
        try:
            os.kill(pid, number)
            while time.monotonic() < until:
                os.kill(pid, 0)
                time.sleep(_LOOK_SECONDS)
        except ProcessLookupError:
            return
