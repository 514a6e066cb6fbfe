"""Statements that move job hosts; every one that touches both locks jobs first, in the order of their ids."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from server.automation.models import Claimed, Standing
from server.core.db import Database, Queries, Tx, as_json
from server.core.ids import HostId, JobHostId
from server.core.scope import Groups, in_scope

# ``no key``: new rows that refer to a job need not wait for its events.
_STANDING: Final = """
    select h.id, h.uuid, h.job_id, j.uuid as job_uuid, j.job_date, j.position as job_position, h.host_id, h.status,
           h.stop_asked_at, h.runner_counter, h.live_counter, h.bytes
      from jobs j
      join job_hosts h on h.job_id = j.id
"""


async def lock_standings(tx: Tx, ids: list[JobHostId]) -> list[Standing]:
    """Lock job hosts and their jobs."""
    return await tx.all(
        _STANDING
        + """
         where h.id = any(%(ids)s)
         order by j.id, h.id
           for no key update of j, h
        """,
        Standing,
        ids=ids,
    )


async def list_busy(db: Queries, host_ids: list[HostId]) -> list[HostId]:
    """Return which hosts have jobs on them."""
    return cast(
        "list[HostId]",
        await db.column(
            """
            select distinct host_id from job_hosts
             where host_id = any(%(host_ids)s) and status in ('dispatched', 'running', 'rebooting')
            """,
            host_ids=host_ids,
        ),
    )


async def lock_host_standings(tx: Tx, host_id: HostId, announced: list[str]) -> list[Standing]:
    """Lock what is on a host as far as we know, and what the host says is on it."""
    return await tx.all(
        _STANDING
        + """
         where h.host_id = %(host_id)s
           and (h.status in ('dispatched', 'running', 'rebooting') and h.executor <> 'relayed'
                or h.uuid = any(%(announced)s::uuid[]))
         order by j.id, h.id
           for no key update of j, h
        """,
        Standing,
        host_id=host_id,
        announced=announced,
    )


async def lock_job_standings(tx: Tx, groups: Groups, job: str, hosts: list[str] | None) -> list[Standing]:
    """Lock a job's hosts, or those named by their own UUID, their host's or the name."""
    return await tx.all(
        _STANDING
        + f"""
          left join hosts t on t.id = h.host_id
         where j.uuid = %(job)s and {in_scope("h.host_id")}
           and (%(hosts)s::text[] is null or array[h.uuid::text, t.uuid::text, h.host_name] && %(hosts)s::text[])
         order by j.id, h.id
           for no key update of j, h
        """,
        Standing,
        groups=groups,
        job=job,
        hosts=hosts,
    )


async def lock_standings_of(tx: Tx, uuids: Sequence[str]) -> list[Standing]:
    """Lock job hosts by their own UUIDs, and their jobs."""
    return await tx.all(
        _STANDING
        + """
         where h.uuid = any(%(uuids)s::uuid[])
         order by j.id, h.id
           for no key update of j, h
        """,
        Standing,
        uuids=list(uuids),
    )


async def update_standings(tx: Tx, moves: list[dict[str, Any]]) -> None:
    """Write what was decided; absent values keep what is stored. Ended job hosts lose their sealed secrets."""
    await tx.execute(
        """
        update job_hosts h
           set status = coalesce(m.status, h.status),
               reason = coalesce(m.reason, h.reason),
               executor = coalesce(m.executor, h.executor),
               runner_counter = coalesce(m.runner, h.runner_counter),
               live_counter = coalesce(m.live, h.live_counter),
               events = h.events + coalesce(m.events, 0),
               bytes = h.bytes + coalesce(m.bytes, 0),
               position = coalesce(m.position, h.position),
               retry_at = case when m.status is null then h.retry_at else m.retry_at end,
               stop_asked_at = coalesce(m.stop_asked_at, h.stop_asked_at),
               dispatched_at = case when m.status = 'queued' then null
                                    else coalesce(m.dispatched_at, h.dispatched_at) end,
               started_at = coalesce(h.started_at, m.started_at),
               rebooting_at = coalesce(m.rebooting_at, h.rebooting_at),
               returned_at = coalesce(m.returned_at, h.returned_at),
               finished_at = case when m.status is null then h.finished_at else m.finished_at end,
               rc = coalesce(m.rc, h.rc),
               counters = coalesce(m.counters, h.counters),
               final_runner = coalesce(m.final_runner, h.final_runner),
               final_live = coalesce(m.final_live, h.final_live),
               secrets_sealed = case when m.finished_at is null then h.secrets_sealed end
          from jsonb_to_recordset(%(moves)s::jsonb)
               as m(id bigint, status text, reason text, executor text, runner integer, live integer, events integer,
                    bytes bigint, position bigint, retry_at timestamptz, stop_asked_at timestamptz,
                    dispatched_at timestamptz, started_at timestamptz, rebooting_at timestamptz,
                    returned_at timestamptz, finished_at timestamptz, rc integer, counters jsonb,
                    final_runner integer, final_live integer)
         where h.id = m.id
        """,
        moves=as_json(moves),
    )


async def update_jobs(tx: Tx, positions: list[dict[str, Any]], now: datetime) -> list[str]:
    """Advance the jobs' positions and judge which are over; return the UUIDs of those that ended just now."""
    return cast(
        "list[str]",
        await tx.column(
            """
            with before as (
                select j.id, j.finished_at, p.position, p.moved,
                       p.moved and not exists (
                           select from job_hosts h
                            where h.job_id = j.id
                              and h.status in ('queued', 'scheduled', 'awaiting_approval', 'dispatched', 'running',
                                               'rebooting')) as over
                  from jsonb_to_recordset(%(positions)s::jsonb) as p(id integer, position bigint, moved boolean)
                  join jobs j on j.id = p.id
            ), written as (
                update jobs j
                   set position = b.position,
                       finished_at = case when b.over then coalesce(b.finished_at, %(now)s)
                                          when b.moved then null
                                          else b.finished_at end
                  from before b
                 where j.id = b.id
                returning j.uuid, b.over and b.finished_at is null as ended
            )
            select uuid from written where ended
            """,
            positions=as_json(positions),
            now=now,
        ),
    )


