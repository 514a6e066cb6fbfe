"""Statements about host groups."""

from collections.abc import Sequence
from typing import Any

from server.core.db import Database, Tx, as_json
from server.hosts.models import Group


async def replace_groups(tx: Tx, host_id: int, group_ids: Sequence[str]) -> int:
    """Set a host's groups to exactly these; return how many of them exist."""
    return await tx.execute(
        """
        with chosen as (
            select id from host_groups where uuid::text in (select value from
                   jsonb_array_elements_text(%(groups)s::jsonb) as g(value))
        ), gone as (
            delete from host_group_members
             where host_id = %(host_id)s and host_group_id not in (select id from chosen)
        )
        insert into host_group_members (host_id, host_group_id)
        select %(host_id)s, id from chosen
            on conflict (host_id, host_group_id) do update set host_id = excluded.host_id
        """,
        host_id=host_id,
        groups=as_json(list(group_ids)),
    )


async def list_groups(db: Database) -> list[dict[str, Any]]:
    """Return every group with its number of hosts, by name."""
    return await db.all(
        """
        select g.uuid as id, g.name, g.description, g.color, g.created_at, g.updated_at,
               jsonb_build_object('hosts', (select count(*) from host_group_members m where m.host_group_id = g.id))
               as "_count"
          from host_groups g
         order by lower(g.name)
        """
    )


async def find_group(db: Database, uuid: str) -> dict[str, Any] | None:
    """Return one group with its number of hosts."""
    return await db.one(
        """
        select g.uuid as id, g.name, g.description, g.color, g.created_at, g.updated_at,
               jsonb_build_object('hosts', (select count(*) from host_group_members m where m.host_group_id = g.id))
               as "_count"
          from host_groups g
         where g.uuid = %(uuid)s
        """,
        uuid=uuid,
    )


async def insert_group(tx: Tx, name: str, description: str, color: str) -> dict[str, Any]:
    """Add a group."""
    row = await tx.one(
        """
        insert into host_groups (name, description, color)
        values (%(name)s, %(description)s, %(color)s)
        returning uuid as id, name, description, color, created_at, updated_at, jsonb_build_object('hosts', 0) as
                  "_count"
        """,
        name=name,
        description=description,
        color=color,
    )
    if row is None:
        raise AssertionError
    return row


async def groups_of(db: Database | Tx, host_id: int) -> list[Group]:
    """Return a host's groups by name."""
    return await db.all(
        """
        select g.uuid as id, g.name, g.description, g.color
          from host_groups g
          join host_group_members m on m.host_group_id = g.id
         where m.host_id = %(host_id)s
         order by lower(g.name)
        """,
        Group,
        host_id=host_id,
    )
