"""The agent's side of the supervisor: start one, ask whether it lives, tell it to stop."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import List, Sequence

from . import process
from .environment import agent_environment, play_environment
from .record import read_object, write_durably

_NEEDS_PYTHON = (3, 11)
_START = "import json,sys; sys.path[:]=json.loads(sys.argv[1]); from agent.supervise.main import main; sys.exit(main())"


class CannotSupervise(RuntimeError):
    """This host cannot run jobs itself; the text says why."""


def start(job_dir: Path, run_dir: Path, agent: Sequence[str] = ()) -> int:
    """Start the supervisor of a job and return its process id; it warms up and waits for ``job_dir/go``.

    ``agent`` is the command line of the agent itself, for what a play can ask only of it.

    Calling again for a job whose supervisor lives returns that one. The supervisor is a child of the caller only until
    the caller ends; nothing of the caller's environment, files or terminal reaches it.

    Raises:
        CannotSupervise: Python is too old for ansible-core here.
        OSError: no process can be started, or the folder is gone.
    """
    if sys.version_info < _NEEDS_PYTHON:
        raise CannotSupervise("Jobs on the host need Python 3.11 or newer.")
    if alive(job_dir):
        return _pid(job_dir)
    null = os.devnull
    log = str(job_dir / "supervisor.log")
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-c", _START, json.dumps(import_paths()), str(job_dir), str(run_dir)],
        play_environment(agent_environment(), job_dir.name, run_dir, agent),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, null, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        # A stop that arrives before the child can listen waits for it.
        setsigmask=[signal.SIGTERM],
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD],
    )
    _record(job_dir, pid)
    return pid


def alive(job_dir: Path) -> bool:
    """Say whether the supervisor of this job lives, in this boot and under the process id it recorded."""
    recorded = read_object(job_dir / "supervisor.json")
    if not recorded or recorded.get("boot_id") != process.boot_id():
        return False
    found = process.find(_number(recorded.get("pid")))
    if found is None or found.start_ticks != recorded.get("start_ticks"):
        return False
    if found.dead:
        process.reap(found.pid)
        return False
    return True


def stop(job_dir: Path, grace_seconds: int) -> None:
    """Ask for the job's end: every process of it is interrupted now and killed after the grace."""
    try:
        write_durably(job_dir / "stop.json", {"grace_seconds": grace_seconds})
    except OSError:
        # A full disk often still has room for a name; the offer's own grace counts then.
        (job_dir / "stop.json").touch(mode=0o600)
    if alive(job_dir):
        try:
            os.kill(_pid(job_dir), signal.SIGTERM)
        except ProcessLookupError:
            return


def import_paths() -> List[str]:
    """Return where this program's own modules come from, never the current directory."""
    own = str(Path(__file__).resolve().parents[2])
    return list(dict.fromkeys([own, *(path for path in sys.path if os.path.isabs(path))]))  # noqa: PTH117 (text in, text out)


def record_supervisor(job_dir: Path, found: process.Process) -> None:
    """Write down who supervises the job, for every later agent process."""
    write_durably(
        job_dir / "supervisor.json",
        {"pid": found.pid, "start_ticks": found.start_ticks, "boot_id": process.boot_id()},
    )


def _record(job_dir: Path, pid: int) -> None:
    # The supervisor does the same; done here as well, ``alive`` is right from the first moment on.
    found = process.find(pid)
    if found and not found.dead:
        record_supervisor(job_dir, found)


def _pid(job_dir: Path) -> int:
    return _number(read_object(job_dir / "supervisor.json").get("pid"))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
