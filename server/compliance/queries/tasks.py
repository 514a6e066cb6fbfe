"""Statements about what agents are asked to do, and the scans that run because of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from server.compliance.models import Target, Task
from server.core.db import Queries, Tx, as_json
from server.core.scope import Groups, in_scope

_TASK: Final = """
    select t.id, t.host_id, h.uuid as host_uuid, h.friendly_name as host_name, t.kind, t.status, t.origin, t.scanners,
           t.profile_id, t.remediate, t.rules, t.version, t.job, t.job_host, t.asked_by, t.message,
           t.progress, t.created_at, t.sent_at, t.started_at, t.finished_at, t.cancel_asked_at
      from compliance_tasks t
      join hosts h on h.id = t.host_id
"""

_TARGET: Final = """
    select h.id, h.uuid, h.friendly_name as name, h.compliance_mode as mode, h.compliance_openscap_enabled as openscap,
           h.compliance_docker_bench_enabled as docker_bench, h.docker_enabled as docker,
           h.compliance_default_profile_id as default_profile, h.agent_hello is null as native,
           h.integration_status -> 'compliance' as told
      from hosts h
"""

#: Hosts of our own agent that were never told to install the scanner, and never handed in a scan.
_UNPREPARED: Final = """
    (h.agent_hello is not null and h.compliance_openscap_enabled and h.compliance_reported_at is null
     and not exists (select from compliance_tasks i where i.host_id = h.id and i.kind = 'install'))
"""


async def list_targets(db: Queries, groups: Groups, uuids: Sequence[str]) -> list[Target]:
    """Return those of these hosts that exist for the asker."""
    return await db.all(
        f"{_TARGET} where h.uuid = any(%(uuids)s::uuid[]) and {in_scope('h.id')} order by lower(h.friendly_name), h.id",
        Target,
        groups=groups,
        uuids=list(uuids),
    )


async def list_due(db: Queries, now: datetime, interval_minutes: int, limit: int) -> list[Target]:
    """Return connected hosts whose scheduled scan is due and that have none under way.

    Each host is late by its own part of a tenth of the interval, always the same. Our agent installs the scanner first.
    """
    return await db.all(
        f"""
        {_TARGET}
         where h.compliance_mode = 'enabled' and h.status = 'active' and h.last_connected_at is not null
           and (h.compliance_openscap_enabled or (h.compliance_docker_bench_enabled and h.docker_enabled))
           and (h.last_disconnected_at is null or h.last_disconnected_at < h.last_connected_at)
           and coalesce(greatest((select max(s.started_at) from compliance_scans s where s.host_id = h.id),
                                 (select max(t.created_at) from compliance_tasks t
                                   where t.host_id = h.id and t.kind = 'scan')),
                        h.created_at - make_interval(mins => %(interval)s))
               < %(now)s - make_interval(mins => %(interval)s
                         + (h.id::bigint * 2654435761 %% 4294967296 %% greatest(1, %(interval)s / 10))::int)
           and not {_UNPREPARED}
           and not exists (select from compliance_tasks t
                            where t.host_id = h.id and t.status in ('waiting', 'active')
                              and (t.kind = 'scan' or (t.kind = 'install' and h.agent_hello is not null)))
         order by h.id
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        Target,
        now=now,
        interval=interval_minutes,
        limit=limit,
    )


async def list_unprepared(db: Queries, limit: int) -> list[Target]:
    """Return connected hosts of our own agent that may scan with OpenSCAP and were never told to install it.

    What somebody asked a host to scan meanwhile goes first: it may have the scanner already.
    """
    return await db.all(
        f"""
        {_TARGET}
         where h.compliance_mode <> 'disabled' and h.status = 'active'
           and h.last_connected_at > coalesce(h.last_disconnected_at, '-infinity')
           and {_UNPREPARED}
           and not exists (select from compliance_tasks t where t.host_id = h.id and t.status in ('waiting', 'active'))
         order by h.id
         limit %(limit)s
        """,
        Target,
        limit=limit,
    )


async def insert_tasks(tx: Tx, rows: Sequence[dict[str, object]], now: datetime) -> dict[int, str]:
    """Note what hosts are asked to do; return the tasks by host. Hosts with an open task of the kind are left out."""
    found = await tx.all(
        """
        insert into compliance_tasks
               (host_id, kind, status, origin, scanners, profile_id, remediate, rules, version, asked_by, created_at)
        select host_id, kind, 'waiting', origin, scanners, profile_id, remediate, rules, version, asked_by, %(now)s
          from jsonb_to_recordset(%(rows)s::jsonb)
               as n(host_id int, kind text, origin text, scanners text[], profile_id text, remediate boolean,
                    rules text[], version text, asked_by text)
         order by host_id
            on conflict (host_id, kind) where status in ('waiting', 'active') do nothing
        returning host_id, id
        """,
        rows=as_json(list(rows)),
        now=now,
    )
    return {row["host_id"]: row["id"] for row in found}


