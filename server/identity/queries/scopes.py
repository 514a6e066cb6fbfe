"""Statements about the host groups that people and roles are limited to."""

from typing import Final

from server.core.db import Database, Tx
from server.core.scope import Groups, among
from server.identity.models import Limits

#: What ``Known`` needs of a person ``u`` with the role ``r``; without limits neither table is looked at.
LIMITS: Final = """
               case when u.limited_to_groups
                    then array(select g.group_uuid::text from user_host_groups g where g.user_id = u.id)
               end as user_groups,
               case when r.limited_to_groups
                    then array(select g.group_uuid::text from role_host_groups g where g.role = r.role)
               end as role_groups
""".strip()


async def list_host_groups(db: Database | Tx, groups: Groups) -> list[tuple[str, str]]:
    """Return the host groups that the asker may give to others, as (UUID, name), by name."""
    rows = await db.all(
        f"""
        select g.uuid, g.name from host_groups g where {among("g.uuid")} order by lower(g.name)
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
    )
    return [(row["uuid"], row["name"]) for row in rows]


async def find_user_limits(db: Database | Tx, user_id: str) -> Limits | None:
    """Return what limits a person."""
    return await db.one(
        f"""
        select u.role, {LIMITS}
          from users u
          left join role_permissions r on r.role = u.role
         where u.id = %(user_id)s
        """,  # noqa: S608 (only constants are put together)
        Limits,
        user_id=user_id,
    )


async def list_limited_people(db: Database) -> dict[str, Limits]:
    """Return what limits everybody who is limited by account or role, by user id."""
    rows = await db.all(
        f"""
        select u.id, u.role, {LIMITS}
          from users u
          left join role_permissions r on r.role = u.role
         where u.limited_to_groups or r.limited_to_groups
        """,  # noqa: S608 (only constants are put together)
    )
    return {row["id"]: Limits(row["role"], row["user_groups"], row["role_groups"]) for row in rows}


async def list_role_limits(db: Database | Tx) -> list[Limits]:
    """Return what limits each role."""
    return await db.all(
        """
        select r.role, null::text[] as user_groups,
               case when r.limited_to_groups
                    then array(select g.group_uuid::text from role_host_groups g where g.role = r.role)
               end as role_groups
          from role_permissions r
         order by r.role
        """,
        Limits,
    )


async def save_user_limit(tx: Tx, user_id: str, chosen: list[str] | None) -> None:
    """Limit a person to exactly these groups; ``None`` lifts the limit."""
    await tx.execute(
        """
        with limited as (
            update users set limited_to_groups = %(chosen)s::uuid[] is not null where id = %(user_id)s
        ), gone as (
            delete from user_host_groups
             where user_id = %(user_id)s and not group_uuid = any(coalesce(%(chosen)s::uuid[], '{}'))
        )
        insert into user_host_groups (user_id, group_uuid)
        select %(user_id)s, g.uuid from host_groups g where g.uuid = any(%(chosen)s::uuid[])
            on conflict do nothing
        """,
        user_id=user_id,
        chosen=chosen,
    )


async def save_role_limit(tx: Tx, role: str, chosen: list[str] | None) -> None:
    """Limit a role to exactly these groups; ``None`` lifts the limit."""
    await tx.execute(
        """
        with limited as (
            update role_permissions set limited_to_groups = %(chosen)s::uuid[] is not null where role = %(role)s
        ), gone as (
            delete from role_host_groups
             where role = %(role)s and not group_uuid = any(coalesce(%(chosen)s::uuid[], '{}'))
        )
        insert into role_host_groups (role, group_uuid)
        select %(role)s, g.uuid from host_groups g where g.uuid = any(%(chosen)s::uuid[])
            on conflict do nothing
        """,
        role=role,
        chosen=chosen,
    )
