"""Statements behind the pages of runs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from server.core.db import Queries, as_json, containing
from server.core.scope import Groups, among, in_scope
from server.patching.recorded import Cause, Coming, Line, Named, Sought, Upgrade

_NAME: Final = "coalesce(nullif(h.friendly_name, ''), nullif(h.hostname, ''), h.uuid::text)"

_LINE: Final = f"""
    select r.id, h.uuid as host_id, {_NAME} as host_name, r.patch_type, r.package_names, r.security_only, r.dry_run,
           r.status, r.extra_deps, r.initiated_by, left(r.error_message, 300) as error_message, r.created_at,
           r.scheduled_at, r.started_at, r.completed_at
      from patch_runs r
      join hosts h on h.id = r.host_id
"""  # noqa: S608 (only constants are put together)

_FILTER: Final = f"""
     where {in_scope("r.host_id")}
       and (%(host)s::uuid is null or h.uuid = %(host)s::uuid)
       and (%(statuses)s::text[] is null or r.status = any(%(statuses)s::text[]))
       and (%(patch_type)s = '' or r.patch_type = %(patch_type)s)
       and (%(batch)s::uuid is null or r.batch_id = %(batch)s::uuid)
       and (%(search)s = '' or h.friendly_name ilike %(like)s or h.hostname ilike %(like)s
            or array_to_string(r.package_names, ' ') ilike %(like)s)
"""

_ORDERS: Final = {
    "created_at": "r.created_at",
    "started_at": "r.started_at",
    "completed_at": "r.completed_at",
    "status": "r.status",
}


def _narrowed(sought: Sought) -> dict[str, Any]:
    return {
        "host": sought.host or None,
        "statuses": list(sought.statuses) or None,
        "patch_type": sought.patch_type,
        "batch": sought.batch or None,
        "search": sought.search,
        "like": containing(sought.search),
    }


async def list_lines(db: Queries, groups: Groups, sought: Sought) -> list[Line]:
    """Return one page of runs."""
    order = _ORDERS.get(sought.sort_by, "r.created_at")
    way = "asc nulls first" if sought.sort_dir == "asc" else "desc nulls last"
    return await db.all(
        f"{_LINE} {_FILTER} order by {order} {way}, r.created_at desc, r.id limit %(limit)s offset %(offset)s",
        Line,
        groups=groups,
        limit=sought.limit,
        offset=sought.offset,
        **_narrowed(sought),
    )


async def count_lines(db: Queries, groups: Groups, sought: Sought) -> int:
    """Return how many runs match."""
    return cast(
        "int",
        await db.value(
            f"select count(*) from patch_runs r join hosts h on h.id = r.host_id {_FILTER}",  # noqa: S608 (constants)
            groups=groups,
            **_narrowed(sought),
        ),
    )


async def list_by_ids(db: Queries, groups: Groups, ids: Sequence[str]) -> list[Line]:
    """Return these runs as far as the asker sees them, by host."""
    return await db.all(
        f"{_LINE} where {in_scope('r.host_id')} and r.id = any(%(ids)s::uuid[]) order by lower(h.friendly_name), r.id",
        Line,
        groups=groups,
        ids=list(ids),
    )


async def count_of_host(db: Queries, groups: Groups, host: str) -> dict[str, int]:
    """Return how many runs of a host are in each state."""
    rows = await db.all(
        f"""
        select r.status, count(*) as number
          from patch_runs r
          join hosts h on h.id = r.host_id
         where h.uuid = %(host)s and {in_scope("r.host_id")}
         group by r.status
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        host=host,
    )
    return {row["status"]: row["number"] for row in rows}


