"""Statements about runs of workflows and their steps."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

import msgspec

from server.core.db import Queries, Tx, as_json
from server.core.scope import Groups
from server.workflows.models import Node, NodeState, Row, Run, RunState, Standing, Starter
from server.workflows.queries.workflows import graph_of

_RUN: Final = """
    select r.id, r.workflow_id, r.name, r.graph, r.status, r.reason, r.starter, r.cause, r.relaunch_of, r.position,
           r.created_at, r.finished_at, r.secrets_sealed
      from workflow_runs r
"""
# Who is limited to host groups sees the runs that somebody started within them.
_VISIBLE: Final = " (%(groups)s::uuid[] is null or r.limited_to <@ %(groups)s::uuid[])"
_MATCHING: Final = (
    _VISIBLE
    + """
       and (%(workflow)s = '' or r.workflow_id::text = %(workflow)s)
       and (%(status)s = '' or r.status = %(status)s or %(status)s = 'active' and r.finished_at is null)
       and (%(search)s = '' or position(lower(%(search)s) in lower(r.name || ' ' || (r.starter ->> 'name'))) > 0)
"""
)


def run_of(row: Row) -> Run:
    """Return a row as decisions about it need it."""
    return Run(
        row["id"],
        row["workflow_id"],
        row["name"],
        graph_of(row["graph"]),
        RunState(row["status"]),
        msgspec.convert(row["starter"], Starter),
        row["secrets_sealed"],
    )


async def insert_run(
    tx: Tx,
    *,
    workflow_id: str | None,
    name: str,
    graph: object,
    secrets_sealed: str | None,
    starter: Starter,
    groups: Groups,
    cause: str,
    relaunch_of: str | None,
    now: datetime,
) -> str:
    """Add a run without steps and return its id."""
    return str(
        await tx.value(
            """
            insert into workflow_runs (workflow_id, name, graph, secrets_sealed, status, starter, limited_to, cause,
                                       relaunch_of, created_at)
            values (%(workflow_id)s, %(name)s, %(graph)s::jsonb, %(sealed)s, 'running', %(starter)s::jsonb,
                    %(groups)s::uuid[], %(cause)s, %(relaunch_of)s, %(now)s)
            returning id
            """,
            workflow_id=workflow_id,
            name=name,
            graph=as_json(graph),
            sealed=secrets_sealed,
            starter=as_json(starter),
            groups=groups,
            cause=cause,
            relaunch_of=relaunch_of,
            now=now,
        )
    )


async def insert_nodes(tx: Tx, run: str, nodes: Sequence[Node], kept_of: str | None, kept: Sequence[str]) -> None:
    """Add a run's steps; those that are kept stand as they ended in an earlier run."""
    await tx.execute(
        """
        insert into workflow_nodes (run_id, key, state, reason, job, started_at, finished_at)
        select %(run)s, k.key, coalesce(o.state, 'pending'),
               case when o.key is null then '' else 'kept from the run before' end, o.job, o.started_at, o.finished_at
          from unnest(%(keys)s::text[]) k(key)
          left join workflow_nodes o on o.run_id = %(kept_of)s::uuid and o.key = k.key and k.key = any(%(kept)s::text[])
        """,
        run=run,
        keys=[node.key for node in nodes],
        kept_of=kept_of,
        kept=list(kept),
    )


async def try_run(tx: Tx, run: str) -> Run | None:
    """Lock a run that is not over, unless somebody holds it."""
    row = await tx.one(_RUN + " where r.id = %(run)s and r.finished_at is null for update of r skip locked", run=run)
    return run_of(row) if row is not None else None


async def lock_run(tx: Tx, groups: Groups, run: str) -> Run | None:
    """Lock a run that the asker sees, over or not, waiting for whoever holds it."""
    row = await tx.one(_RUN + " where r.id = %(run)s and " + _VISIBLE + " for update of r", run=run, groups=groups)
    return run_of(row) if row is not None else None


async def list_open(db: Queries) -> list[str]:
    """Return the runs that are not over."""
    return cast(
        "list[str]", await db.column("select r.id from workflow_runs r where r.finished_at is null order by r.id")
    )


