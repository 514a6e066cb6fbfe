"""Statements about workflows as people keep them."""

from datetime import datetime
from typing import Any, Final, cast

import msgspec

from server.core.db import Queries, Tx, as_json
from server.workflows.models import Graph, Row, Workflow

_ROW: Final = """
    select w.id, w.name, w.description, w.graph, w.secrets_sealed, w.created_by, w.created_at, w.updated_at,
           l.id as last_run, l.status as last_status, l.created_at as last_at
      from workflows w
      left join lateral (select r.id, r.status, r.created_at
                           from workflow_runs r
                          where r.workflow_id = w.id
                          order by r.created_at desc
                          limit 1) l on true
"""
_ORDERS: Final = {
    "name": "lower(w.name)",
    "last": "l.created_at",
    "updated": "w.updated_at",
}
#: The condition of the list and of how many there are.
_MATCHING: Final = (
    " where (%(search)s = '' or position(lower(%(search)s) in lower(w.name || ' ' || w.description)) > 0)"
)
_COUNT: Final = "select count(*) from workflows w" + _MATCHING  # noqa: S608 (only constants are put together)


def graph_of(value: Any) -> Graph:
    """Return a stored graph."""
    return msgspec.convert(value, Graph)


async def list_workflows(
    db: Queries, *, search: str = "", sort: str = "name", descending: bool = False, limit: int = 1000, offset: int = 0
) -> list[Row]:
    """Return workflows with their last run."""
    order = f" order by {_ORDERS[sort]} {'desc' if descending else 'asc'} nulls last, w.id"
    return await db.all(
        _ROW + _MATCHING + order + " limit %(limit)s offset %(offset)s", search=search, limit=limit, offset=offset
    )


async def count_workflows(db: Queries, *, search: str = "") -> int:
    """Return how many match."""
    return int(await db.value(_COUNT, search=search))


async def find_workflow(db: Queries, workflow: str) -> Row | None:
    """Return one workflow by its id."""
    return await db.one(_ROW + " where w.id = %(workflow)s", workflow=workflow)


async def insert_workflow(tx: Tx, wanted: Workflow, sealed: str | None, by: str, now: datetime) -> str | None:
    """Add a workflow and return its id; nothing when its name is taken."""
    return cast(
        "str | None",
        await tx.value(
            """
            insert into workflows (name, description, graph, secrets_sealed, created_by, created_at, updated_at)
            values (%(name)s, %(description)s, %(graph)s::jsonb, %(sealed)s, %(by)s, %(now)s, %(now)s)
                on conflict (lower(name)) do nothing
            returning id
            """,
            name=wanted.name.strip(),
            description=wanted.description.strip(),
            graph=as_json(wanted.graph),
            sealed=sealed,
            by=by,
            now=now,
        ),
    )


async def update_workflow(tx: Tx, workflow: str, wanted: Workflow, sealed: str | None, now: datetime) -> bool:
    """Change a workflow; False when it is gone. Runs under way go on as they began."""
    return bool(
        await tx.execute(
            """
            update workflows
               set name = %(name)s, description = %(description)s, graph = %(graph)s::jsonb,
                   secrets_sealed = %(sealed)s, updated_at = %(now)s
             where id = %(workflow)s
            """,
            workflow=workflow,
            name=wanted.name.strip(),
            description=wanted.description.strip(),
            graph=as_json(wanted.graph),
            sealed=sealed,
            now=now,
        )
    )


async def is_name_taken(tx: Tx, name: str, but: str) -> bool:
    """Tell whether another workflow has this name."""
    return bool(
        await tx.value(
            "select exists (select from workflows where lower(name) = lower(%(name)s) and id <> %(but)s)",
            name=name.strip(),
            but=but,
        )
    )


async def delete_workflow(tx: Tx, workflow: str) -> str | None:
    """Remove a workflow with its schedules and return its name; its runs stay."""
    found = await tx.value("delete from workflows where id = %(workflow)s returning name", workflow=workflow)
    return cast("str | None", found)
