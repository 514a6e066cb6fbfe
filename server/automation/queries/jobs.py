"""Statements about jobs and their hosts as people see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from server.automation.models import Job, JobHost, Order, Playbook, Target, Variables
from server.core.call import Call
from server.core.db import Queries, Tx, as_json
from server.core.ids import HostId, JobId
from server.core.paging import Window
from server.core.scope import Groups, among, in_scope

# Who is limited to host groups sees of a job its hosts in them, and a job without any not at all.
_JOB: Final = f"""
    select j.id, j.uuid, j.playbook, j.playbook_file, j.title, j.project_digest, j.check_mode, j.variables,
           j.secret_names, j.options,
           j.launched_by, j.launched_by_id, j.position, j.job_date, j.created_at, j.deadline_at, j.finished_at,
           h.started_at, coalesce(h.counts, '{{}}') as counts, coalesce(h.only_host, '') as only_host
      from jobs j
      left join lateral (
            select min(s.started_at) as started_at, jsonb_object_agg(s.status, s.number) as counts,
                   case when sum(s.number) = 1 then min(s.host_name) end as only_host
              from (select status, count(*) as number, min(started_at) as started_at, min(host_name) as host_name
                      from job_hosts m where m.job_id = j.id and {in_scope("m.host_id")} group by status) s
           ) h on true
"""  # noqa: S608 (only constants are put together)

_VISIBLE: Final = f"""
       (%(groups)s::uuid[] is null
        or exists (select from job_hosts v where v.job_id = j.id and {in_scope("v.host_id")}))
"""

_JOB_HOST: Final = """
    select h.id, h.uuid, h.job_id, h.host_id, t.uuid as host_uuid, h.host_name, h.status, h.reason, h.executor,
           h.changing, h.stop_asked_at,
           h.dispatched_at, h.started_at, h.finished_at, h.rc, h.runner_counter, h.live_counter, h.events, h.bytes,
               h.counters,
           h.position
      from job_hosts h
      left join hosts t on t.id = h.host_id
"""


async def insert_job(
    tx: Tx,
    call: Call,
    order: Order,
    playbook: Playbook,
    variables: Variables,
    secret_names: list[str],
    deadline_at: datetime,
) -> dict[str, Any]:
    """Write a job without hosts."""
    row = await tx.one(
        """
        insert into jobs (playbook, playbook_file, title, project_digest, check_mode, variables, secret_names,
                          options, launched_by,
                          launched_by_id, idempotency_key, position, job_date, created_at, deadline_at, request_id)
        values (%(playbook)s, %(file)s, %(title)s, %(digest)s, %(check)s, %(variables)s::jsonb, %(secret_names)s,
               %(options)s::jsonb,
                %(by)s, %(by_id)s, %(key)s, 1, %(now)s::date, %(now)s, %(deadline_at)s, %(request_id)s)
        returning id, uuid
        """,
        playbook=playbook.name,
        file=playbook.file,
        title=order.title or playbook.title,
        digest=playbook.project_digest,
        check=order.check,
        variables=as_json(variables),
        secret_names=secret_names,
        options=as_json(order.options),
        by=call.actor.name or call.actor.id,
        by_id=f"{call.actor.kind}:{call.actor.id}",
        key=order.idempotency_key or None,
        now=call.now,
        deadline_at=deadline_at,
        request_id=call.request_id,
    )
    assert row is not None
    return row


async def insert_job_hosts(
    tx: Tx,
    job_id: JobId,
    targets: tuple[Target, ...],
    status: str,
    *,
    changing: bool,
    secrets_sealed: str | None,
    relaunch_of: JobId | None = None,
) -> None:
    """Write the job's hosts, all in the same status, and which job they repeat."""
    await tx.execute(
        """
        with repeated as (
            update jobs set relaunch_of = %(relaunch_of)s where id = %(job_id)s and %(relaunch_of)s::integer is not null
        )
        insert into job_hosts (job_id, host_id, host_name, status, changing, secrets_sealed, position)
        select %(job_id)s, t.id, t.name, %(status)s, %(changing)s, %(secrets_sealed)s, 1
          from jsonb_to_recordset(%(targets)s::jsonb) as t(id integer, name text)
         order by t.name
        """,
        job_id=job_id,
        status=status,
        changing=changing,
        secrets_sealed=secrets_sealed,
        relaunch_of=relaunch_of,
        targets=as_json([{"id": t.id, "name": t.name} for t in targets]),
    )


