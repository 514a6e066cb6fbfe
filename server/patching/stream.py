"""Following a run: a snapshot, what it prints, its end; from the rows its job's events are stored in."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from server.automation.events import job_topic
from server.core.bus import Bell
from server.core.call import Call
from server.core.errors import Refused, Unknown
from server.core.log import get_log
from server.identity import service as identity
from server.patching import rules
from server.patching.errors import RunMissing
from server.patching.events import run_topic
from server.patching.models import Status
from server.patching.queries import progress
from server.patching.queries import runs as run_rows

log = get_log(__name__)

_VIEW: Final = "can_view_hosts"
_KNOWN_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 5.0
_AT_ONCE: Final = 500
_CHUNK_CHARACTERS: Final = 256 * 1024

Message: TypeAlias = dict[str, Any]

#: What ``done`` calls states that existing clients do not know.
_STAGES: Final = {
    Status.TIMED_OUT: "failed",
    Status.AGENT_DISCONNECTED: "failed",
    Status.APPROVED: "cancelled",
}


@dataclass(slots=True)
class _Reader:
    """One watcher: who it is by now, and how much it has been told."""

    call: Call
    run: str
    known_at: float
    job_host: str | None = None
    counter: int = 0
    sent: int = 0

    async def still_may(self) -> bool:
        """Tell whether the watcher may look on; looked up again every few seconds."""
        if time.monotonic() - self.known_at >= _KNOWN_SECONDS:
            try:
                self.call = await identity.again(self.call, _VIEW)
            except (Refused, Unknown) as refused:
                log.info("patching: reader dismissed", run=self.run, reason=str(refused))
                return False
            self.known_at = time.monotonic()
        return True

    async def look(self) -> dict[str, Any] | None:
        """Return where the run is; ``None`` when it is gone, or out of the watcher's sight."""
        now = await progress.find_followed(self.call.db, self.call.actor.scope, self.run)
        if now is not None and now["job_host"] != self.job_host:
            self.job_host, self.counter, self.sent = now["job_host"], 0, 0
        return now

    async def lines(self) -> str:
        """Return what was printed since the last time."""
        text = ""
        while self.job_host is not None:
            rows = await progress.list_lines(
                self.call.db, self.call.actor.scope, self.run, self.job_host, self.counter, _AT_ONCE
            )
            text += "".join(row["text"] for row in rows)
            self.counter = rows[-1]["counter"] if rows else self.counter
            if len(rows) < _AT_ONCE or len(text) > _CHUNK_CHARACTERS:
                break
        self.sent += len(text)
        return text

    async def stored(self) -> str:
        """Return the final text."""
        return await run_rows.find_output(self.call.db, self.call.actor.scope, self.run) or ""


class _Ears:
    """The bells of a run and of the job that carries it by now."""

    def __init__(self, call: Call, run: str) -> None:
        self._bus = call.world.bus
        self._run = run
        self._job: str | None = None
        self._stack = AsyncExitStack()
        self._bell: Bell | None = None

    async def turn_to(self, job: str | None) -> bool:
        """Listen to this job; False when that was so already. Read again after True: something may have been missed."""
        if self._bell is not None and job == self._job:
            return False
        await self._stack.aclose()
        topics = (run_topic(self._run), *((job_topic(job),) if job is not None else ()))
        self._bell, self._job = await self._stack.enter_async_context(self._bus.following(*topics)), job
        return True

    async def wait(self) -> None:
        """Wait for a bell, or a few seconds."""
        if self._bell is not None:
            await self._bell.ring(within=_LOOK_SECONDS)

    async def close(self) -> None:
        """Stop listening."""
        await self._stack.aclose()


async def follow(call: Call, run: str) -> AsyncIterator[Message | None]:
    """Yield a run's messages: one ``snapshot``, ``chunk`` after ``chunk``, one ``done``; ``None`` while nothing is new.

    Whoever returns begins with a new snapshot, so nothing is missed. Ends without ``done`` for who may look no longer.
    """
    reader = _Reader(call, run, time.monotonic())
    ears = _Ears(call, run)
    began = False
    try:
        while await reader.still_may():
            now = await reader.look()
            if now is not None and await ears.turn_to(now["job"]):
                continue
            over = now is None or now["status"] in rules.OVER
            text = await _text(reader, now)
            if not began:
                yield _snapshot(reader, now, text)
                began = True
            elif text:
                yield _message("chunk", reader.run, stage="progress", chunk=text)
            if over:
                yield _done(reader, now)
                return
            yield None
            if not text:
                await ears.wait()
    finally:
        await ears.close()


async def _text(reader: _Reader, now: Mapping[str, Any] | None) -> str:
    """Return what the watcher was not told yet: of the stored text once the run is over, else of what was printed."""
    if now is None:
        return ""
    if now["status"] not in rules.OVER:
        return await reader.lines()
    return (await reader.stored())[reader.sent :]


def _message(kind: str, run: str, **fields: Any) -> Message:
    return {"type": kind, "patch_run_id": run, **fields}


def _snapshot(reader: _Reader, now: Mapping[str, Any] | None, text: str) -> Message:
    if now is None:
        raise RunMissing
    return _message("snapshot", reader.run, stage=now["status"], shell_output=text, error_message=now["error_message"])


def _done(reader: _Reader, now: Mapping[str, Any] | None) -> Message:
    if now is None:
        return _message("done", reader.run, stage="cancelled", error_message="The run was deleted")
    stage = _STAGES.get(now["status"], now["status"])
    return _message("done", reader.run, stage=str(stage), error_message=now["error_message"])
