"""Following a job: subscribe, read behind what was seen, hand over, wait."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Generic, Protocol, TypeVar

from server.automation.events import job_topic
from server.automation.models import EventLine, EventRow, Job, JobHost
from server.automation.queries import events as event_rows
from server.automation.queries import jobs as job_rows
from server.core.call import Call
from server.core.db import Queries
from server.core.errors import Refused, Unknown
from server.core.ids import JobHostId, JobId
from server.core.log import get_log
from server.core.scope import Groups
from server.identity import service as identity

log = get_log(__name__)

_AT_ONCE: Final = 500
_LOOK_SECONDS: Final = 10.0
#: So long what a reader may see holds without looking it up again.
_KNOWN_SECONDS: Final = 2.0
_VIEW: Final = "can_view_hosts"
#: However often the bell rings, a follower reads at most this often.
_REST_SECONDS: Final = 0.02

Seen = TypeVar("Seen", EventLine, EventRow)


class _Read(Protocol[Seen]):
    def __call__(
        self,
        db: Queries,
        groups: Groups,
        job_date: date,
        job_id: JobId,
        *,
        after: int,
        until: int,
        limit: int,
        job_host_id: JobHostId | None,
    ) -> Awaitable[list[Seen]]: ...


@dataclass(frozen=True, slots=True)
class Progress(Generic[Seen]):
    """What a follower has not seen yet; ``position`` is what it remembers next.

    Attributes:
        job: as it is now.
        hosts: those whose state changed.
        over: the job has ended and this is the rest.
    """

    job: Job
    hosts: Sequence[JobHost]
    events: Sequence[Seen]
    position: int
    over: bool


def follow_lines(call: Call, job: Job, after: int) -> AsyncIterator[Progress[EventLine] | None]:
    """Follow a job with its events as JSON text, for programs."""
    return _follow(call, job, after, None, event_rows.list_lines)


def follow_rows(
    call: Call, job: Job, after: int, host: JobHost | None = None
) -> AsyncIterator[Progress[EventRow] | None]:
    """Follow a job (every host's state, the events of one host or all) for pages."""
    return _follow(call, job, after, host.id if host else None, event_rows.list_rows)


class _Asker:
    """Who follows; looked up again every few seconds, since a stream outlives what its reader may see."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._known_at = time.monotonic()

    async def now(self) -> Call | None:
        """Return who follows as they are by now; ``None`` when they may no longer."""
        if time.monotonic() - self._known_at >= _KNOWN_SECONDS:
            try:
                self._call = await identity.again(self._call, _VIEW)
            except (Refused, Unknown) as refused:
                log.info("reader_dismissed", reason=str(refused), user_id=self._call.actor.id)
                return None
            self._known_at = time.monotonic()
        return self._call


async def _follow(
    call: Call, job: Job, after: int, job_host_id: JobHostId | None, read: _Read[Seen]
) -> AsyncIterator[Progress[Seen] | None]:
    # Positions become visible in the order they were handed out: everything up to the job's own position is committed
    # when that position can be read. So one number is all a follower remembers. ``None`` says that it still waits.
    seen = after
    asker = _Asker(call)
    async with call.world.bus.following(job_topic(job.uuid)) as bell:
        while True:
            asked = await asker.now()
            now = await job_rows.find_job(asked.db, asked.actor.scope, job.uuid) if asked else None
            if asked is None or now is None:
                return
            news = await _news(asked, now, seen, job_host_id, read)
            if news.position > seen or news.over:
                yield news
            seen = news.position
            if news.over:
                return
            if now.position <= seen and not await bell.ring(within=_LOOK_SECONDS):
                yield None
            await asyncio.sleep(_REST_SECONDS)


async def _news(call: Call, now: Job, seen: int, job_host_id: JobHostId | None, read: _Read[Seen]) -> Progress[Seen]:
    if now.position <= seen:
        return Progress(now, (), (), seen, over=now.finished_at is not None)
    events = await read(
        call.db,
        call.actor.scope,
        now.job_date,
        now.id,
        after=seen,
        until=now.position,
        limit=_AT_ONCE,
        job_host_id=job_host_id,
    )
    position = events[-1].position if len(events) == _AT_ONCE else now.position
    hosts = await job_rows.list_job_hosts(call.db, call.actor.scope, now.id, after=seen, until=position)
    return Progress(now, hosts, events, position, over=now.finished_at is not None and position >= now.position)
