"""Ends connections that ask for nothing or do not take their answer: they cost the sender next to nothing, us a place.

One look at all of them now and then; what an idle agent's connection costs does not change.
"""

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from server.core.log import get_log
from server.web.admission import Connection

log = get_log(__name__)

#: The head of the first request has to be there within this time; how long a request itself may take is the porch's.
HEAD_SECONDS: Final = 20.0
#: Nothing of a waiting answer was taken for this long.
STALL_SECONDS: Final = 60.0
#: Idle connections are kept longer than the proxies in front of us keep theirs, or they would run into closed doors.
KEEP_ALIVE_SECONDS: Final = 130.0
_LOOK_SECONDS: Final = 5.0


class Watch:
    """What was seen of the connections that are not as they should be: since when, and how much was waiting."""

    def __init__(self, head_seconds: float = HEAD_SECONDS, stall_seconds: float = STALL_SECONDS) -> None:
        self._head_seconds = head_seconds
        self._stall_seconds = stall_seconds
        self._silent: dict[RequestHandler, float] = {}
        self._stalled: dict[RequestHandler, tuple[int, float]] = {}

    def look(self, connections: list[RequestHandler], now: float) -> int:
        """End what has been silent or stalled for too long; return how many those were."""
        self._silent = {one: self._silent.get(one, now) for one in connections if not one._request_count}  # noqa: SLF001 (nothing public tells)
        self._stalled = {one: self._since(one, waiting, now) for one in connections if (waiting := _waiting(one))}
        gone = [one for one, since in self._silent.items() if now - since >= self._head_seconds]
        gone += [one for one, (_, since) in self._stalled.items() if now - since >= self._stall_seconds]
        for one in gone:
            _end(one)
        return len(gone)

    def _since(self, one: RequestHandler, waiting: int, now: float) -> tuple[int, float]:
        before = self._stalled.get(one)
        return before if before is not None and before[0] == waiting else (waiting, now)


async def watch(runner: web.BaseRunner, every_seconds: float = _LOOK_SECONDS, seen: Watch | None = None) -> None:
    """Look at a runner's connections until cancelled."""
    seen = seen or Watch()
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(every_seconds)
        connections_ = [one for one in runner.server.connections if not _waits(one)] if runner.server else []
        if ended := seen.look(connections_, loop.time()):
            log.warning("connections_ended", count=ended, reason="no request, or the answer was not taken")


def _waits(one: RequestHandler) -> bool:
    return isinstance(one, Connection) and one.waits


def _waiting(one: RequestHandler) -> int:
    return one.transport.get_write_buffer_size() if one.transport is not None else 0


def _end(one: RequestHandler) -> None:
    # Not closed but cut: closing waits until what is in the buffer was taken.
    if one.transport is not None:
        one.transport.abort()
