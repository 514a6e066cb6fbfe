"""Statements about host groups."""

from collections.abc import Sequence
from typing import Any

from server.core.db import Database, Tx, as_json
from server.core.scope import Groups, among
from server.hosts.models import Group


async def replace_groups(tx: Tx, groups: Groups, host_id: int, group_ids: Sequence[str]) -> int:
    """Make these a host's groups, of those the asker may use; return how many of them exist for the asker."""
    return await tx.execute(
        f"""
        with chosen as (
            select id from host_groups k where {among("k.uuid")} and uuid::text in (select value from
                   jsonb_array_elements_text(%(chosen)s::jsonb) as g(value))
        ), gone as (
            delete from host_group_members
             where host_id = %(host_id)s and host_group_id not in (select id from chosen)
               and host_group_id in (select k.id from host_groups k where {among("k.uuid")})
        )
        insert into host_group_members (host_id, host_group_id)
        select %(host_id)s, id from chosen
            on conflict (host_id, host_group_id) do update set host_id = excluded.host_id
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        host_id=host_id,
        chosen=as_json(list(group_ids)),
    )


async def list_groups(db: Database, groups: Groups) -> list[dict[str, Any]]:
    """Return the groups with their numbers of hosts, by name."""
    return await db.all(
        f"""
        select g.uuid as id, g.name, g.description, g.color, g.created_at, g.updated_at,
               jsonb_build_object('hosts', (select count(*) from host_group_members m where m.host_group_id = g.id))
               as "_count"
          from host_groups g
         where {among("g.uuid")}
         order by lower(g.name)
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
    )


async def find_group(db: Database, groups: Groups, uuid: str) -> dict[str, Any] | None:
    """Return one group with its number of hosts."""
    return await db.one(
        f"""
        select g.uuid as id, g.name, g.description, g.color, g.created_at, g.updated_at,
               jsonb_build_object('hosts', (select count(*) from host_group_members m where m.host_group_id = g.id))
               as "_count"
          from host_groups g
         where g.uuid = %(uuid)s and {among("g.uuid")}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
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


async def groups_of(db: Database | Tx, groups: Groups, host_id: int) -> list[Group]:
    """Return a host's groups by name."""
    return await db.all(
        f"""
        select g.uuid as id, g.name, g.description, g.color
          from host_groups g
          join host_group_members m on m.host_group_id = g.id
         where m.host_id = %(host_id)s and {among("g.uuid")}
         order by lower(g.name)
        """,  # noqa: S608 (only constants are put together)
        Group,
        groups=groups,
        host_id=host_id,
    )


async def lock_group(tx: Tx, uuid: str) -> dict[str, Any] | None:
    """Return a group as it is, and keep others from changing it."""
    return await tx.one(
        "select id, uuid, name, description, color from host_groups where uuid = %(uuid)s for update", uuid=uuid
    )


async def update_group(tx: Tx, uuid: str, name: str, description: str, color: str) -> None:
    """Change a group."""
    await tx.execute(
        """
        update host_groups
           set name = %(name)s, description = %(description)s, color = %(color)s, updated_at = now()
         where uuid = %(uuid)s
        """,
        uuid=uuid,
        name=name,
        description=description,
        color=color,
    )


async def delete_group(tx: Tx, uuid: str) -> None:
    """Remove a group; one with hosts is refused by its foreign key."""
    await tx.execute("delete from host_groups where uuid = %(uuid)s", uuid=uuid)


async def list_members(db: Database | Tx, groups: Groups, uuid: str, limit: int) -> list[dict[str, Any]]:
    """Return the hosts of a group by name."""
    return await db.all(
        f"""
        select h.uuid as id, h.friendly_name, h.hostname, h.ip, h.os_type, h.os_version, h.status, h.created_at
          from host_group_members m
          join host_groups k on k.id = m.host_group_id
          join hosts h on h.id = m.host_id
         where k.uuid = %(uuid)s and {among("k.uuid")}
         order by lower(h.friendly_name), h.id
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        uuid=uuid,
        limit=limit,
    )
