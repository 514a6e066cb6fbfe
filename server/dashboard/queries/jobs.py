"""Reads of jobs: what ran last, what runs now, what went wrong."""

from datetime import datetime
from typing import Final

from server.core.db import Database
from server.core.scope import Groups, in_scope
from server.dashboard.models import Failure, JobRow, UnderWay

_UNFINISHED: Final = ("queued", "scheduled", "awaiting_approval", "dispatched", "running", "rebooting")


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


async def count_under_way(db: Database, groups: Groups) -> UnderWay:
    """Count the hosts on which a job runs, and those for which one waits."""
    found = await db.one(
        f"""
        select (count(*) filter (where m.status in ('dispatched', 'running', 'rebooting')))::int as running,
               (count(*) filter (where m.status in ('queued', 'scheduled', 'awaiting_approval')))::int as waiting
          from job_hosts m
         where m.status in ('queued', 'scheduled', 'awaiting_approval', 'dispatched', 'running', 'rebooting')
           and {in_scope("m.host_id")}
        """,  # noqa: S608 (only constants are put together)
        UnderWay,
        groups=groups,
    )
    assert found is not None
    return found


async def list_failures(db: Database, groups: Groups, since: datetime, limit: int) -> list[Failure]:
    """Return why hosts of jobs failed since a moment, the most frequent cause first.

    Each cause names the newest job it happened in and up to three of the hosts.
    """
    return await db.all(
        f"""
        select f.cause, f.status, f.times::int as times, f.hosts::int as hosts, f.names, f.last_at, j.uuid as job,
               j.title
          from (select coalesce(nullif(m.reason, ''), replace(m.status, '_', ' ')) as cause, m.status,
                       count(*) as times, count(distinct m.host_name) as hosts,
                       (array_agg(distinct m.host_name))[1:3] as names, max(m.finished_at) as last_at,
                       (array_agg(m.job_id order by m.finished_at desc))[1] as job_id
                  from job_hosts m
                 where m.status in ('failed', 'timed_out', 'lost', 'unreachable') and m.finished_at >= %(since)s
                   and {in_scope("m.host_id")}
                 group by 1, 2
                 order by 3 desc, max(m.finished_at) desc
                 limit %(limit)s) f
          join jobs j on j.id = f.job_id
         order by f.times desc, f.last_at desc
        """,  # noqa: S608 (only constants are put together)
        Failure,
        groups=groups,
        since=since,
        limit=limit,
    )