async def list_coming(db: Queries, groups: Groups, limit: int) -> list[Coming]:
    """Return what begins next, the soonest first; runs of one moment and one policy are one line."""
    return await db.all(
        f"""
        select r.scheduled_at as at, coalesce(r.policy_snapshot ->> 'name', 'Default') as policy,
               count(*)::int as runs, min(r.id::text) as only_id, min({_NAME}) as only_host
          from patch_runs r
          join hosts h on h.id = r.host_id
         where r.status = 'scheduled' and {in_scope("r.host_id")}
         group by r.scheduled_at, r.policy_snapshot ->> 'name'
         order by r.scheduled_at, 2
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        Coming,
        groups=groups,
        limit=limit,
    )


async def list_causes(db: Queries, groups: Groups, statuses: Sequence[str], since: datetime, limit: int) -> list[Cause]:
    """Return why runs ended in these states since a moment, the most frequent cause first."""
    return await db.all(
        f"""
        select f.text, f.status, f.times, f.hosts, f.names[1:4] as names, f.run, f.last_at
          from (select left(coalesce(nullif(split_part(r.error_message, chr(10), 1), ''), replace(r.status, '_', ' ')),
                            240) as text,
                       min(r.status) as status, count(*)::int as times, count(distinct r.host_id)::int as hosts,
                       array_agg(distinct {_NAME}) as names,
                       (array_agg(r.id::text order by r.created_at desc))[1] as run, max(r.created_at) as last_at
                  from patch_runs r
                  join hosts h on h.id = r.host_id
                 where r.status = any(%(statuses)s::text[]) and r.created_at >= %(since)s and {in_scope("r.host_id")}
                 group by 1) f
         order by f.hosts desc, f.last_at desc
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        Cause,
        groups=groups,
        statuses=list(statuses),
        since=since,
        limit=limit,
    )


async def list_upgrades(db: Queries, groups: Groups, package: str, limit: int) -> list[Upgrade]:
    """Return the newest real runs whose transaction held a package."""
    return await db.all(
        f"""
        select r.id as run, h.uuid as host_id, {_NAME} as host_name, r.status,
               coalesce(r.completed_at, r.started_at, r.created_at) as at,
               coalesce(p.found ->> 'from', '') as before, coalesce(p.found ->> 'to', '') as after
          from patch_runs r
          join hosts h on h.id = r.host_id
         cross join lateral (select c.value as found
                               from jsonb_array_elements(r.packages_affected) c
                              where c.value ->> 'name' = %(package)s
                              limit 1) p
         where not r.dry_run and r.packages_affected @> %(holding)s::jsonb and {in_scope("r.host_id")}
         order by r.created_at desc, r.id
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        Upgrade,
        groups=groups,
        package=package,
        holding=as_json([{"name": package}]),
        limit=limit,
    )


async def find_execution(db: Queries, groups: Groups, run: str) -> str | None:
    """Return the run that was made when this one was approved."""
    return cast(
        "str | None",
        await db.value(
            f"""
            select r.id::text
              from patch_runs r
             where r.validation_run_id = %(run)s and {in_scope("r.host_id")}
             order by r.created_at desc
             limit 1
            """,  # noqa: S608 (only constants are put together)
            groups=groups,
            run=run,
        ),
    )


async def find_job(db: Queries, groups: Groups, run: str) -> dict[str, Any] | None:
    """Return the job that carries a run: its ``job`` and the ``job_host``."""
    return await db.one(
        f"""
        select j.uuid as job, m.uuid as job_host
          from patch_runs r
          join job_hosts m on m.uuid = r.job_host
          join jobs j on j.id = m.job_id
         where r.id = %(run)s and {in_scope("r.host_id")}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        run=run,
    )


async def list_named(db: Queries, groups: Groups, words: str, limit: int) -> list[Named]:
    """Return groups and hosts whose names hold these words, groups first; those that begin with them before others."""
    return await db.all(
        f"""
        (select 'group' as kind, g.uuid::text as id, g.name,
                (select count(*) from host_group_members m where m.host_group_id = g.id)::int as hosts
           from host_groups g
          where g.name ilike %(like)s and {among("g.uuid")}
          order by lower(g.name)
          limit %(limit)s)
        union all
        (select 'host', h.uuid::text, {_NAME}, 1
           from hosts h
          where (h.friendly_name ilike %(like)s or h.hostname ilike %(like)s) and {in_scope("h.id")}
            and h.expected_platform <> 'windows'
          order by h.friendly_name ilike %(begins)s desc, lower(h.friendly_name), h.id
          limit %(limit)s)
        """,  # noqa: S608 (only constants are put together)
        Named,
        groups=groups,
        like=containing(words),
        begins=containing(words)[1:],
        limit=limit,
    )