async def list_targets(
    tx: Queries, groups: Groups, names: tuple[str, ...], group_words: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return the hosts that the names and groups mean, each with what it answered to."""
    return await tx.all(
        f"""
        select h.id, h.uuid, h.friendly_name as name,
               array(select n from unnest(%(names)s::text[]) n where n in (h.uuid::text, h.friendly_name)) as answers,
               array(select g.word
                       from host_group_members m
                       join (select k.id, w.word from host_groups k
                               join unnest(%(group_words)s::text[]) w(word)
                                    on w.word in (k.uuid::text, k.name) and {among("k.uuid")}) g
                                    on g.id = m.host_group_id
                      where m.host_id = h.id
                     union all
                     select 'all' where 'all' = any(%(group_words)s::text[])) as group_answers
          from hosts h
         where {in_scope("h.id")}
           and (h.uuid::text = any(%(names)s::text[])
            or h.friendly_name = any(%(names)s::text[])
            or 'all' = any(%(group_words)s::text[])
            or exists (select from host_group_members m
                         join host_groups k on k.id = m.host_group_id
                        where m.host_id = h.id and {among("k.uuid")}
                              and (k.uuid::text = any(%(group_words)s::text[])
                                   or k.name = any(%(group_words)s::text[]))))
         order by h.friendly_name, h.id
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        names=list(names),
        group_words=list(group_words),
    )


async def list_known_groups(tx: Queries, groups: Groups, group_words: tuple[str, ...]) -> list[str]:
    """Return which of the words name a group."""
    return cast(
        "list[str]",
        await tx.column(
            f"""
            select w.word
              from unnest(%(group_words)s::text[]) w(word)
             where w.word = 'all'
                or exists (select from host_groups k where w.word in (k.uuid::text, k.name) and {among("k.uuid")})
            """,  # noqa: S608 (only constants are put together)
            groups=groups,
            group_words=list(group_words),
        ),
    )


async def find_job(db: Queries, groups: Groups, job: str) -> Job | None:
    """Return a job by UUID."""
    return await db.one(_JOB + """ where j.uuid = %(job)s and """ + _VISIBLE, Job, groups=groups, job=job)


async def list_jobs(
    db: Queries, groups: Groups, window: Window, *, playbook: str = "", search: str = "", only: str = ""
) -> list[Job]:
    """Return jobs, newest first."""
    return await db.all(
        _JOB + _FILTER + """ order by j.created_at desc, j.id desc limit %(limit)s offset %(offset)s""",
        Job,
        groups=groups,
        playbook=playbook,
        search=search,
        only=only,
        limit=window.size,
        offset=window.offset,
    )


async def count_jobs(db: Queries, groups: Groups, *, playbook: str = "", search: str = "", only: str = "") -> int:
    """Return how many jobs the filters leave."""
    return cast("int", await db.value(_COUNT + _FILTER, groups=groups, playbook=playbook, search=search, only=only))


_COUNT: Final = """select count(*) from jobs j"""

_NEWEST: Final = f"""
     where j.id in (select max(j.id) from jobs j where {_VISIBLE} group by j.playbook)
"""  # noqa: S608 (only constants are put together)

_FILTER: Final = f"""
     where {_VISIBLE}
       and (%(playbook)s = '' or j.playbook = %(playbook)s)
       and (%(search)s = ''
            or j.title ilike '%%' || %(search)s || '%%'
            or j.launched_by ilike '%%' || %(search)s || '%%'
            or exists (select from job_hosts f where f.job_id = j.id and {in_scope("f.host_id")}
                                                 and f.host_name ilike '%%' || %(search)s || '%%'))
       and (%(only)s = ''
            or %(only)s = 'open' and j.finished_at is null
                and (%(groups)s::uuid[] is null
                     or exists (select from job_hosts f where f.job_id = j.id and {in_scope("f.host_id")}
                                                          and f.finished_at is null))
            or %(only)s = 'failed' and exists (select from job_hosts f where f.job_id = j.id and {in_scope("f.host_id")}
                                                  and f.status in ('failed', 'timed_out', 'lost', 'unreachable')))
"""  # noqa: S608 (only constants are put together)


