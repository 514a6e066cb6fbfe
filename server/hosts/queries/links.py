"""Statements about connections of agents."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from server.core.db import Database, Tx, as_json
from server.hosts.models import LinkNote


async def store_links(db: Database | Tx, notes: Sequence[LinkNote]) -> None:
    """Record which hosts' agents connected or left; a host at most once."""
    await db.execute(
        """
        with told as materialized (
            select * from jsonb_to_recordset(%(rows)s::jsonb) as t(host_id int, connected boolean, secure boolean, at
                   timestamptz)
        ), locked as materialized (
            select id from hosts where id in (select host_id from told) order by id for no key update
        )
        update hosts h
           set last_connected_at = case when t.connected then t.at else h.last_connected_at end,
               last_disconnected_at = case when t.connected then h.last_disconnected_at else t.at end,
               link_secure = t.connected and t.secure
          from told t
          join locked l on l.id = t.host_id
         where h.id = t.host_id
        """,
        rows=as_json(list(notes)),
    )


async def store_rivals(db: Database, places: Mapping[int, Sequence[str]], at: datetime) -> None:
    """Record from which addresses several agents use each of these hosts' credentials at once."""
    await db.execute(
        """
        with told as materialized (
            select h.id, t.places
              from jsonb_to_recordset(%(rows)s::jsonb) as t(id int, places text[])
              join hosts h on h.id = t.id
             order by h.id
               for no key update of h
        )
        update hosts h set rivals_at = %(at)s, rivals = told.places from told where h.id = told.id
        """,
        rows=as_json([{"id": host_id, "places": list(found)} for host_id, found in places.items()]),
        at=at,
    )


async def mark_vanished(db: Database | Tx, online: Sequence[int], at: datetime, since: datetime) -> list[int]:
    """Mark every host as disconnected that counts as connected but is not among ``online``; return them.

    Hosts that connected after ``since`` are left alone: they may be newer than the list.
    """
    return await db.column(
        """
        update hosts
           set last_disconnected_at = %(at)s, link_secure = false
         where last_connected_at < %(since)s
           and (last_disconnected_at is null or last_disconnected_at < last_connected_at)
           and id not in (select value::int from jsonb_array_elements_text(%(online)s::jsonb))
        returning id
        """,
        online=as_json(list(online)),
        at=at,
        since=since,
    )
