"""When the running service becomes a new version of itself: after the jobs, and watched until it is back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Callable, Dict, List, Optional

from agent.system import program
from agent.system.log import Log
from agent.system.loop import in_thread
from agent.system.run import CommandFailed
from agent.updates import trial

#: How ``update-agent`` tells the service that there was nothing to take, and ``report`` that the server offers more.
NOTHING_NEW, UPDATE_OFFERED = 3, 4
_UPDATE_SECONDS = 2100
_LOOK_SECONDS = 1.0


class Renewal:
    """Takes wishes for an update; ``busy`` says whether jobs run, ``leave`` ends the service so that it begins anew."""

    def __init__(
        self,
        file: Path,
        state: Path,
        environment: Dict[str, str],
        log: Log,
        *,
        busy: Callable[[], bool],
        leave: Callable[[], None],
    ) -> None:
        self._file = file
        self._state = state
        self._environment = environment
        self._log = log
        self._busy = busy
        self._leave = leave
        self._wish = ""
        self._bell = asyncio.Event()

    def want(self, *, automatic: bool) -> None:
        """Look for a new version; ``automatic`` takes only what the server offers to this host."""
        self._ask("automatic" if automatic and self._wish != "asked" else "asked")

    def replaced(self) -> None:
        """Somebody has put another file in place."""
        self._ask("replaced")

    def _ask(self, wish: str) -> None:
        self._wish = wish
        self._bell.set()

    def connected(self) -> None:
        """The server was reached: a version on trial stays."""
        if trial.confirm(self._state):
            self._log.info("The new version of the agent has reached the server and stays")

    def guard(self) -> None:
        """See that somebody watches a version that is on trial, also after a restart of the host."""
        if trial.current(self._state) is not None:
            program.start_own_apart(["--config", str(self._file), "update-watch"], self._environment)

    async def work(self) -> None:
        """Carry out wishes, one at a time, never while jobs run."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            wish, self._wish = self._wish, ""
            while await in_thread(self._busy):  # noqa: ASYNC110 (another process)
                await asyncio.sleep(_LOOK_SECONDS)
            if wish == "replaced" or await self._update(automatic=wish == "automatic"):
                await in_thread(self.guard)
                self._leave()
                return

    async def _update(self, *, automatic: bool) -> bool:
        installed = program.program_file()
        if installed is None:
            self._log.warning("Updating itself is not possible: this agent was not started from its installed file")
            return False
        arguments: List[str] = ["--config", str(self._file), "update-agent", "--by-service"]
        if automatic:
            arguments.append("--automatic")
        try:
            code, said = await in_thread(program.run_file, installed, arguments, self._environment, _UPDATE_SECONDS)
        except CommandFailed as error:
            self._log.error("update failed", error=str(error))
            return False
        if code not in (0, NOTHING_NEW):
            self._log.error("Agent was not updated", error=said[-300:])
        return code == 0


def again(file: Path, level: Optional[str]) -> None:
    """Become what the installed file is now.

    Raises:
        OSError: it could not be started.
    """
    installed = program.program_file()
    if installed is not None:
        program.become(installed, ["--config", str(file), *(["--log-level", level] if level else []), "serve"])
