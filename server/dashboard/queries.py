"""Reads across rooms: few, wide, and never a write."""

from typing import Final

from server.core.db import Database
from server.core.scope import Groups, in_scope
from server.dashboard.models import Fleet, JobRow

_UNFINISHED: Final = ("queued", "scheduled", "awaiting_approval", "dispatched", "running", "rebooting")


async def count_fleet(db: Database, groups: Groups) -> Fleet:
    """Count the hosts by what they need."""
    fleet = await db.one(
        f"""
        select count(*)::int as hosts,
               (count(*) filter (where i.updates > 0))::int as need_updates,
               (count(*) filter (where i.security_updates > 0))::int as need_security_updates,
               (count(*) filter (where h.needs_reboot))::int as need_reboot,
               (count(*) filter (where h.last_update is null))::int as never_reported,
               (count(*) filter (where h.last_connected_at > coalesce(h.last_disconnected_at, '-infinity')))::int
                   as connected,
               coalesce(sum(i.updates), 0)::int as updates,
               coalesce(sum(i.security_updates), 0)::int as security_updates
          from hosts h
          left join host_inventory i on i.host_id = h.id
         where {in_scope("h.id")}
        """,  # noqa: S608 (only constants are put together)
        Fleet,
        groups=groups,
    )
    assert fleet is not None
    return fleet


async def list_recent_jobs(db: Database, groups: Groups, limit: int) -> list[JobRow]:
    """Return the newest jobs with their hosts counted by status."""
    return await db.all(
        f"""
        select j.uuid as id, j.title, j.check_mode, j.launched_by, j.created_at, j.finished_at,
               s.started_at, coalesce(s.counts, '{{}}') as counts, coalesce(s.only_host, '') as only_host
          from (select id, uuid, title, check_mode, launched_by, created_at, finished_at
                  from jobs v
                 where %(groups)s::uuid[] is null
                    or exists (select from job_hosts m where m.job_id = v.id and {in_scope("m.host_id")})
                 order by created_at desc, id desc
                 limit %(limit)s) j
          left join lateral (select min(g.started_at) as started_at, jsonb_object_agg(g.status, g.hosts) as counts,
                                    case when sum(g.hosts) = 1 then min(g.host_name) end as only_host
                               from (select status, count(*) as hosts, min(started_at) as started_at,
                                            min(host_name) as host_name
                                       from job_hosts m
                                      where m.job_id = j.id and {in_scope("m.host_id")}
                                      group by status) g) s on true
         order by j.created_at desc, j.id desc
        """,  # noqa: S608 (only constants are put together)
        JobRow,
        groups=groups,
        limit=limit,
    )


async def count_unfinished(db: Database) -> dict[str, int]:
    """Return how many hosts of jobs wait or run, by status; every status is there, also with none."""
    rows = await db.all(
        """
        select status, count(*)::int as hosts
          from job_hosts
         where status in ('queued', 'scheduled', 'awaiting_approval', 'dispatched', 'running', 'rebooting')
         group by status
        """
    )
    return {**dict.fromkeys(_UNFINISHED, 0), **{row["status"]: row["hosts"] for row in rows}}


async def answers(db: Database) -> bool:
    """Tell whether the database answers."""
    return bool(await db.value("select true"))