async def bind_job(tx: Tx, job: str, tasks: Sequence[str]) -> None:
    """Let these tasks be carried by the hosts of a job."""
    await tx.execute(
        """
        update compliance_tasks t
           set job = %(job)s, job_host = jh.uuid
          from job_hosts jh
          join jobs j on j.id = jh.job_id
         where j.uuid = %(job)s and jh.host_id = t.host_id and t.id = any(%(tasks)s::uuid[])
        """,
        job=job,
        tasks=list(tasks),
    )


async def list_of_jobs(db: Queries, job_hosts: Sequence[str]) -> list[Task]:
    """Return the tasks that these job hosts carry."""
    return await db.all(f"{_TASK} where t.job_host = any(%(job_hosts)s::uuid[])", Task, job_hosts=list(job_hosts))


async def lock_open(tx: Tx, host_id: int, kinds: Sequence[str]) -> list[Task]:
    """Lock a host's open tasks of these kinds."""
    return await tx.all(
        f"""
        {_TASK}
         where t.host_id = %(host_id)s and t.kind = any(%(kinds)s::text[]) and t.status in ('waiting', 'active')
         order by t.created_at, t.id
           for update of t
        """,
        Task,
        host_id=host_id,
        kinds=list(kinds),
    )


async def find_last(db: Queries, host_id: int, kind: str) -> Task | None:
    """Return a host's newest task of a kind."""
    return await db.one(
        f"{_TASK} where t.host_id = %(host_id)s and t.kind = %(kind)s order by t.created_at desc limit 1",
        Task,
        host_id=host_id,
        kind=kind,
    )


async def list_last(db: Queries, host_id: int, limit: int) -> list[Task]:
    """Return a host's newest tasks, newest first."""
    return await db.all(
        f"{_TASK} where t.host_id = %(host_id)s order by t.created_at desc, t.id limit %(limit)s",
        Task,
        host_id=host_id,
        limit=limit,
    )


async def list_open(db: Queries, limit: int) -> list[dict[str, Any]]:
    """Return what is open and may move: how far its job is, what that left behind, and whose agent carries it.

    What waits for a host that is away is left out, however much of it there is: it must not stand before the others.
    """
    return await db.all(
        """
        select t.id, t.host_id, h.uuid as host_uuid, h.friendly_name as host_name, t.kind, t.status,
               coalesce(jh.executor = 'native', false) as native,
               t.version, t.created_at, t.sent_at, t.started_at, t.job_host, jh.status as job_status, jh.reason,
               jh.finished_at, r.digest, b.content,
               h.compliance_openscap_enabled as openscap, h.compliance_docker_bench_enabled as docker_bench,
               h.integration_status -> 'compliance' as told
          from compliance_tasks t
          join hosts h on h.id = t.host_id
          left join job_hosts jh on jh.uuid = t.job_host
          left join job_results r on r.job_host_id = jh.id and r.module = 'oscap_scan'
               and jh.finished_at is not null and t.kind in ('scan', 'remediate')
          left join result_blobs b on b.digest = r.digest
         where t.status in ('waiting', 'active')
           and (jh.status is null or jh.status not in ('queued', 'dispatched', 'scheduled'))
           and not (t.job_host is null and t.status = 'waiting' and t.kind in ('install', 'upgrade')
                    and not coalesce(h.last_connected_at > coalesce(h.last_disconnected_at, '-infinity'), false))
           and not (jh.status in ('running', 'rebooting') and t.status = 'active' and t.started_at is not null
                    and t.job_host is not null)
         order by t.created_at, t.id
         limit %(limit)s
        """,
        limit=limit,
    )


async def count_open(db: Queries) -> int:
    """Return how many tasks are open."""
    return cast("int", await db.value("select count(*) from compliance_tasks where status in ('waiting', 'active')"))


async def mark_told(tx: Tx, job_hosts: Sequence[str], now: datetime) -> None:
    """Note that these tasks are with existing agents now."""
    await tx.execute(
        """
        update compliance_tasks set status = 'active', sent_at = %(now)s
         where job_host = any(%(job_hosts)s::uuid[]) and status = 'waiting'
        """,
        job_hosts=list(job_hosts),
        now=now,
    )


async def mark_sent(tx: Tx, task: str, now: datetime) -> bool:
    """Note that an agent was asked; False when somebody took the task back meanwhile."""
    return bool(
        await tx.execute(
            """
            update compliance_tasks set status = 'active', sent_at = %(now)s, started_at = %(now)s
             where id = %(task)s and status = 'waiting'
            """,
            task=task,
            now=now,
        )
    )


async def confirm(tx: Tx, now: datetime, *, task: str | None = None, host_id: int | None = None) -> list[int]:
    """Note that agents began: a scan runs by each scanner. Of one task, or of what a host's existing agent has.

    Only what existing agents were told is active before it began. Returns the hosts.
    """
    return await tx.column(
        """
        with begun as (
            update compliance_tasks
               set started_at = %(now)s, status = 'active'
             where status in ('waiting', 'active') and started_at is null
               and (id = %(task)s::uuid or (host_id = %(host_id)s::int and status = 'active'))
            returning id, host_id, kind, scanners, origin, profile_id
        ), made as (
            insert into compliance_scans
                   (host_id, task, kind, status, origin, profile_id, profile_name, created_at, started_at)
            select b.host_id, b.id, s.kind, 'running', b.origin,
                   case when s.kind = 'openscap' then coalesce(b.profile_id, '') else '' end,
                   case when s.kind = 'openscap' then coalesce(b.profile_id, '') else 'Docker Bench for Security' end,
                   %(now)s, %(now)s
              from begun b
             cross join unnest(b.scanners) as s (kind)
             where b.kind = 'scan'
        )
        select host_id from begun
        """,
        now=now,
        task=task,
        host_id=host_id,
    )


