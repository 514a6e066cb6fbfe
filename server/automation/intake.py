"""Events on their way into the database: collected for a moment, stored together, acknowledged after the commit."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from typing import Final

from server.automation import mending, progress
from server.automation.models import Batch, Note, Stored
from server.core.call import Call, World, system
from server.core.db import DatabaseError
from server.core.log import get_log
from server.core.loop import Keeper

log = get_log(__name__)

_GATHER_SECONDS: Final = 0.005
_GROUP_EVENTS: Final = 1000
_GROUP_BYTES: Final = 4 * 1024**2
#: What may wait in memory; beyond it links are read no further, and TCP slows their senders down.
_WAITING_EVENTS: Final = 20_000
_WAITING_BYTES: Final = 32 * 1024**2
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0

Acknowledge = Callable[[Stored], None]


class Intake:
    """One per process; nothing in it is lost when the process dies, because nothing in it was acknowledged."""

    def __init__(self, world: World, keeper: Keeper) -> None:
        self._world = world
        self._waiting: deque[tuple[Note, Acknowledge]] = deque()
        self._events = 0
        self._bytes = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        keeper.start("job-intake", self._run())

    async def put(self, note: Note, acknowledge: Acknowledge) -> None:
        """Queue a note; waits while too much is waiting already. ``acknowledge`` is called once it is stored."""
        while self._events >= _WAITING_EVENTS or self._bytes >= _WAITING_BYTES:
            self._room.clear()
            await self._room.wait()
        self._waiting.append((note, acknowledge))
        self._events += _weight(note)
        self._bytes += _size(note)
        self._news.set()

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            if self._events < _GROUP_EVENTS:
                await asyncio.sleep(_GATHER_SECONDS)
            group = self._take()
            # One acknowledgement per job host, to whoever spoke last for it.
            speakers = {note.job_host_id: acknowledge for note, acknowledge in group}
            try:
                stored = await self._store([note for note, _ in group])
            except Exception:
                # A mistake of ours must not end all intake: these hosts are asked to send again.
                log.exception("intake_failed", notes=len(group))
                stored = [Stored(job_host_id, 0, 0, gap=True) for job_host_id in speakers]
            for one in stored:
                speakers[one.job_host_id](one)

    def _take(self) -> list[tuple[Note, Acknowledge]]:
        group: list[tuple[Note, Acknowledge]] = []
        events = size = 0
        while self._waiting and events < _GROUP_EVENTS and size < _GROUP_BYTES:
            note, acknowledge = self._waiting.popleft()
            group.append((note, acknowledge))
            events += _weight(note)
            size += _size(note)
        self._events -= events
        self._bytes -= size
        if not self._waiting:
            self._news.clear()
        self._room.set()
        return group

    async def _store(self, notes: list[Note]) -> list[Stored]:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._note(notes)
            except (DatabaseError, OSError, TypeError) as error:
                if mending.refuses_value(error):
                    return await self._store_refused(notes, error)
                # The hosts keep everything until it is acknowledged; waiting here loses nothing.
                log.warning("events_not_stored", notes=len(notes), reason=str(error).strip())
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _store_refused(self, notes: list[Note], error: BaseException) -> list[Stored]:
        log.warning("events_mended", notes=len(notes), reason=str(error).strip().splitlines()[0])
        whole = [mending.mended(note) for note in notes]
        try:
            return await self._note(whole)
        except (DatabaseError, TypeError) as again:
            if not mending.refuses_value(again):
                return await self._store(whole)
        stored: dict[int, Stored] = {}
        for note in itertools.chain.from_iterable(map(mending.single, whole)):
            stored.update({one.job_host_id: one for one in await self._store_single(note)})
        return list(stored.values())

    async def _store_single(self, note: Note) -> list[Stored]:
        try:
            return await self._note([note])
        except (DatabaseError, TypeError) as error:
            if not mending.refuses_value(error):
                raise
            log.warning("event_replaced", reason=str(error).strip().splitlines()[0])
            return await self._note([mending.marked(note)])

    async def _note(self, notes: list[Note]) -> list[Stored]:
        return await progress.note(Call(self._world, system("job intake")), notes)


def _weight(note: Note) -> int:
    return len(note.items) if isinstance(note, Batch) else 1


def _size(note: Note) -> int:
    return note.size_bytes if isinstance(note, Batch) else 0
