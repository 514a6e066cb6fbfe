"""Questions to the system's own programs: short, in plain English, with a deadline."""

from __future__ import annotations

import subprocess
from typing import Sequence

from agent.system.run import CLEAN, CommandFailed

_SECONDS = 10.0


def ask(argv: Sequence[str], deadline_seconds: float = _SECONDS) -> str:
    """Return what a program prints.

    Raises:
        CommandFailed: it is not there, did not end in time or ended badly.
    """
    try:
        done = subprocess.run(  # noqa: S603 (an argument list of our own, never text of others)
            list(argv), env=CLEAN, stdin=subprocess.DEVNULL, capture_output=True, timeout=deadline_seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandFailed(f"{argv[0]}: {error}") from error
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip()
        raise CommandFailed(f"{argv[0]} ended with {done.returncode}: {words}")
    return done.stdout.decode("utf-8", "replace")