async def list_standings(tx: Queries, run: str) -> list[Standing]:
    """Return a run's steps, with how their jobs ended; a job that is gone has failed."""
    return [
        Standing(
            row["key"], NodeState(row["state"]), row["job"], row["job_status"], row["due_at"], row["reason"], row["why"]
        )
        for row in await tx.all(
            """
            select n.key, n.state, n.job, n.due_at, n.reason,
                   case when n.job is null then ''
                        when j.id is null then 'failed'
                        when j.finished_at is null then ''
                        when h.bad > 0 then 'failed'
                        when h.cancelled > 0 then 'cancelled'
                        else 'succeeded' end as job_status,
                   coalesce(h.why, '') as why
              from workflow_nodes n
              left join jobs j on j.uuid = n.job
              left join lateral (
                   select count(*) filter (where s.status in ('failed', 'timed_out', 'lost', 'unreachable')) as bad,
                          count(*) filter (where s.status = 'cancelled') as cancelled,
                          min(s.host_name || case when s.reason = '' then '' else ': ' || s.reason end)
                              filter (where s.status in ('failed', 'timed_out', 'lost', 'unreachable')) as why
                     from job_hosts s
                    where s.job_id = j.id) h on true
             where n.run_id = %(run)s
            """,
            run=run,
        )
    ]


async def move_node(
    tx: Tx,
    run: str,
    key: str,
    state: NodeState,
    now: datetime,
    *,
    reason: str = "",
    job: str | None = None,
    due_at: datetime | None = None,
    by: str | None = None,
) -> None:
    """Write where a step is now."""
    await tx.execute(
        """
        update workflow_nodes
           set state = %(state)s, reason = %(reason)s, job = coalesce(%(job)s, job), due_at = %(due_at)s,
               decided_by = coalesce(%(by)s, decided_by),
               started_at = case when %(state)s in ('running', 'waiting', 'failed') then coalesce(started_at, %(now)s)
                                 else started_at end,
               finished_at = case when %(state)s in ('running', 'waiting') then null else %(now)s end
         where run_id = %(run)s and key = %(key)s
        """,
        run=run,
        key=key,
        state=state,
        reason=reason,
        job=job,
        due_at=due_at,
        by=by,
        now=now,
    )


async def move_run(tx: Tx, run: str, status: RunState, finished_at: datetime | None, reason: str = "") -> None:
    """Write where a run is now; whoever follows it sees that something is new."""
    await tx.execute(
        """
        update workflow_runs
           set status = %(status)s, finished_at = %(finished_at)s, position = position + 1,
               reason = case when %(reason)s = '' then reason else %(reason)s end
         where id = %(run)s
        """,
        run=run,
        status=status,
        finished_at=finished_at,
        reason=reason,
    )


_LISTED: Final = (
    """
    select r.id, r.workflow_id, r.name, r.status, r.reason, r.starter ->> 'name' as started_by, r.cause,
           r.created_at, r.finished_at, n.total, n.ended
      from workflow_runs r
     cross join lateral (select count(*) as total,
                                count(*) filter (where s.finished_at is not null or s.state = 'skipped') as ended
                           from workflow_nodes s where s.run_id = r.id) n
     where """  # noqa: S608 (only constants are put together)
    + _MATCHING
    + " order by r.created_at desc, r.id limit %(limit)s offset %(offset)s"
)


async def list_runs(
    db: Queries, groups: Groups, *, workflow: str, status: str, search: str, limit: int, offset: int
) -> list[Row]:
    """Return runs, newest first, with how far they are."""
    return await db.all(
        _LISTED,
        groups=groups,
        workflow=workflow,
        status=status,
        search=search,
        limit=limit,
        offset=offset,
    )


async def count_runs(db: Queries, groups: Groups, *, workflow: str, status: str, search: str) -> int:
    """Return how many runs match."""
    return int(
        await db.value(
            "select count(*) from workflow_runs r where " + _MATCHING,  # noqa: S608 (only constants)
            groups=groups,
            workflow=workflow,
            status=status,
            search=search,
        )
    )


async def find_run(db: Queries, groups: Groups, run: str) -> Row | None:
    """Return one run that the asker sees."""
    return await db.one(_RUN + " where r.id = %(run)s and " + _VISIBLE, run=run, groups=groups)


async def list_nodes(db: Queries, run: str) -> list[dict[str, Any]]:
    """Return the steps of a run as people see them."""
    return await db.all(
        """
        select n.key, n.state, n.reason, n.job, n.due_at, n.decided_by, n.started_at, n.finished_at
          from workflow_nodes n
         where n.run_id = %(run)s
        """,
        run=run,
    )


async def delete_old(db: Queries, before: datetime) -> int:
    """Forget runs that were over before this moment, with their steps."""
    return await db.execute("delete from workflow_runs where finished_at < %(before)s", before=before)