async def note_progress(tx: Tx, host_id: int, phase: str, progress: int) -> None:
    """Keep how far a host's scans are."""
    await tx.execute(
        """
        update compliance_scans set phase = %(phase)s, progress = %(progress)s
         where host_id = %(host_id)s and status = 'running'
        """,
        host_id=host_id,
        phase=phase,
        progress=progress,
    )


async def finish(
    tx: Tx, tasks: Sequence[str], status: str, now: datetime, *, message: str = "", scans: str = ""
) -> list[int]:
    """End tasks; with ``scans`` also their scans that still run, in that state and with the message. Return hosts."""
    return await tx.column(
        """
        with over as (
            update compliance_tasks
               set status = %(status)s, finished_at = %(now)s, message = %(message)s
             where id = any(%(tasks)s::uuid[]) and status in ('waiting', 'active')
            returning host_id
        ), ended as (
            update compliance_scans
               set status = %(scans)s, completed_at = %(now)s, error = %(message)s
             where %(scans)s <> '' and task = any(%(tasks)s::uuid[]) and status = 'running'
        )
        select host_id from over
        """,
        tasks=list(tasks),
        status=status,
        now=now,
        message=message,
        scans=scans,
    )


async def end_answered(tx: Tx, host_id: int, now: datetime) -> list[dict[str, Any]]:
    """End what a host's existing agent was asked for and handed in; return job hosts, and whether it was cancelled."""
    return await tx.all(
        """
        update compliance_tasks
           set status = case when cancel_asked_at is null then 'completed' else 'cancelled' end, finished_at = %(now)s,
               progress = 100
         where host_id = %(host_id)s and kind = 'scan' and sent_at is not null and status = 'active'
        returning job_host, cancel_asked_at is not null as cancelled
        """,
        host_id=host_id,
        now=now,
    )


async def ask_cancel(tx: Tx, task: str, now: datetime) -> None:
    """Note that a task and its scans shall end: what comes from now on is partial."""
    await tx.execute(
        """
        with asked as (
            update compliance_tasks set cancel_asked_at = coalesce(cancel_asked_at, %(now)s) where id = %(task)s
            returning id
        )
        update compliance_scans s
           set cancel_asked_at = coalesce(s.cancel_asked_at, %(now)s)
          from asked
         where s.task = asked.id and s.status = 'running'
        """,
        task=task,
        now=now,
    )


async def end_running(tx: Tx, host_id: int, now: datetime, error: str = "") -> int:
    """End every scan of a host that still runs as cancelled; return how many."""
    return await tx.execute(
        """
        update compliance_scans set status = 'cancelled', completed_at = %(now)s, error = %(error)s
         where host_id = %(host_id)s and status = 'running'
        """,
        host_id=host_id,
        now=now,
        error=error,
    )


async def end_stalled(tx: Tx, groups: Groups, before: datetime, now: datetime, error: str) -> list[dict[str, Any]]:
    """End the scans that run since before that moment, and the tasks behind them; return hosts and job hosts."""
    return await tx.all(
        f"""
        with ended as (
            update compliance_scans s
               set status = 'cancelled', completed_at = %(now)s, error = %(error)s
             where s.status = 'running' and s.started_at < %(before)s and {in_scope("s.host_id")}
            returning s.id, s.host_id, s.task
        ), over as (
            update compliance_tasks t
               set status = 'cancelled', finished_at = %(now)s, message = %(error)s
              from ended e
             where t.id = e.task and t.status in ('waiting', 'active')
            returning t.id, t.job_host
        )
        select e.id, e.host_id, o.job_host from ended e left join over o on o.id = e.task order by e.id
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        before=before,
        now=now,
        error=error,
    )


async def store_progress(tx: Tx, task: str, message: str, progress: int) -> None:
    """Keep what a task's agent says of it."""
    await tx.execute(
        """
        update compliance_tasks set message = %(message)s, progress = %(progress)s
         where id = %(task)s and (message, progress) is distinct from (%(message)s, %(progress)s)
        """,
        task=task,
        message=message,
        progress=progress,
    )


async def delete_old(tx: Tx, before: datetime) -> int:
    """Forget tasks that are over for long; a host's last installation stays, so that no second first one follows."""
    return await tx.execute(
        """
        delete from compliance_tasks t
         where t.status not in ('waiting', 'active') and t.finished_at < %(before)s
           and (t.kind <> 'install'
                or exists (select from compliance_tasks later
                            where later.host_id = t.host_id and later.kind = 'install'
                              and later.created_at > t.created_at))
        """,
        before=before,
    )
