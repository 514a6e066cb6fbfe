"""Statements about events: written in sets, read by position."""

from datetime import date
from typing import Any, Final

from server.automation.models import EventLine, EventRow
from server.core.db import Queries, Tx, as_json
from server.core.ids import JobHostId, JobId
from server.core.scope import Groups, in_scope


async def insert_events(tx: Tx, batches: list[dict[str, Any]]) -> None:
    """Store batches.

    Each has ``d`` job date, ``h`` job host, ``j`` job, ``s`` source, ``f`` first counter, ``p`` first position,
        ``i`` items.
    The items go through unread; what does not fit a column makes PostgreSQL refuse the whole statement.
    """
    await tx.execute(
        """
        insert into job_events (job_date, job_host_id, source, counter, job_id, position, at, event, uuid, parent,
                                play, task,
                                task_uuid, action, role, duration, changed, ignored, stdout, message, result)
        select b.d, b.h, b.s, b.f + e.place - 1, b.j, b.p + e.place - 1, coalesce(e.at, now()), coalesce(e.event,
               ''), e.uuid,
               e.parent, e.play, e.task, e.task_uuid, e.action, e.role, e.duration, e.changed, e.ignored, e.stdout,
                   e.message,
               coalesce(e.result, e.stats)
          from jsonb_to_recordset(%(batches)s::jsonb)
               as b(d date, h bigint, s smallint, f integer, j integer, p bigint, i jsonb)
         cross join lateral rows from (
               jsonb_to_recordset(b.i)
               as (at timestamptz, event text, uuid text, parent text, play text, task text, task_uuid text,
                   action text,
                   role text, duration real, changed boolean, ignored boolean, stdout text, message text, result jsonb,
                   stats jsonb)
               ) with ordinality
               as e(at, event, uuid, parent, play, task, task_uuid, action, role, duration, changed, ignored,
                    stdout, message,
                    result, stats, place)
            on conflict do nothing
        """,
        batches=as_json(batches),
    )


#: No position is larger.
LAST: Final = 2**62

# Ranges of positions in a job, of one host or of all.
_RANGE: Final = f"""
     where {in_scope("h.host_id")}
       and e.job_date = %(job_date)s and e.job_id = %(job_id)s and e.position > %(after)s and e.position <= %(until)s
       and (%(job_host_id)s::bigint is null or e.job_host_id = %(job_host_id)s)
     order by e.position
     limit %(limit)s
"""

_LINES: Final = (
    """
    select e.position, to_json(o)::text as text
      from job_events e
      join job_hosts h on h.id = e.job_host_id
     cross join lateral (
           select e.position, h.uuid as job_host, h.host_name as host,
                  case e.source when 0 then 'runner' else 'live' end as source, e.counter, e.at, e.event, e.uuid,
                  e.parent, e.play, e.task, e.task_uuid, e.action, e.role, e.duration, e.changed, e.ignored, e.stdout,
                  e.message, e.result
           ) o
    """  # noqa: S608 (both parts are constants)
    + _RANGE
)

_ROWS: Final = """
    select e.position, e.job_host_id, h.uuid as job_host, h.host_name,
           case e.source when 0 then 'runner' else 'live' end as source, e.counter, e.at, e.event, e.uuid, e.play,
           e.task, e.task_uuid, e.action, e.duration, e.changed, e.ignored, e.stdout, e.message,
           e.result is not null as has_result
      from job_events e
      join job_hosts h on h.id = e.job_host_id
"""


async def list_lines(
    db: Queries,
    groups: Groups,
    job_date: date,
    job_id: JobId,
    *,
    after: int = 0,
    until: int = LAST,
    limit: int = 1000,
    job_host_id: JobHostId | None = None,
) -> list[EventLine]:
    """Return events behind a position as JSON text for the outside."""
    return await db.all(
        _LINES,
        EventLine,
        groups=groups,
        job_date=job_date,
        job_id=job_id,
        after=after,
        until=until,
        limit=limit,
        job_host_id=job_host_id,
    )


async def list_rows(
    db: Queries,
    groups: Groups,
    job_date: date,
    job_id: JobId,
    *,
    after: int = 0,
    until: int = LAST,
    limit: int = 1000,
    job_host_id: JobHostId | None = None,
) -> list[EventRow]:
    """Return events behind a position for pages; results stay where they are."""
    return await db.all(
        _ROWS + _RANGE,
        EventRow,
        groups=groups,
        job_date=job_date,
        job_id=job_id,
        after=after,
        until=until,
        limit=limit,
        job_host_id=job_host_id,
    )


async def list_runner_rows(
    db: Queries, job_date: date, job_id: JobId, job_host_id: JobHostId, *, until: int, limit: int
) -> list[EventRow]:
    """Return the play's own events of one host, from the beginning."""
    return await db.all(
        _ROWS
        + """
         where e.job_date = %(job_date)s and e.job_host_id = %(job_host_id)s and e.source = 0
               and e.position <= %(until)s
         order by e.counter
         limit %(limit)s
        """,
        EventRow,
        job_date=job_date,
        job_id=job_id,
        job_host_id=job_host_id,
        until=until,
        limit=limit,
    )


async def list_last_output(
    db: Queries, job_date: date, job_id: JobId, job_host_id: JobHostId, *, until: int, limit: int
) -> list[EventRow]:
    """Return the last events of one host that printed something, in order."""
    rows = await db.all(
        _ROWS
        + """
         where e.job_date = %(job_date)s and e.job_id = %(job_id)s and e.job_host_id = %(job_host_id)s
           and e.position <= %(until)s and e.stdout <> ''
         order by e.position desc
         limit %(limit)s
        """,
        EventRow,
        job_date=job_date,
        job_id=job_id,
        job_host_id=job_host_id,
        until=until,
        limit=limit,
    )
    return rows[::-1]


async def has_events(db: Queries, job_date: date, job_host_id: JobHostId) -> bool:
    """Tell whether anything that a host sent about its job is still here."""
    found: bool = await db.value(
        """
        select exists (select from job_events
                        where job_date = %(job_date)s and job_host_id = %(job_host_id)s)
        """,
        job_date=job_date,
        job_host_id=job_host_id,
    )
    return found


async def find_event_result(
    db: Queries, groups: Groups, job_date: date, job_id: JobId, position: int
) -> dict[str, Any] | None:
    """Return one event with its result."""
    return await db.one(
        f"""
        select e.position, e.event, e.task, e.message, e.result
          from job_events e
          join job_hosts h on h.id = e.job_host_id
         where {in_scope("h.host_id")}
           and e.job_date = %(job_date)s and e.job_id = %(job_id)s and e.position = %(position)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        job_date=job_date,
        job_id=job_id,
        position=position,
    )
