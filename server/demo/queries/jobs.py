"""What the demonstration's jobs left behind."""

from datetime import date

from server.core.db import Tx, as_json

Rows = list[dict[str, object]]


async def insert_jobs(tx: Tx, jobs: Rows, digest: str, by: str) -> None:
    """Add finished jobs."""
    await tx.execute(
        """
        insert into jobs (uuid, playbook, playbook_file, title, project_digest, check_mode, variables, launched_by,
                          launched_by_id, position, job_date, created_at, deadline_at, finished_at)
        select j.uuid, j.playbook, j.playbook || '.yml', j.title, %(digest)s, j.check_mode, j.variables, j.launched_by,
               %(by)s, j.position, (j.created_at at time zone 'utc')::date, j.created_at,
               j.created_at + interval '1 day', j.finished_at
          from jsonb_to_recordset(%(jobs)s::jsonb)
               as j(uuid uuid, playbook text, title text, check_mode boolean, variables jsonb, launched_by text,
                    position bigint, created_at timestamptz, finished_at timestamptz)
         order by j.created_at
        """,
        jobs=as_json(jobs),
        digest=digest,
        by=by,
    )


async def insert_project(tx: Tx, digest: str, content: str) -> None:
    """Keep the project that the jobs name; it holds nothing."""
    await tx.execute(
        """
        insert into projects (digest, size, content, origin)
        values (%(digest)s, length(%(content)s), convert_to(%(content)s, 'utf8'), 'demonstration')
            on conflict (digest) do nothing
        """,
        digest=digest,
        content=content,
    )


async def insert_job_hosts(tx: Tx, rows: Rows) -> int:
    """Add what the jobs did on each host."""
    return await tx.execute(
        """
        insert into job_hosts (uuid, job_id, host_id, host_name, status, reason, executor, changing, dispatched_at,
                               started_at, finished_at, rc, runner_counter, final_runner, final_live, events, bytes,
                               counters, position)
        select r.uuid, j.id, h.id, h.friendly_name, r.status, r.reason, 'on_host', not j.check_mode,
               r.started_at - interval '1 second', r.started_at, r.finished_at, r.rc, r.events, r.events, 0, r.events,
               r.events * 640, r.counters, r.position
          from jsonb_to_recordset(%(rows)s::jsonb)
               as r(uuid uuid, job uuid, host uuid, status text, reason text, started_at timestamptz,
                    finished_at timestamptz, rc int, events int, counters jsonb, position bigint)
          join jobs j on j.uuid = r.job
          join hosts h on h.uuid = r.host
         order by j.id, r.position
        """,
        rows=as_json(rows),
    )


async def make_partitions(tx: Tx, first: date) -> None:
    """Make the months that the events fall into."""
    await tx.execute("select automation_make_partitions(%(first)s)", first=first)


async def insert_events(tx: Tx, steps: Rows, by: str) -> int:
    """Write what every host of our jobs said, step by step; a host that failed did not get to the end."""
    return await tx.execute(
        """
        insert into job_events (job_date, job_host_id, source, counter, job_id, position, at, event, play, task,
                                task_uuid, action, role, duration, changed, stdout, message, result)
        select j.job_date, jh.id, 0, s.step, j.id, jh.position - jh.events + s.step,
               jh.started_at + (jh.finished_at - jh.started_at) * (s.step::float / jh.events),
               case when s.step = jh.events and jh.status <> 'succeeded' then 'runner_on_failed' else s.event end,
               s.play, s.task, case when s.task <> '' then md5(j.uuid || s.task) end, s.action, s.role, s.duration,
               s.changed,
               case when s.task <> '' and s.event = 'runner_on_ok' then 'ok: [' || jh.host_name || ']' end,
               case when s.step = jh.events and jh.status <> 'succeeded' then jh.reason end,
               case when s.event = 'playbook_on_stats' then jh.counters end
          from job_hosts jh
          join jobs j on j.id = jh.job_id
          join jsonb_to_recordset(%(steps)s::jsonb)
               as s(step int, event text, play text, task text, action text, role text, duration real, changed boolean)
            on s.step <= jh.events
         where j.launched_by_id = %(by)s
        """,
        steps=as_json(steps),
        by=by,
    )


async def delete_jobs(tx: Tx, by: str) -> None:
    """Take our jobs away, their events first."""
    await tx.execute(
        "delete from job_events where job_id in (select id from jobs where launched_by_id = %(by)s)", by=by
    )
    await tx.execute("delete from jobs where launched_by_id = %(by)s", by=by)
