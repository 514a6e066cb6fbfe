"""Statements that put a host's events into the shape of ansible-runner's files."""

from datetime import date
from typing import Any

from server.automation.artifact_models import EventFile
from server.core.db import Queries
from server.core.ids import JobHostId


async def list_files(
    db: Queries, job_date: date, job_host_id: JobHostId, *, playbook: str, after: int, until: int, limit: int
) -> list[EventFile]:
    """Return the next events of a host's play as runner's JSON, with what they printed; ``until`` is a position."""
    return await db.all(
        """
        select e.counter, coalesce(e.uuid, 'event-' || e.counter) as uuid, coalesce(e.stdout, '') as stdout,
               jsonb_build_object(
                   'uuid', e.uuid, 'counter', e.counter, 'stdout', coalesce(e.stdout, ''),
                   'start_line', 0, 'end_line', 0, 'runner_ident', h.uuid, 'event', e.event, 'created', e.at,
                   'parent_uuid', e.parent,
                   'event_data', case when e.event = 'playbook_on_stats' then coalesce(e.result, '{}')
                                      else jsonb_strip_nulls(jsonb_build_object(
                                           'playbook', %(playbook)s::text, 'play', e.play, 'task', e.task,
                                           'task_uuid', e.task_uuid, 'task_action', e.action, 'role', e.role,
                                           'duration', e.duration, 'ignore_errors', e.ignored, 'message', e.message,
                                           'host', case when e.event like 'runner%%' then h.host_name end))
                                           || case when e.result is null then '{}'::jsonb
                                                   else jsonb_build_object('res', e.result) end
                                 end)::text as text
          from job_events e
          join job_hosts h on h.id = e.job_host_id
         where e.job_date = %(job_date)s and e.job_host_id = %(job_host_id)s and e.source = 0
           and e.counter > %(after)s and e.position <= %(until)s
         order by e.counter
         limit %(limit)s
        """,
        EventFile,
        job_date=job_date,
        job_host_id=job_host_id,
        playbook=playbook,
        after=after,
        until=until,
        limit=limit,
    )


async def size_of_output(db: Queries, job_date: date, job_host_id: JobHostId, *, until: int) -> int:
    """Return how many bytes a host's play printed, each event's ended by a line's end."""
    found: Any = await db.value(
        """
        select coalesce(sum(octet_length(e.stdout) + 1), 0)
          from job_events e
         where e.job_date = %(job_date)s and e.job_host_id = %(job_host_id)s and e.source = 0
           and e.position <= %(until)s and e.stdout <> ''
        """,
        job_date=job_date,
        job_host_id=job_host_id,
        until=until,
    )
    return int(found)
