"""Other programs: argument lists, a clean environment and a deadline, always."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Dict, List, Sequence

CLEAN: Dict[str, str] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "LANGUAGE": "C",
}
_START = "import json,sys; sys.path[:]=json.loads(sys.argv.pop(1)); from agent.cli import main; sys.exit(main())"
_LEAVE_SECONDS = 1.0


class CommandFailed(RuntimeError):
    """A program could not be started, did not end in time, or ended badly; the text says which."""


def own_command(*arguments: str) -> List[str]:
    """Return the command line that runs this very program with other arguments, isolated from its surroundings."""
    import json  # noqa: PLC0415 (the daemon alone needs it here)

    own = str(Path(__file__).resolve().parents[2])
    paths = list(dict.fromkeys([own, *(path for path in sys.path if path.startswith("/"))]))
    return [sys.executable, "-I", "-c", _START, json.dumps(paths), *arguments]


async def run_own(arguments: Sequence[str], environment: Dict[str, str], deadline_seconds: float) -> int:
    """Run this agent program as a child of its own and return its exit code; cancelling ends the child.

    What a collector or a big report takes of memory and time goes away with that process.

    Raises:
        CommandFailed: it did not end in time, and was killed.
    """
    process = await asyncio.create_subprocess_exec(
        *own_command(*arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        env={**environment, **CLEAN},
    )
    try:
        return await asyncio.wait_for(process.wait(), deadline_seconds)
    except asyncio.TimeoutError as error:
        raise CommandFailed(f"{arguments[-1]} did not end within {deadline_seconds:g} s") from error
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _LEAVE_SECONDS)
    except asyncio.TimeoutError:
        process.kill()
