"""Statements that read what hosts say about runs, and write what follows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from server.core.db import Queries, Tx, as_json
from server.core.scope import Groups, in_scope
from server.patching.models import Run, Word

#: What the package manager printed, a line each; existing agents cut their output anywhere.
_TEXT: Final = r"e.stdout || case when e.event = 'output' or right(e.stdout, 1) = E'\n' then '' else E'\n' end"


async def list_moved(db: Queries, limit: int) -> list[str]:
    """Return the runs whose job hosts are further than they are."""
    return cast(
        "list[str]",
        await db.column(
            """
            select r.id
              from patch_runs r
              join job_hosts h on h.uuid = r.job_host
             where r.status in ('queued', 'pending_validation', 'running', 'timed_out', 'agent_disconnected')
               and case h.status
                        when 'running' then r.status <> 'running'
                        when 'rebooting' then r.status <> 'running'
                        when 'timed_out' then r.status <> 'timed_out'
                        when 'lost' then r.status <> 'agent_disconnected'
                        else h.status in ('succeeded', 'failed', 'cancelled', 'unreachable') end
             order by r.id
             limit %(limit)s
            """,
            limit=limit,
        ),
    )


async def count_open(db: Queries) -> int:
    """Return how many runs wait for their hosts' words."""
    return cast(
        "int",
        await db.value(
            """
            select count(*) from patch_runs
             where status in ('queued', 'pending_validation', 'running') and job_host is not null
            """
        ),
    )


async def list_words(tx: Tx, job_hosts: Sequence[str]) -> dict[str, Word]:
    """Return the states of job hosts by their UUIDs."""
    rows = await tx.all(
        """
        select uuid, status, reason, finished_at,
               returned_at as restarted_at,
               coalesce(started_at, case when status in ('succeeded', 'failed', 'timed_out') then dispatched_at end)
               as started_at
          from job_hosts
         where uuid = any(%(job_hosts)s::uuid[])
        """,
        job_hosts=list(job_hosts),
    )
    return {row.pop("uuid"): Word(**row) for row in rows}


async def list_results(tx: Tx, job_hosts: Sequence[str]) -> list[dict[str, Any]]:
    """Return what module package_update left behind on job hosts; ``content`` is null while it has not arrived."""
    return await tx.all(
        """
        select h.uuid as job_host, b.content
          from job_hosts h
          join job_results s on s.job_host_id = h.id and s.module = 'package_update'
          left join result_blobs b on b.digest = s.digest
         where h.uuid = any(%(job_hosts)s::uuid[])
        """,
        job_hosts=list(job_hosts),
    )


_SO_FAR: Final = f"""
        select coalesce(string_agg(t.line, '' order by t.counter) filter (where t.upto <= %(limit)s), '') as text,
               coalesce(max(t.upto), 0) > %(limit)s as more
          from (select e.counter, {_TEXT} as line, sum(octet_length({_TEXT})) over (order by e.counter) as upto
                  from job_hosts h
                  join jobs j on j.id = h.job_id
                  join job_events e on e.job_date = j.job_date and e.job_host_id = h.id and e.source = 1
                 where h.uuid = %(job_host)s and e.stdout <> '') t
"""  # noqa: S608 (only constants are put together)


async def fetch_output(db: Queries, groups: Groups, run: str, limit_bytes: int) -> str:
    """Return what a run has printed so far, as long as it is on its host."""
    row = await db.one(
        f"""
        select s.text
          from patch_runs r
         cross join lateral ({_SO_FAR.replace("%(job_host)s", "r.job_host")}) s
         where r.id = %(run)s and {in_scope("r.host_id")}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        run=run,
        limit=limit_bytes,
    )
    return row["text"] if row is not None else ""


async def store_output(tx: Tx, run: Run, limit_bytes: int, *, cut: str, if_silent: str, last: str) -> None:
    """Keep what a run printed up to the limit, and its last line.

    ``cut`` says that there was more, ``if_silent`` stands for a run that printed nothing.
    """
    await tx.execute(
        f"""
        update patch_runs r
           set shell_output = s.text || case when s.more then %(cut)s else '' end
                                     || case when s.text = '' then %(if_silent)s else '' end || %(last)s
          from ({_SO_FAR}) s
         where r.id = %(run)s
        """,  # noqa: S608 (only constants are put together)
        run=run.id,
        job_host=run.job_host,
        limit=limit_bytes,
        cut=cut,
        if_silent=if_silent,
        last=last,
    )


async def list_lines(
    db: Queries, groups: Groups, run: str, job_host: str, after: int, limit: int
) -> list[dict[str, Any]]:
    """Return what a run printed after a counter, in order."""
    return await db.all(
        f"""
        select e.counter, {_TEXT} as text
          from patch_runs r
          join job_hosts h on h.uuid = %(job_host)s
          join jobs j on j.id = h.job_id
          join job_events e on e.job_date = j.job_date and e.job_host_id = h.id and e.source = 1
         where r.id = %(run)s and r.job_host = h.uuid and {in_scope("r.host_id")}
           and e.counter > %(after)s and e.stdout <> ''
         order by e.counter
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        run=run,
        job_host=job_host,
        after=after,
        limit=limit,
    )


async def find_followed(db: Queries, groups: Groups, run: str) -> dict[str, Any] | None:
    """Return what who watches a run needs: its state, and which job prints."""
    return await db.one(
        f"""
        select r.status, r.error_message, r.job_host, j.uuid as job
          from patch_runs r
          left join job_hosts h on h.uuid = r.job_host
          left join jobs j on j.id = h.job_id
         where {in_scope("r.host_id")} and r.id = %(run)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        run=run,
    )


async def update_moved(tx: Tx, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """Write where runs are by their hosts' words; absent facts keep what is stored."""
    await tx.execute(
        """
        update patch_runs r
           set status = m.status, error_message = coalesce(m.error, ''),
               started_at = coalesce(r.started_at, m.started_at),
               completed_at = m.completed_at, restarted_at = coalesce(m.restarted_at, r.restarted_at),
               packages_affected = coalesce(m.packages, r.packages_affected),
               extra_deps = coalesce(m.extra_deps, r.extra_deps), plan = coalesce(m.plan, r.plan),
               updated_at = %(now)s
          from jsonb_to_recordset(%(rows)s::jsonb)
               as m(id uuid, status text, error text, started_at timestamptz, completed_at timestamptz,
                    restarted_at timestamptz, packages jsonb, extra_deps boolean, plan jsonb)
         where r.id = m.id
        """,
        rows=as_json(list(rows)),
        now=now,
    )
