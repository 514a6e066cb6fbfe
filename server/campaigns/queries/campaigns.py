"""Statements about campaigns as people see them, and as they are made, locked and moved."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

import msgspec

from server.campaigns.models import (
    LIVE,
    Campaign,
    Listed,
    NewCampaign,
    Plan,
    Row,
    Status,
    Target,
    Targets,
)
from server.core.db import Queries, Tx, as_json, containing
from server.core.scope import Groups, among, in_scope

_LOCKED: Final = """
    select c.id, c.name, c.status, c.reason, c.plan, c.targets, c.limited_to::text[], c.dry_run, c.approve_first,
           c.window_id, c.starts_at, c.ends_at, c.wave, c.created_by, c.approved_by, c.started_at
      from campaigns c
"""

# Who is limited to host groups sees the campaigns that reach hosts in them, and of those that did not start theirs.
_VISIBLE: Final = f"""
       (%(groups)s::uuid[] is null
        or (c.limited_to is not null and c.limited_to <@ %(groups)s::uuid[])
        or exists (select from campaign_hosts v where v.campaign_id = c.id and {in_scope("v.host_id")}))
"""

_ROW: Final = f"""
    select c.id, c.name, c.status, c.reason, c.plan, c.targets, c.dry_run, c.approve_first, c.rehearsal, c.window_id,
           c.window_name, c.occurrence_at, c.starts_at, c.ends_at, c.wave, c.created_by, c.approved_by, c.created_at,
           c.started_at, c.finished_at, c.updated_at, coalesce(n.counts, '{{}}') as counts, w.waves
      from campaigns c
      left join lateral (
            select jsonb_object_agg(s.state, s.number) as counts
              from (select m.state, count(*) as number
                      from campaign_hosts m
                     where m.campaign_id = c.id and {in_scope("m.host_id")}
                     group by m.state) s) n on true
     cross join lateral (select count(*)::int as waves from campaign_waves w where w.campaign_id = c.id) w
"""  # noqa: S608 (only constants are put together)

_FILTER: Final = f"""
     where {_VISIBLE}
       and (%(statuses)s::text[] is null or c.status = any(%(statuses)s::text[]))
       and (%(window)s::uuid is null or c.window_id = %(window)s::uuid)
       and c.name ilike %(like)s
"""


def _narrowed(asked: Listed) -> dict[str, Any]:
    live = [str(one) for one in (*LIVE, Status.PAUSED, Status.STOPPED)]
    statuses = live if asked.status == "active" else [asked.status] if asked.status else None
    return {"statuses": statuses, "window": asked.window or None, "like": containing(asked.search)}


async def list_campaigns(db: Queries, groups: Groups, asked: Listed) -> list[Row]:
    """Return one page of campaigns, newest first, with the numbers of their hosts by state."""
    return await db.all(
        f"{_ROW} {_FILTER} order by c.created_at desc, c.id limit %(limit)s offset %(offset)s",
        groups=groups,
        limit=asked.limit,
        offset=asked.offset,
        **_narrowed(asked),
    )


async def count_campaigns(db: Queries, groups: Groups, asked: Listed) -> int:
    """Return how many campaigns match."""
    found = await db.value(
        f"select count(*) from campaigns c {_FILTER}",  # noqa: S608 (only constants are put together)
        groups=groups,
        **_narrowed(asked),
    )
    return cast("int", found)


async def find_campaign(db: Queries, groups: Groups, campaign: str) -> Row | None:
    """Return one campaign with the numbers of its hosts by state."""
    return await db.one(f"{_ROW} where {_VISIBLE} and c.id = %(campaign)s", groups=groups, campaign=campaign)


async def list_targets(db: Queries, groups: Groups, targets: Targets) -> list[Target]:
    """Return the hosts that are meant, each once, by name."""
    return await db.all(
        f"""
        select h.id, h.uuid, h.friendly_name as name
          from hosts h
         where {in_scope("h.id")}
           and (%(everyone)s
                or h.uuid = any(%(hosts)s::uuid[])
                or h.id in (select m.host_id
                              from host_groups g
                              join host_group_members m on m.host_group_id = g.id
                             where g.uuid = any(%(chosen)s::uuid[]) and {among("g.uuid")})
                or h.id in (select t.host_id from host_tags t
                             where t.key || '=' || t.value = any(%(tags)s::text[]) or t.key = any(%(tags)s::text[])))
         order by lower(h.friendly_name), h.id
        """,  # noqa: S608 (only constants are put together)
        Target,
        groups=groups,
        everyone=targets.everyone,
        hosts=list(targets.hosts),
        chosen=list(targets.groups),
        tags=list(targets.tags),
    )


async def count_named(db: Queries, groups: Groups, targets: Targets) -> Row:
    """Return how many of the ``hosts`` and ``groups`` that are named exist for the asker."""
    found = await db.one(
        f"""
        select (select count(*) from hosts h where h.uuid = any(%(hosts)s::uuid[]) and {in_scope("h.id")}) as hosts,
               (select count(*) from host_groups g where g.uuid = any(%(chosen)s::uuid[]) and {among("g.uuid")})
               as groups
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        hosts=list(targets.hosts),
        chosen=list(targets.groups),
    )
    return found or {"hosts": 0, "groups": 0}


