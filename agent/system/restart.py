"""Restarting this host."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Tuple

_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
_SECONDS = 60


class CannotRestart(RuntimeError):
    """The host is not restarted; the text says why."""


def restart(configured: str, *, installed: bool) -> None:
    """Ask the system for a restart, with the command line of the local file or the system's own; no shell reads it.

    ``installed``: this is the host's service. An agent that somebody runs for himself restarts nothing unless its file
    names a command.

    Raises:
        CannotRestart: nothing was asked for.
    """
    try:
        command = tuple(shlex.split(configured))
    except ValueError as error:
        raise CannotRestart(f"reboot_command: {error}") from error
    if not command:
        if not installed or os.geteuid() != 0:
            raise CannotRestart("the agent is not the host's service, and its file names no reboot_command")
        command = _own()
    try:
        done = subprocess.run(  # noqa: S603 (an argument list of the local administrator)
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_ENVIRONMENT,
            timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRestart(f"{command[0]}: {error}") from error
    if done.returncode:
        said = " ".join(done.stdout.decode("utf-8", "replace").split())[-300:]
        raise CannotRestart(f"{command[0]} ended with {done.returncode}: {said}".rstrip(": "))


def _own() -> Tuple[str, ...]:
    if Path("/run/systemd/system").is_dir():
        return ("systemctl", "reboot")
    return ("shutdown", "-r", "now")