async def list_host_jobs(db: Queries, host_id: HostId, limit: int) -> list[Job]:
    """Return the last jobs that ran on a host; their counts are this host's."""
    return await db.all(
        """
        select j.id, j.uuid, j.playbook, j.playbook_file, j.title, j.project_digest, j.check_mode, j.variables,
               j.secret_names, j.options,
               j.launched_by, j.launched_by_id, j.position, j.job_date, j.created_at, j.deadline_at, h.finished_at,
               h.started_at, jsonb_build_object(h.status, 1) as counts
          from job_hosts h
          join jobs j on j.id = h.job_id
         where h.host_id = %(host_id)s
         order by h.id desc
         limit %(limit)s
        """,
        Job,
        host_id=host_id,
        limit=limit,
    )


async def list_job_hosts(
    db: Queries, groups: Groups, job_id: JobId, *, after: int = 0, until: int = 2**62
) -> list[JobHost]:
    """Return a job's hosts that changed between two positions, by name."""
    return await db.all(
        _JOB_HOST
        + f"""
         where h.job_id = %(job_id)s and h.position > %(after)s and h.position <= %(until)s
           and {in_scope("h.host_id")}
         order by h.host_name, h.id
        """,
        JobHost,
        groups=groups,
        job_id=job_id,
        after=after,
        until=until,
    )


async def find_job_host(db: Queries, groups: Groups, job_id: JobId, name: str) -> JobHost | None:
    """Return a host of a job by its own UUID, its host's UUID or its name."""
    return await db.one(
        _JOB_HOST
        + f"""
         where h.job_id = %(job_id)s and %(name)s in (h.uuid::text, t.uuid::text, h.host_name)
           and {in_scope("h.host_id")}
         order by h.id
         limit 1
        """,
        JobHost,
        groups=groups,
        job_id=job_id,
        name=name,
    )


async def list_last_jobs(db: Queries, groups: Groups) -> list[Job]:
    """Return the newest job of each playbook."""
    return await db.all(_JOB + _NEWEST, Job, groups=groups)


async def list_chosen_targets(db: Queries, groups: Groups, chosen: Sequence[str]) -> list[Target]:
    """Return the hosts of these UUIDs that the asker reaches, by name."""
    return await db.all(
        f"""
        select id, uuid, friendly_name as name
          from hosts h
         where uuid::text = any(%(chosen)s::text[]) and {in_scope("h.id")}
         order by lower(friendly_name), id
        """,  # noqa: S608 (only constants are put together)
        Target,
        groups=groups,
        chosen=list(chosen),
    )


async def list_found_targets(
    db: Queries, groups: Groups, words: str, chosen: Sequence[str], limit: int
) -> list[Target]:
    """Return hosts that the asker reaches and has not chosen, whose names have these words in them, by name."""
    return await db.all(
        f"""
        select id, uuid, friendly_name as name
          from hosts h
         where uuid::text <> all(%(chosen)s::text[])
           and (%(words)s = '' or position(lower(%(words)s) in lower(friendly_name)) > 0
                or position(lower(%(words)s) in lower(hostname)) > 0)
           and {in_scope("h.id")}
         order by lower(friendly_name), id
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        Target,
        groups=groups,
        words=words,
        chosen=list(chosen),
        limit=limit,
    )


async def count_targets(db: Queries, groups: Groups) -> int:
    """Return how many hosts the asker reaches."""
    return int(
        await db.value(
            f"select count(*) from hosts h where {in_scope('h.id')}",  # noqa: S608 (only constants are put together)
            groups=groups,
        )
    )


async def list_groups(db: Queries, groups: Groups) -> list[dict[str, Any]]:
    """Return the host groups that have hosts, and how many."""
    return await db.all(
        f"""
        select g.uuid, g.name, count(*) as count
          from host_groups g
          join host_group_members m on m.host_group_id = g.id
         where {among("g.uuid")}
         group by g.id
         order by lower(g.name)
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
    )