async def insert_campaign(
    tx: Tx,
    wanted: NewCampaign,
    status: Status,
    now: datetime,
    *,
    groups: Groups = None,
    by: str | None = None,
    window: Row | None = None,
    reason: str = "",
) -> str | None:
    """Add a campaign and return its id; nothing when the window's occurrence has one already.

    ``window`` holds window_id, window_name and occurrence_at.
    """
    return cast(
        "str | None",
        await tx.value(
            """
            insert into campaigns (name, status, reason, plan, targets, limited_to, dry_run, approve_first, rehearsal,
                                   window_id, window_name, occurrence_at, starts_at, ends_at, created_by, created_at,
                                   finished_at, updated_at)
            values (%(name)s, %(status)s, %(reason)s, %(plan)s::jsonb, %(targets)s::jsonb, %(groups)s::uuid[],
                    %(dry_run)s, %(approve_first)s, %(rehearsal)s, %(window_id)s, %(window_name)s, %(occurrence_at)s,
                    %(starts_at)s, %(ends_at)s, %(by)s, %(now)s,
                    case when %(status)s = 'missed' then %(now)s::timestamptz end, %(now)s)
                on conflict (window_id, occurrence_at) do nothing
            returning id
            """,
            name=wanted.name.strip(),
            status=str(status),
            reason=reason,
            plan=as_json(wanted.plan),
            targets=as_json(wanted.targets),
            groups=groups,
            dry_run=wanted.plan.dry_run,
            approve_first=wanted.approve_first,
            rehearsal=wanted.rehearsal,
            starts_at=wanted.starts_at,
            ends_at=wanted.ends_at,
            by=by,
            now=now,
            **(window or {"window_id": None, "window_name": "", "occurrence_at": None}),
        ),
    )


def _campaign(row: Row) -> Campaign:
    known = {"plan": msgspec.convert(row["plan"], Plan), "targets": msgspec.convert(row["targets"], Targets)}
    return Campaign(**{**row, **known, "status": Status(row["status"])})


async def lock_campaign(tx: Tx, groups: Groups, campaign: str) -> Campaign | None:
    """Lock a campaign that the asker sees; wait for whoever holds it."""
    row = await tx.one(
        f"{_LOCKED} where {_VISIBLE} and c.id = %(campaign)s for no key update of c", groups=groups, campaign=campaign
    )
    return _campaign(row) if row is not None else None


async def try_campaign(tx: Tx, campaign: str) -> Campaign | None:
    """Lock a campaign unless somebody holds it."""
    row = await tx.one(f"{_LOCKED} where c.id = %(campaign)s for no key update of c skip locked", campaign=campaign)
    return _campaign(row) if row is not None else None


async def is_beyond(tx: Tx, groups: Groups, campaign: str) -> bool:
    """Tell whether a campaign reaches hosts that the asker does not see, or may when it starts."""
    found = await tx.value(
        f"""
        select %(groups)s::uuid[] is not null
               and case when c.started_at is null then not coalesce(c.limited_to <@ %(groups)s::uuid[], false)
                        else exists (select from campaign_hosts m
                                      where m.campaign_id = c.id and m.host_id is not null
                                        and not {in_scope("m.host_id")}) end
          from campaigns c
         where c.id = %(campaign)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        campaign=campaign,
    )
    return bool(found)


async def list_live(db: Queries, now: datetime) -> list[str]:
    """Return the campaigns that may have a step to take: those under way, due or late.

    Those that ended lately are among them while runs of theirs say something new.
    """
    return cast(
        "list[str]",
        await db.column(
            """
            select c.id
              from campaigns c
             where c.status in ('running', 'soaking', 'checking', 'paused')
                or (c.status in ('awaiting_approval', 'scheduled')
                    and (c.ends_at <= %(now)s
                         or (c.status = 'scheduled' and (c.starts_at is null or c.starts_at <= %(now)s))))
                or ((c.status = 'stopped'
                     or (c.status in ('completed', 'abandoned', 'expired')
                         and c.finished_at > %(now)s::timestamptz - interval '2 days'))
                    and exists (select
                                  from campaign_hosts m
                                  left join patch_runs r on r.id = m.run_id
                                 where m.campaign_id = c.id
                                   and (m.state in ('queued', 'running')
                                        or (m.state in ('failed', 'cancelled') and r.status <> m.run_status))))
             order by c.created_at, c.id
            """,
            now=now,
        ),
    )


async def update_status(
    tx: Tx,
    campaign: str,
    status: Status,
    now: datetime,
    *,
    reason: str = "",
    wave: int | None = None,
    approved_by: str | None = None,
    endless: bool = False,
) -> None:
    """Move a campaign; ``endless`` takes away when it ends."""
    await tx.execute(
        """
        update campaigns
           set status = %(status)s, reason = %(reason)s, wave = coalesce(%(wave)s, wave),
               approved_by = coalesce(%(approved_by)s, approved_by),
               started_at = case when %(status)s = 'running' then coalesce(started_at, %(now)s) else started_at end,
               finished_at = case when %(status)s in ('completed', 'abandoned', 'missed', 'expired')
                                  then %(now)s::timestamptz end,
               ends_at = case when %(endless)s then null else ends_at end, updated_at = %(now)s
         where id = %(campaign)s
        """,
        campaign=campaign,
        status=str(status),
        reason=reason,
        wave=wave,
        approved_by=approved_by,
        endless=endless,
        now=now,
    )


async def delete_campaign(tx: Tx, campaign: str) -> None:
    """Remove a campaign with its waves and hosts; its runs stay."""
    await tx.execute("delete from campaigns where id = %(campaign)s", campaign=campaign)


async def delete_planned(tx: Tx, window: str) -> Sequence[str]:
    """Remove what a window planned ahead and nobody gave up or started; return those campaigns."""
    return await tx.column(
        """
        delete from campaigns
         where window_id = %(window)s and status in ('awaiting_approval', 'scheduled') and started_at is null
        returning id
        """,
        window=window,
    )
