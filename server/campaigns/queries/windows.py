"""Statements about maintenance windows, and about what will run when."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, cast

import msgspec

from server.campaigns.models import Blackout, Plan, Row, Targets, Window
from server.core.db import Queries, Tx, as_json
from server.core.scope import Groups, in_scope

_ROW: Final = """
    select w.id, w.name, w.description, w.cron, w.timezone, w.duration_minutes, w.blackouts, w.plan, w.targets,
           w.approve_first, w.notice_hours, w.enabled, w.created_by, w.created_at, w.updated_at,
           w.considered_until, w.announced_until
      from maintenance_windows w
"""


async def list_windows(db: Queries) -> list[Row]:
    """Return every window, by name."""
    return await db.all(_ROW + " order by lower(w.name)")


async def find_window(db: Queries, window: str) -> Row | None:
    """Return one window."""
    return await db.one(_ROW + " where w.id = %(window)s", window=window)


async def try_window(tx: Tx, window: str) -> Row | None:
    """Lock a window unless somebody holds it."""
    return await tx.one(_ROW + " where w.id = %(window)s for update of w skip locked", window=window)


def window_of(row: Row) -> Window:
    """Return a row as decisions about it need it."""
    return Window(
        id=row["id"],
        name=row["name"],
        cron=row["cron"],
        timezone=row["timezone"],
        duration_minutes=row["duration_minutes"],
        plan=msgspec.convert(row["plan"], Plan),
        targets=msgspec.convert(row["targets"], Targets),
        blackouts=msgspec.convert(row["blackouts"], tuple[Blackout, ...]),
        description=row["description"],
        approve_first=row["approve_first"],
        notice_hours=row["notice_hours"],
        enabled=row["enabled"],
    )


def _values(window: Window) -> dict[str, object]:
    return {
        "name": window.name.strip(),
        "description": window.description,
        "cron": " ".join(window.cron.split()),
        "timezone": window.timezone,
        "minutes": window.duration_minutes,
        "blackouts": as_json(window.blackouts),
        "plan": as_json(window.plan),
        "targets": as_json(window.targets),
        "approve_first": window.approve_first,
        "notice": window.notice_hours,
        "enabled": window.enabled,
    }


async def insert_window(tx: Tx, window: Window, by: str, now: datetime) -> str | None:
    """Add a window that considers what comes from now on, and return its id; nothing when its name is taken."""
    return cast(
        "str | None",
        await tx.value(
            """
            insert into maintenance_windows (name, description, cron, timezone, duration_minutes, blackouts, plan,
                                             targets, approve_first, notice_hours, enabled, considered_until,
                                             announced_until, created_by, created_at, updated_at)
            values (%(name)s, %(description)s, %(cron)s, %(timezone)s, %(minutes)s, %(blackouts)s::jsonb,
                    %(plan)s::jsonb, %(targets)s::jsonb, %(approve_first)s, %(notice)s, %(enabled)s, %(now)s, %(now)s,
                    %(by)s, %(now)s, %(now)s)
                on conflict (lower(name)) do nothing
            returning id
            """,
            by=by,
            now=now,
            **_values(window),
        ),
    )


async def update_window(tx: Tx, window: Window, now: datetime) -> None:
    """Change a window; it considers again what comes from now on."""
    await tx.execute(
        """
        update maintenance_windows
           set name = %(name)s, description = %(description)s, cron = %(cron)s, timezone = %(timezone)s,
               duration_minutes = %(minutes)s, blackouts = %(blackouts)s::jsonb, plan = %(plan)s::jsonb,
               targets = %(targets)s::jsonb, approve_first = %(approve_first)s, notice_hours = %(notice)s,
               enabled = %(enabled)s, considered_until = %(now)s, announced_until = %(now)s, updated_at = %(now)s
         where id = %(id)s
        """,
        id=window.id,
        now=now,
        **_values(window),
    )


async def is_name_taken(tx: Tx, name: str, but: str) -> bool:
    """Tell whether another window has this name."""
    return bool(
        await tx.value(
            "select exists (select from maintenance_windows where lower(name) = lower(%(name)s) and id <> %(but)s)",
            name=name.strip(),
            but=but,
        )
    )


async def delete_window(tx: Tx, window: str) -> str | None:
    """Remove a window and return its name; its campaigns stay."""
    found = await tx.value("delete from maintenance_windows where id = %(window)s returning name", window=window)
    return cast("str | None", found)


async def list_enabled(db: Queries) -> list[str]:
    """Return the windows that open by themselves."""
    return cast("list[str]", await db.column("select w.id from maintenance_windows w where w.enabled order by w.id"))


async def move_marks(tx: Tx, window: str, considered_until: datetime, announced_until: datetime) -> None:
    """Write up to when a window's openings are dealt with, and up to when they are announced."""
    await tx.execute(
        """
        update maintenance_windows set considered_until = %(considered)s, announced_until = %(announced)s
         where id = %(window)s
        """,
        window=window,
        considered=considered_until,
        announced=announced_until,
    )


