"""Every statement of the background room."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from server.background.models import Last, Run
from server.core.db import Database, Tx, as_json

_RUN = "id, name, args, cause, asked_by, state, attempt, asked_at, began_at, ended_at, error, request_id"


async def note_schedule_begin(db: Database, name: str, now: datetime) -> None:
    """Note that a task of the clock began."""
    await db.execute(
        """
        insert into task_schedule as s (name, began_at, runs) values (%(name)s, %(now)s, 1)
            on conflict (name) do update set began_at = %(now)s, runs = s.runs + 1
        """,
        name=name,
        now=now,
    )


async def note_schedule_end(db: Database, name: str, now: datetime, error: str) -> None:
    """Note how a task of the clock went."""
    await db.execute(
        """
        update task_schedule
           set ended_at = %(now)s, error = %(error)s,
               duration_ms = least(2147483647, greatest(0, extract(epoch from %(now)s - began_at) * 1000))::int,
               failures = failures + (%(error)s <> '')::int,
               failing_since = case when %(error)s <> '' then coalesce(failing_since, %(now)s) end
         where name = %(name)s
        """,
        name=name,
        now=now,
        error=error,
    )


async def list_schedule(db: Database) -> list[Last]:
    """Return how every task of the clock went last."""
    return await db.all(
        """
        select name, began_at, ended_at, duration_ms, error, runs, failures, failing_since
          from task_schedule
         order by name
        """,
        Last,
    )


async def insert_run(tx: Tx | Database, run: Run) -> None:
    """Add a run."""
    await tx.execute(
        """
        insert into task_runs (id, name, args, cause, asked_by, state, attempt, asked_at, began_at, ended_at, error,
                               request_id)
        values (%(id)s, %(name)s, %(args)s::jsonb, %(cause)s, %(asked_by)s, %(state)s, %(attempt)s, %(asked_at)s,
                %(began_at)s, %(ended_at)s, %(error)s, %(request_id)s)
        """,
        id=run.id,
        name=run.name,
        args=as_json(run.args),
        cause=run.cause,
        asked_by=run.asked_by,
        state=run.state,
        attempt=run.attempt,
        asked_at=run.asked_at,
        began_at=run.began_at,
        ended_at=run.ended_at,
        error=run.error,
        request_id=run.request_id,
    )


async def mark_begun(db: Database, run_id: str, now: datetime) -> bool:
    """Let a waiting run begin; tell whether it was waiting."""
    return bool(
        await db.execute(
            "update task_runs set state = 'running', began_at = %(now)s where id = %(id)s and state = 'waiting'",
            id=run_id,
            now=now,
        )
    )


async def mark_ended(db: Database, run_id: str, now: datetime, error: str) -> None:
    """Note how a run went."""
    await db.execute(
        """
        update task_runs
           set state = case when %(error)s = '' then 'done' else 'failed' end, ended_at = %(now)s, error = %(error)s
         where id = %(id)s and state = 'running'
        """,
        id=run_id,
        now=now,
        error=error,
    )


async def fail_open_before(db: Database, begun_before: datetime, asked_before: datetime, now: datetime) -> int:
    """Close runs whose worker died or whose message was lost; return how many."""
    return await db.execute(
        """
        update task_runs
           set state = 'failed', ended_at = %(now)s,
               error = case when state = 'waiting' then 'No worker took it up' else 'The worker stopped' end
         where (state = 'running' and began_at < %(begun_before)s)
            or (state = 'waiting' and asked_at < %(asked_before)s)
        """,
        begun_before=begun_before,
        asked_before=asked_before,
        now=now,
    )


async def find_run(tx: Tx, run_id: str) -> Run | None:
    """Return one run, locked."""
    return await tx.one(f"select {_RUN} from task_runs where id = %(id)s for update", Run, id=run_id)  # noqa: S608 (a constant)


async def list_runs(db: Database, names: Sequence[str], state: str, size: int, offset: int) -> tuple[list[Run], int]:
    """Return a page of runs of the named tasks (none named: of all), newest first, and how many there are."""
    rows: list[dict[str, Any]] = await db.all(
        f"""
        select {_RUN}, count(*) over () as total
          from task_runs
         where (%(names)s::text[] = '{{}}' or name = any(%(names)s::text[]))
           and (%(state)s = '' or state = %(state)s)
         order by asked_at desc, id desc
         limit %(size)s offset %(offset)s
        """,  # noqa: S608 (a constant)
        names=list(names),
        state=state,
        size=size,
        offset=offset,
    )
    total = rows[0]["total"] if rows else 0
    return [Run(**{name: row[name] for name in Run.__slots__}) for row in rows], total


async def count_runs(db: Database, since: datetime) -> dict[str, int]:
    """Return how many runs are open, and how many ended each way since a moment."""
    rows = await db.all(
        """
        select state, count(*) as n
          from task_runs
         where state in ('waiting', 'running') or asked_at >= %(since)s
         group by state
        """,
        since=since,
    )
    return {row["state"]: row["n"] for row in rows}


async def delete_runs(db: Database, before: datetime) -> int:
    """Forget old runs; return how many."""
    return await db.execute("delete from task_runs where asked_at < %(before)s", before=before)
