"""The warm process of a job: Ansible's imports happen in it while the job's parts still travel."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Mapping

from .launch import import_paths
from .process import find


class WarmProcess:
    """Starts at once and becomes the play when the launcher calls; without it the play only starts later."""

    def __init__(self, run: Path, environment: Mapping[str, str]) -> None:
        program = str(Path(__file__).with_name("zygote.py"))
        self.pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", program, str(warm_socket(run)), json.dumps(import_paths()), str(os.getpid())],
            environment,
            setsigdef=[signal.SIGHUP, signal.SIGTERM],
            setsigmask=[],
        )

    def close(self) -> None:
        """End it if it still waits; the play it became is not touched."""
        found = find(self.pid)
        if found is None or found.parent != os.getpid():
            return
        if not found.dead:
            os.kill(self.pid, signal.SIGKILL)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            return


def warm_socket(run: Path) -> Path:
    """Return where the warm process waits."""
    return run / "warm.sock"