async def list_claimable(db: Queries, rooms: list[dict[str, int]], now: datetime) -> list[JobHostId]:
    """Return what may be offered now to hosts with links here: oldest first, as far as each has room.

    Past its deadline nothing begins any more; the sweep says so.
    """
    return cast(
        "list[JobHostId]",
        await db.column(
            """
            with room as (
                select r.host_id,
                       r.changing - count(h.id) filter (where h.changing and h.status <> 'queued') as changing,
                       r.checking - count(h.id) filter (where not h.changing and h.status <> 'queued') as checking
                  from jsonb_to_recordset(%(rooms)s::jsonb) as r(host_id integer, changing integer, checking integer)
                  join job_hosts h on h.host_id = r.host_id
                                  and h.status in ('queued', 'dispatched', 'running', 'rebooting')
                 group by r.host_id, r.changing, r.checking
                having bool_or(h.status = 'queued')
            ), waiting as (
                select h.id, h.job_id, h.changing, room.changing as changing_room, room.checking as checking_room,
                       row_number() over (partition by h.host_id, h.changing order by h.id) as place
                  from room
                  join job_hosts h on h.host_id = room.host_id
                                  and h.status = 'queued' and (h.retry_at is null or h.retry_at <= %(now)s)
                                  and h.executor <> 'relayed'
                  join jobs j on j.id = h.job_id and j.deadline_at > %(now)s
            )
            select id from waiting
             where place <= case when changing then changing_room else checking_room end
             order by job_id, id
            """,
            rooms=as_json(rooms),
            now=now,
        ),
    )


_CLAIMED = """
    select h.id, h.uuid, h.job_id, j.uuid as job_uuid, h.host_id, h.host_name, h.changing, h.runner_counter,
           h.live_counter, j.playbook, j.playbook_file, j.project_digest, p.size as project_size, j.check_mode,
           j.variables, j.options, h.secrets_sealed, j.request_id
      from job_hosts h
      join jobs j on j.id = h.job_id
      join projects p on p.digest = j.project_digest
"""


async def list_claimed(db: Queries, ids: list[JobHostId]) -> list[Claimed]:
    """Return everything an executor needs to offer these job hosts."""
    return await db.all(_CLAIMED + """ where h.id = any(%(ids)s) order by h.id""", Claimed, ids=ids)


async def list_unanswered(db: Queries, host_ids: list[HostId], before: datetime) -> list[Claimed]:
    """Return what was offered to these hosts some time ago and never taken."""
    return await db.all(
        _CLAIMED
        + """
         where h.host_id = any(%(host_ids)s) and h.status = 'dispatched' and h.dispatched_at < %(before)s
               and h.executor not in ('native', 'relayed')
         order by h.id
        """,
        Claimed,
        host_ids=host_ids,
        before=before,
    )


