"""Which report is due: on time, because the server wants one, or because a job changed the host."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Awaitable, Callable

from agent.system.log import Log
from agent.system.run import CommandFailed

FULL, CHECK_IN = "report", "check-in"
_LONGEST_SLEEP_SECONDS = 60.0
_SPREAD_SECONDS = 10.0


class Reports:
    """Which report is wanted next; wishes that arrive while one is made become one."""

    def __init__(self, make: Callable[[str], Awaitable[None]], log: Log) -> None:
        self._make = make
        self._log = log
        self._wanted = ""
        #: The last report did not reach the server.
        self.owed = False
        self._bell = asyncio.Event()
        self._rescheduled = asyncio.Event()

    def want_full(self) -> None:
        """A full report, as soon as possible."""
        self._wanted = FULL
        self._bell.set()

    def want_check_in(self) -> None:
        """A check-in, unless a full report is wanted anyway."""
        self._wanted = self._wanted or CHECK_IN
        self._bell.set()

    async def catch_up(self) -> None:
        """The server is there again: what did not reach it follows soon, and not from the whole fleet at once."""
        if self.owed:
            await asyncio.sleep(random.uniform(0, _SPREAD_SECONDS))  # noqa: S311 (spreads load, guards nothing)
            self.want_check_in()

    def reschedule(self) -> None:
        """The interval or the offset changed."""
        self._rescheduled.set()

    async def rescheduled_before(self, due_at: float) -> bool:
        """Wait for a moment on the clock; True when the schedule changed before."""
        while True:
            left = due_at - time.time()
            if left <= 0:
                return False
            try:
                # In short sleeps: the clock may be set, the machine may have slept.
                await asyncio.wait_for(self._rescheduled.wait(), min(left, _LONGEST_SLEEP_SECONDS))
            except asyncio.TimeoutError:
                continue
            self._rescheduled.clear()
            return True

    async def work(self) -> None:
        """Make the wanted reports, one at a time."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            kind, self._wanted = self._wanted, ""
            if not kind:
                continue
            try:
                await self._make(kind)
            except (CommandFailed, OSError) as error:
                self._log.error("Report failed", kind=kind, error=str(error))
