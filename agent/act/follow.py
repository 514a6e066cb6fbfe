"""Following one job on one connection: its events as they are spooled, its results, its last word."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Awaitable, Callable, Deque, Dict, List, Tuple

from agent.act.folders import JobFolder
from agent.act.spool import Batch, SpoolReader
from agent.protocol.messages import JobEnded, JobPosition, Result
from agent.protocol.session import AgentEffect, AgentSession
from agent.system.log import Log
from agent.system.loop import in_thread

#: Well below the 50 ms after which a batch must have left.
_POLL_SECONDS = 0.02
_LIFE_SECONDS = 1.0
_REPEAT_SECONDS = 60.0
_UPLOAD_RETRY_SECONDS = 2.0
_UPLOAD_RETRY_MOST_SECONDS = 30.0
#: What may be under way unacknowledged; then the reader waits, so a slow server costs no memory here.
_WINDOW_BYTES = 2 * 1024 * 1024
_STORED = (200, 201)
#: About the content itself: trying again cannot help. Everything else may be a proxy or a moment.
_REFUSED = (400, 409, 413, 422)

Send = Callable[[List[AgentEffect]], Awaitable[None]]
#: Puts a result under its digest and returns the status, 0 when no answer came; blocking.
Upload = Callable[[str, bytes], int]


class Gone(Exception):
    """The connection is gone: nothing can be sent on it any more."""


@dataclass(frozen=True)
class Surroundings:
    """What a follower needs of the agent around it."""

    session: AgentSession
    send: Send
    upload: Upload
    over: Callable[[JobFolder], None]
    log: Log
    #: Brings a job that asked for a restart one step further; says whether the server has heard everything.
    restart: Callable[[JobFolder, bool], None]


class Follower:
    """Sends everything behind the given counters until the server says that it may forget the job."""

    def __init__(self, folder: JobFolder, runner: int, live: int, around: Surroundings) -> None:
        self._folder = folder
        self._around = around
        self._reader = SpoolReader(folder.spool, runner, live)
        self._under_way: Deque[Tuple[str, int, int]] = deque()
        self._under_way_bytes = 0
        self._room = asyncio.Event()
        self._told_running = False
        self._told_rebooting = False

    def acknowledged(self, runner: int, live: int) -> None:
        """The server has stored up to these counters."""
        stored: Dict[str, int] = {"runner": runner, "live": live}
        while self._under_way and self._under_way[0][1] <= stored[self._under_way[0][0]]:
            self._under_way_bytes -= self._under_way.popleft()[2]
        self._room.set()

    async def run(self) -> None:
        """Follow the job to its end, or the connection to its."""
        try:
            await self._events()
            await self._last_word()
        except Gone:
            return

    async def _events(self) -> None:
        look_at = 0.0
        while True:
            over = self._folder.ended
            moved = await self._pass_on()
            if not self._told_running and self._folder.begun and not self._folder.waits_for_restart:
                self._told_running = True
                await self._tell("running")
            if moved:
                continue
            if over:
                # It was over before the last look found nothing: nothing can be left.
                return
            now = asyncio.get_running_loop().time()
            if now >= look_at:
                look_at = now + _LIFE_SECONDS
                heard = self._told_rebooting and not self._under_way
                await in_thread(self._note_death, heard)
                if self._folder.rebooting and not self._told_rebooting:
                    self._told_rebooting = True
                    await self._tell("rebooting")
            await asyncio.sleep(_POLL_SECONDS)

    async def _tell(self, state: str) -> None:
        counters = self._reader.counters
        position = JobPosition(self._folder.job, state, counters["runner"], counters["live"])
        await self._around.send(self._around.session.already(position))

    async def _pass_on(self) -> bool:
        before = self._reader.position
        for batch in self._reader.read():
            await self._wait_for_room()
            self._under_way.append((batch.source, batch.last, batch.size_bytes))
            self._under_way_bytes += batch.size_bytes
            await self._send(batch)
        return self._reader.position != before

    async def _wait_for_room(self) -> None:
        while self._under_way_bytes >= _WINDOW_BYTES:
            self._room.clear()
            await self._room.wait()

    async def _send(self, batch: Batch) -> None:
        session = self._around.session
        await self._around.send(session.events(self._folder.job, batch.source, batch.first, batch.items))

    def _note_death(self, heard: bool) -> None:
        try:
            self._end_the_dead(heard)
        except OSError as error:
            # A full disk: the next look may find room for the last word.
            self._around.log.error("A job's end cannot be written yet", job=self._folder.job, error=str(error))

    def _end_the_dead(self, heard: bool) -> None:
        folder = self._folder
        # Alive is asked before ended: one that wrote its last word and left in between is not dead without one.
        if folder.alive or folder.ended or not folder.path.exists():
            return
        if folder.rebooting:
            self._around.restart(folder, heard)
        elif folder.begun:
            folder.end_lost()
        elif folder.complete:
            folder.end("failed", f"The job supervisor ended before the play began. {folder.log_tail()}".strip())

    async def _last_word(self) -> None:
        word = self._folder.last_word()
        kept = [result for result in word.results if await self._uploaded(result)]
        word = JobEnded(word.job, word.status, word.rc, word.reason, word.runner, word.live, word.counters, tuple(kept))
        request_id = self._folder.offer.request_id
        self._around.log.info("Job ended", job=word.job, status=word.status, reason=word.reason, request_id=request_id)
        self._around.over(self._folder)
        while True:
            await self._around.send(self._around.session.ended(word))
            await asyncio.sleep(_REPEAT_SECONDS)

    async def _uploaded(self, result: Result) -> bool:
        file = self._folder.path / "results" / f"{result.digest}.json"
        wait_seconds = _UPLOAD_RETRY_SECONDS
        while True:
            try:
                content = await in_thread(file.read_bytes)
            except FileNotFoundError:
                self._around.log.error("A job's result is gone", job=self._folder.job, module=result.module)
                return False
            status = await in_thread(self._around.upload, result.digest, content)
            if status in _STORED:
                return True
            if status in _REFUSED:
                self._around.log.error(
                    "A job's result was refused", job=self._folder.job, module=result.module, status=status
                )
                return False
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(wait_seconds * 2, _UPLOAD_RETRY_MOST_SECONDS)