async def list_names(
    db: Queries, groups: Groups, hosts: Sequence[str], host_groups: Sequence[str]
) -> Mapping[str, str]:
    """Return the names of these hosts and host groups by UUID, those the asker sees."""
    rows = await db.all(
        f"""
        select h.uuid as id, h.friendly_name as name
          from hosts h
         where h.uuid = any(%(hosts)s::uuid[]) and {in_scope("h.id")}
        union all
        select g.uuid, g.name
          from host_groups g
         where g.uuid = any(%(chosen)s::uuid[]) and (%(groups)s::uuid[] is null or g.uuid = any(%(groups)s::uuid[]))
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        hosts=list(hosts),
        chosen=list(host_groups),
    )
    return {row["id"]: row["name"] for row in rows}


async def list_due_campaigns(db: Queries, groups: Groups, since: datetime, until: datetime) -> list[Row]:
    """Return the campaigns that begin, or are under way, between two moments."""
    return await db.all(
        f"""
        select c.id, c.name, c.status, c.window_id, c.occurrence_at, coalesce(c.starts_at, c.started_at, c.created_at)
               as starts_at, c.ends_at, c.finished_at, c.dry_run,
               (select count(*) from campaign_hosts m where m.campaign_id = c.id and {in_scope("m.host_id")})::int
               as hosts
          from campaigns c
         where (%(groups)s::uuid[] is null
                or (c.limited_to is not null and c.limited_to <@ %(groups)s::uuid[])
                or exists (select from campaign_hosts v where v.campaign_id = c.id and {in_scope("v.host_id")}))
           and c.status <> 'draft'
           and coalesce(c.starts_at, c.started_at, c.created_at) < %(until)s
           and (coalesce(c.finished_at, c.ends_at, c.starts_at, 'infinity') >= %(since)s
                or c.status in ('running', 'soaking', 'checking', 'paused', 'stopped'))
         order by starts_at, c.id
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        since=since,
        until=until,
    )


async def list_scheduled_runs(db: Queries, groups: Groups, since: datetime, until: datetime) -> list[Row]:
    """Return what patch runs wait for their time between two moments, those of one trigger and time together."""
    return await db.all(
        f"""
        select r.batch_id, r.scheduled_at, count(*)::int as runs, min(r.policy_snapshot ->> 'name') as policy_name,
               (array_agg(h.friendly_name order by lower(h.friendly_name)))[1:5] as host_names,
               array_agg(h.uuid::text order by lower(h.friendly_name)) as host_ids, min(r.patch_type) as patch_type
          from patch_runs r
          join hosts h on h.id = r.host_id
         where r.status = 'scheduled' and r.scheduled_at >= %(since)s and r.scheduled_at < %(until)s
           and {in_scope("h.id")}
         group by r.batch_id, r.scheduled_at
         order by r.scheduled_at, r.batch_id
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        since=since,
        until=until,
    )


async def list_fixed_policies(db: Queries) -> list[Row]:
    """Return the policies whose runs begin at a fixed time of the day."""
    return await db.all(
        """
        select p.id, p.name, p.fixed_time_utc, p.timezone
          from patch_policies p
         where p.patch_delay_type = 'fixed_time'
         order by lower(p.name), p.id
        """
    )
