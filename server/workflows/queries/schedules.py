"""Statements about schedules and what they started."""

from datetime import datetime
from typing import Final, cast

import msgspec

from server.core.db import Queries, Tx, as_json
from server.workflows.models import Row, Schedule, Task

_ROW: Final = """
    select s.id, s.name, s.cron, s.timezone, s.workflow_id, w.name as workflow_name, s.task, s.secrets_sealed,
           s.enabled, s.missed, s.owner_id, s.owner, s.considered_until, s.created_at, s.updated_at,
           l.due_at as last_at, l.outcome as last_outcome, l.reason as last_reason, l.job as last_job,
           l.run_id as last_run
      from schedules s
      left join workflows w on w.id = s.workflow_id
      left join lateral (select * from schedule_starts t
                          where t.schedule_id = s.id
                          order by t.id desc
                          limit 1) l on true
"""
# Who is limited to host groups sees their own: the others name hosts beyond them.
_SEEN: Final = " (%(owner)s = '' or s.owner_id::text = %(owner)s)"
_MATCHING: Final = (
    _SEEN
    + """ and (%(search)s = '' or position(lower(%(search)s) in lower(s.name || ' ' || coalesce(w.name, '') || ' '
                                       || (s.task ->> 'playbook') || ' ' || s.owner)) > 0)"""
)


def schedule_of(row: Row) -> Schedule:
    """Return a row as decisions about it need it."""
    return Schedule(
        id=row["id"],
        name=row["name"],
        cron=row["cron"],
        timezone=row["timezone"],
        workflow=row["workflow_id"] or "",
        task=msgspec.convert(row["task"], Task),
        enabled=row["enabled"],
        missed=row["missed"],
        owner=row["owner_id"],
    )


async def list_schedules(db: Queries, *, owner: str, search: str = "", limit: int = 1000, offset: int = 0) -> list[Row]:
    """Return schedules by name; of one owner when one is named."""
    return await db.all(
        _ROW + " where" + _MATCHING + " order by lower(s.name), s.id limit %(limit)s offset %(offset)s",
        owner=owner,
        search=search,
        limit=limit,
        offset=offset,
    )


async def count_schedules(db: Queries, *, owner: str, search: str = "") -> int:
    """Return how many match."""
    return int(
        await db.value(
            "select count(*) from schedules s left join workflows w on w.id = s.workflow_id where" + _MATCHING,  # noqa: S608
            owner=owner,
            search=search,
        )
    )


async def find_schedule(db: Queries, schedule: str, *, owner: str) -> Row | None:
    """Return one schedule."""
    return await db.one(_ROW + " where s.id = %(schedule)s and" + _SEEN, schedule=schedule, owner=owner)


async def try_schedule(tx: Tx, schedule: str) -> Row | None:
    """Lock a schedule that is on, unless somebody holds it."""
    return await tx.one(
        _ROW + " where s.id = %(schedule)s and s.enabled for update of s skip locked", schedule=schedule
    )


async def list_enabled(db: Queries) -> list[Row]:
    """Return what is needed to see which schedules are due."""
    return await db.all(
        "select s.id, s.cron, s.timezone, s.considered_until from schedules s where s.enabled order by s.id"
    )


def _values(wanted: Schedule, sealed: str | None, now: datetime) -> dict[str, object]:
    return {
        "name": wanted.name.strip(),
        "cron": " ".join(wanted.cron.split()),
        "timezone": wanted.timezone,
        "workflow": wanted.workflow or None,
        "task": as_json(wanted.task),
        "sealed": sealed,
        "enabled": wanted.enabled,
        "missed": wanted.missed,
        "now": now,
    }


async def insert_schedule(tx: Tx, wanted: Schedule, sealed: str | None, owner: str, now: datetime) -> str | None:
    """Add a schedule that considers what comes from now on; nothing when its name is taken."""
    return cast(
        "str | None",
        await tx.value(
            """
            insert into schedules (name, cron, timezone, workflow_id, task, secrets_sealed, enabled, missed, owner_id,
                                   owner, considered_until, created_at, updated_at)
            values (%(name)s, %(cron)s, %(timezone)s, %(workflow)s, %(task)s::jsonb, %(sealed)s, %(enabled)s,
                    %(missed)s, %(owner_id)s, %(owner)s, %(now)s, %(now)s, %(now)s)
                on conflict (lower(name)) do nothing
            returning id
            """,
            owner_id=wanted.owner,
            owner=owner,
            **_values(wanted, sealed, now),
        ),
    )


async def update_schedule(tx: Tx, wanted: Schedule, sealed: str | None, owner: str, now: datetime) -> None:
    """Change a schedule; whoever changes it owns it from then on, and it considers what comes from now on."""
    await tx.execute(
        """
        update schedules
           set name = %(name)s, cron = %(cron)s, timezone = %(timezone)s, workflow_id = %(workflow)s,
               task = %(task)s::jsonb, secrets_sealed = %(sealed)s, enabled = %(enabled)s, missed = %(missed)s,
               owner_id = %(owner_id)s, owner = %(owner)s, considered_until = %(now)s, updated_at = %(now)s
         where id = %(id)s
        """,
        id=wanted.id,
        owner_id=wanted.owner,
        owner=owner,
        **_values(wanted, sealed, now),
    )


async def switch(tx: Tx, schedule: str, now: datetime, *, enabled: bool) -> None:
    """Let a schedule start by itself, or no longer; what passed meanwhile is not made up for."""
    await tx.execute(
        """
        update schedules set enabled = %(enabled)s, considered_until = %(now)s, updated_at = %(now)s
         where id = %(id)s
        """,
        id=schedule,
        enabled=enabled,
        now=now,
    )


async def is_name_taken(tx: Tx, name: str, but: str) -> bool:
    """Tell whether another schedule has this name."""
    return bool(
        await tx.value(
            "select exists (select from schedules where lower(name) = lower(%(name)s) and id <> %(but)s)",
            name=name.strip(),
            but=but,
        )
    )


async def delete_schedule(tx: Tx, schedule: str) -> None:
    """Remove a schedule; what it started goes on."""
    await tx.execute("delete from schedules where id = %(schedule)s", schedule=schedule)


async def move_mark(tx: Tx, schedule: str, considered_until: datetime) -> None:
    """Write up to when a schedule's times are dealt with."""
    await tx.execute(
        "update schedules set considered_until = %(until)s where id = %(schedule)s",
        schedule=schedule,
        until=considered_until,
    )


async def insert_start(
    tx: Tx,
    schedule: str,
    due_at: datetime,
    outcome: str,
    now: datetime,
    *,
    by_hand: bool = False,
    reason: str = "",
    job: str | None = None,
    run: str | None = None,
) -> None:
    """Record what became of one of a schedule's times."""
    await tx.execute(
        """
        insert into schedule_starts (schedule_id, due_at, by_hand, outcome, reason, job, run_id, created_at)
        values (%(schedule)s, %(due_at)s, %(by_hand)s, %(outcome)s, %(reason)s, %(job)s, %(run)s, %(now)s)
            on conflict (schedule_id, due_at) where not by_hand do nothing
        """,
        schedule=schedule,
        due_at=due_at,
        by_hand=by_hand,
        outcome=outcome,
        reason=reason,
        job=job,
        run=run,
        now=now,
    )


async def list_starts(db: Queries, schedule: str, limit: int) -> list[Row]:
    """Return what a schedule started lately, newest first."""
    return await db.all(
        """
        select t.due_at, t.by_hand, t.outcome, t.reason, t.job, t.run_id, t.created_at
          from schedule_starts t
         where t.schedule_id = %(schedule)s
         order by t.id desc
         limit %(limit)s
        """,
        schedule=schedule,
        limit=limit,
    )