async def list_stopping(db: Queries, host_ids: list[HostId]) -> list[dict[str, Any]]:
    """Return which job hosts on these hosts shall end, and the grace they get."""
    return await db.all(
        """
        select h.host_id, h.uuid, coalesce((j.options ->> 'grace_seconds')::integer, 30) as grace_seconds
          from job_hosts h
          join jobs j on j.id = h.job_id
         where h.host_id = any(%(host_ids)s) and h.status in ('dispatched', 'running', 'rebooting')
               and h.stop_asked_at is not null
         order by h.id
        """,
        host_ids=host_ids,
    )


async def list_queued_for(db: Queries, host_ids: list[HostId]) -> list[JobHostId]:
    """Return what is queued for these hosts."""
    return cast(
        "list[JobHostId]",
        await db.column(
            """select id from job_hosts where host_id = any(%(host_ids)s) and status = 'queued'""",
            host_ids=host_ids,
        ),
    )


async def list_changed_hosts(tx: Tx, job_hosts: list[str]) -> list[HostId]:
    """Return the hosts whose packages these job hosts may have changed; what is known of them is old by now."""
    return cast(
        "list[HostId]",
        await tx.column(
            """
            select distinct h.host_id
              from job_hosts h
              join jobs j on j.id = h.job_id
             where h.uuid = any(%(job_hosts)s::uuid[]) and h.changing and h.host_id is not null
               and j.playbook in ('patch', 'reboot')
            """,
            job_hosts=job_hosts,
        ),
    )


# ---------------------------------------------------------------- the sweep


async def list_hosts_to_ring(db: Database, unanswered_before: datetime, now: datetime) -> list[HostId]:
    """Return the hosts whose job hosts may have missed a bell."""
    return cast(
        "list[HostId]",
        await db.column(
            """
            select distinct host_id
              from job_hosts
             where status in ('queued', 'scheduled', 'awaiting_approval', 'dispatched', 'running', 'rebooting')
               and host_id is not null
               and (status = 'queued' and (retry_at is null or retry_at <= %(now)s)
                    or status = 'dispatched' and dispatched_at < %(before)s
                    or stop_asked_at is not null)
            """,
            before=unanswered_before,
            now=now,
        ),
    )


async def list_past_deadline(db: Database, now: datetime) -> list[JobHostId]:
    """Return job hosts that waited for their host until the job's deadline, or whose host was deleted."""
    return cast(
        "list[JobHostId]",
        await db.column(
            """
            select h.id
              from job_hosts h
              join jobs j on j.id = h.job_id
             where h.status in ('queued', 'scheduled', 'awaiting_approval') and (j.deadline_at <= %(now)s
                   or h.host_id is null)
             limit 5000
            """,
            now=now,
        ),
    )


async def list_given_up(db: Database, now: datetime, patience_seconds: float) -> list[JobHostId]:
    """Return job hosts on hosts that should have ended long ago."""
    return cast(
        "list[JobHostId]",
        await db.column(
            """
            select h.id
              from job_hosts h
              join jobs j on j.id = h.job_id
             where h.status in ('dispatched', 'running')
               and (greatest(coalesce(h.started_at, h.dispatched_at),
                             case when h.started_at is null then j.deadline_at else h.started_at end,
                             h.rebooting_at
                             + make_interval(secs => coalesce((j.options ->> 'restart_seconds')::integer, 1800)))
                    + make_interval(secs => coalesce((j.options ->> 'timeout_seconds')::integer, 3600)
                                            + coalesce((j.options ->> 'grace_seconds')::integer,
                                                        30) + %(patience)s) <= %(now)s
                    or h.host_id is null)
             limit 5000
            """,
            now=now,
            patience=patience_seconds,
        ),
    )


async def list_not_returned(db: Database, now: datetime, patience_seconds: float) -> list[JobHostId]:
    """Return job hosts whose hosts restart for them and should have come back long ago."""
    return cast(
        "list[JobHostId]",
        await db.column(
            """
            select h.id
              from job_hosts h
              join jobs j on j.id = h.job_id
             where h.status = 'rebooting'
               and (h.rebooting_at + make_interval(secs => coalesce((j.options ->> 'restart_seconds')::integer, 1800)
                                                           + %(patience)s) <= %(now)s
                    or h.host_id is null)
             limit 5000
            """,
            now=now,
            patience=patience_seconds,
        ),
    )
