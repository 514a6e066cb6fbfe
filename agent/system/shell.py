"""Commands of whoever relays through this agent: the system's shell, a clean environment, a session of their own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import signal
from pathlib import Path
from typing import Dict, Mapping

from agent.system.loop import in_thread

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LEAVE_SECONDS = 3.0
_LOOK_SECONDS = 0.5
_READ_BYTES = 256 * 1024


async def start(command: bytes, more: Mapping[str, str]) -> asyncio.subprocess.Process:
    """Start a command as a login by SSH would: in the user's home, knowing nothing of the agent's surroundings.

    Args:
        command: what ``/bin/sh`` is given.
        more: variables beside those every login has.
    """
    user = _user()
    return await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=user["HOME"] if await in_thread(Path(user["HOME"]).is_dir) else "/",
        env={**user, **more},
        start_new_session=True,
        limit=_READ_BYTES,
    )


async def end(process: asyncio.subprocess.Process) -> None:
    """End every process of the command's session that stayed in it: asked first, killed a moment later."""
    _signal(process.pid, signal.SIGTERM)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(ended(process), _LEAVE_SECONDS)
    _signal(process.pid, signal.SIGKILL)
    await ended(process)


async def ended(process: asyncio.subprocess.Process) -> int:
    """Wait for the command's end and return its exit code, whoever still holds its output open."""
    waiting = asyncio.ensure_future(process.wait())
    try:
        # ``wait`` alone also waits for the pipes on some versions of Python.
        while process.returncode is None:
            await asyncio.wait([waiting], timeout=_LOOK_SECONDS)
    finally:
        waiting.cancel()
    return process.returncode


def _signal(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def _user() -> Dict[str, str]:
    try:
        found = pwd.getpwuid(os.getuid())
        name, home, shell = found.pw_name, found.pw_dir, found.pw_shell
    except KeyError:
        name, home, shell = str(os.getuid()), "/", "/bin/sh"
    return {
        "PATH": _PATH,
        "HOME": home,
        "USER": name,
        "LOGNAME": name,
        "SHELL": shell or "/bin/sh",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }
