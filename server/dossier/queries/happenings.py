"""Statements about what happened to a host; its key was found within the groups of whoever asks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from server.core.db import Database
from server.dossier.models import Report


async def list_happenings(
    db: Database, host_id: int, uuid: str, kinds: Sequence[str], before: datetime, limit: int
) -> list[dict[str, Any]]:
    """Return what happened before a moment, newest first; each kind is read by its own index, as far as needed."""
    return await db.all(
        """
        select * from (
            (select a.at, case a.kind when 'error' then 'refused' when 'ping' then 'check_in' else 'report' end as kind,
                    a.kind as what, '' as who, a.id::text as ref, a.error as text, coalesce(a.packages, -1) as one,
                    coalesce(a.updates, 0) as two, coalesce(a.security_updates, 0) as three
               from host_activity a
              where a.host_id = %(host_id)s and a.at < %(before)s
                and case a.kind when 'error' then 'refused' when 'ping' then 'check_in' else 'report' end
                    = any(%(kinds)s::text[])
              order by a.id desc limit %(limit)s)
            union all
            (select c.at, 'packages', '', '', '', (array_agg(p.name order by p.name))[1],
                    count(*) filter (where c.from_version = ''), count(*) filter (where c.to_version = ''),
                    count(*) filter (where c.from_version <> '' and c.to_version <> '')
               from host_package_changes c
               join packages p on p.id = c.package_id
              where c.host_id = %(host_id)s and c.at < %(before)s and 'packages' = any(%(kinds)s::text[])
              group by c.at order by c.at desc limit %(limit)s)
            union all
            (select b.at, 'reboot', '', '', '', '', 0, 0, 0
               from host_boots b
              where b.host_id = %(host_id)s and b.at < %(before)s and 'reboot' = any(%(kinds)s::text[])
              order by b.at desc limit %(limit)s)
            union all
            (select coalesce(r.finished_at, r.started_at, j.created_at), 'job', r.status, j.launched_by, j.uuid::text,
                    j.title || case when j.check_mode then ' (dry run)' else '' end, 0, 0, 0
               from job_hosts r
               join jobs j on j.id = r.job_id
              where r.host_id = %(host_id)s and coalesce(r.finished_at, r.started_at, j.created_at) < %(before)s
                and 'job' = any(%(kinds)s::text[])
              order by r.id desc limit %(limit)s)
            union all
            (select c.created_at, 'command', c.status, c.asked_by, c.kind, c.error, 0, 0, 0
               from agent_commands c
              where c.host_id = %(host_id)s and c.created_at < %(before)s and 'command' = any(%(kinds)s::text[])
              order by c.id desc limit %(limit)s)
            union all
            (select l.at, 'deed', l.action, l.actor_name, '', l.detail::text, 0, 0, 0
               from audit_log l
              where l.subject_kind = 'host' and l.subject_id = %(uuid)s and l.at < %(before)s
                and l.action <> 'commands.asked' and 'deed' = any(%(kinds)s::text[])
              order by l.id desc limit %(limit)s)
        ) as t
         order by t.at desc, t.kind
         limit %(limit)s
        """,
        host_id=host_id,
        uuid=uuid,
        kinds=list(kinds),
        before=before,
        limit=limit,
    )


async def list_reports(db: Database, host_id: int, limit: int, offset: int) -> list[Report]:
    """Return a host's reports, newest first; check-ins are none."""
    return await db.all(
        """
        select a.id, a.at, a.kind, a.packages, a.updates, a.security_updates as security, a.payload_kb, a.agent_ms,
               a.server_ms, a.error, a.sections_sent as sections,
               (select b.at from host_activity b
                 where b.host_id = a.host_id and b.id < a.id and b.kind in ('full', 'partial')
                 order by b.id desc limit 1) as before_at
          from host_activity a
         where a.host_id = %(host_id)s and a.kind <> 'ping'
         order by a.id desc
         limit %(limit)s offset %(offset)s
        """,
        Report,
        host_id=host_id,
        limit=limit,
        offset=offset,
    )


async def count_reports(db: Database, host_id: int) -> int:
    """Count a host's reports."""
    return int(
        await db.value(
            "select count(*) from host_activity where host_id = %(host_id)s and kind <> 'ping'", host_id=host_id
        )
    )


async def find_report(db: Database, host_id: int, report: int) -> Report | None:
    """Return one report of a host."""
    return await db.one(
        """
        select a.id, a.at, a.kind, a.packages, a.updates, a.security_updates as security, a.payload_kb, a.agent_ms,
               a.server_ms, a.error, a.sections_sent as sections,
               (select b.at from host_activity b
                 where b.host_id = a.host_id and b.id < a.id and b.kind in ('full', 'partial')
                 order by b.id desc limit 1) as before_at
          from host_activity a
         where a.host_id = %(host_id)s and a.id = %(report)s and a.kind <> 'ping'
        """,
        Report,
        host_id=host_id,
        report=report,
    )


async def list_queue(db: Database, host_id: int, limit: int) -> list[dict[str, Any]]:
    """Return a host's newest commands and jobs, newest first, under the words of background work."""
    return await db.all(
        """
        select * from (
            (select c.uuid::text as id, 'command' as type, c.kind as name, c.status, c.asked_by, c.created_at,
                    c.finished_at, c.error, '' as job
               from agent_commands c
              where c.host_id = %(host_id)s
              order by c.id desc limit %(limit)s)
            union all
            (select r.uuid::text, 'job', j.title || case when j.check_mode then ' (dry run)' else '' end,
                    case when r.status in ('queued', 'awaiting_approval') then 'waiting'
                         when r.status = 'scheduled' then 'delayed'
                         when r.status in ('dispatched', 'running', 'rebooting') then 'active'
                         when r.status = 'succeeded' then 'completed' else 'failed' end,
                    j.launched_by, j.created_at, r.finished_at,
                    case when r.status in ('failed', 'cancelled', 'timed_out', 'lost', 'unreachable')
                         then coalesce(nullif(r.reason, ''), replace(r.status, '_', ' ')) else '' end, j.uuid::text
               from job_hosts r
               join jobs j on j.id = r.job_id
              where r.host_id = %(host_id)s
              order by r.id desc limit %(limit)s)
            union all
            -- What existing agents are asked for goes without a job.
            (select s.id::text, 'compliance', s.kind, case s.status when 'cancelled' then 'failed' else s.status end,
                    s.asked_by, s.created_at, s.finished_at,
                    case when s.status in ('failed', 'cancelled') then coalesce(nullif(s.message, ''), s.status)
                         else '' end, ''
               from compliance_tasks s
              where s.host_id = %(host_id)s and s.job is null
              order by s.created_at desc limit %(limit)s)
        ) as t
         order by t.created_at desc
         limit %(limit)s
        """,
        host_id=host_id,
        limit=limit,
    )


async def count_queue(db: Database, host_id: int) -> dict[str, Any]:
    """Count a host's commands and jobs by what they are doing, and all of them."""
    row = await db.one(
        """
        select (count(*) filter (where t.status = 'waiting'))::int as waiting,
               (count(*) filter (where t.status = 'active'))::int as active,
               (count(*) filter (where t.status = 'delayed'))::int as delayed,
               (count(*) filter (where t.status = 'failed'))::int as failed,
               count(*)::int as total
          from (select c.status from agent_commands c where c.host_id = %(host_id)s
                union all
                select case when r.status in ('queued', 'awaiting_approval') then 'waiting'
                            when r.status = 'scheduled' then 'delayed'
                            when r.status in ('dispatched', 'running', 'rebooting') then 'active'
                            when r.status = 'succeeded' then 'completed' else 'failed' end
                  from job_hosts r where r.host_id = %(host_id)s
                union all
                select case s.status when 'cancelled' then 'failed' else s.status end
                  from compliance_tasks s where s.host_id = %(host_id)s and s.job is null) as t
        """,
        host_id=host_id,
    )
    return row or {}
