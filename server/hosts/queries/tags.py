"""Statements about tags of hosts."""

from collections.abc import Mapping, Sequence

from server.core.db import Database, Tx, as_json
from server.core.scope import Groups, in_scope
from server.hosts.listed import TagCount


async def list_tags(db: Database, groups: Groups) -> list[TagCount]:
    """Return every tag in use with the number of its hosts, by key and value."""
    return await db.all(
        f"""
        select t.key, t.value, count(*) as hosts
          from host_tags t
          join hosts h on h.id = t.host_id
         where {in_scope("h.id")}
         group by t.key, t.value
         order by t.key, t.value
        """,  # noqa: S608 (only constants are put together)
        TagCount,
        groups=groups,
    )


async def tags_of(db: Database | Tx, groups: Groups, uuid: str) -> dict[str, str]:
    """Return a host's tags by key."""
    rows = await db.all(
        f"""
        select t.key, t.value
          from host_tags t
          join hosts h on h.id = t.host_id
         where h.uuid = %(uuid)s and {in_scope("h.id")}
         order by t.key
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        uuid=uuid,
    )
    return {row["key"]: row["value"] for row in rows}


async def put_tags(tx: Tx, groups: Groups, uuids: Sequence[str], tags: Mapping[str, str]) -> int:
    """Give these tags to hosts, over what they had under the same keys; return how many rows that touched."""
    return await tx.execute(
        f"""
        insert into host_tags (host_id, key, value)
        select h.id, t.key, t.value
          from hosts h
         cross join jsonb_each_text(%(tags)s::jsonb) as t(key, value)
         where h.uuid = any(%(uuids)s::uuid[]) and {in_scope("h.id")}
         order by h.id, t.key
            on conflict (host_id, key) do update set value = excluded.value
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        uuids=list(uuids),
        tags=as_json(dict(tags)),
    )


async def drop_tags(tx: Tx, groups: Groups, uuids: Sequence[str], keys: Sequence[str]) -> int:
    """Take tags with these keys from hosts."""
    return await tx.execute(
        f"""
        delete from host_tags t
         using hosts h
         where h.id = t.host_id and h.uuid = any(%(uuids)s::uuid[]) and t.key = any(%(keys)s::text[])
           and {in_scope("h.id")}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        uuids=list(uuids),
        keys=list(keys),
    )


async def keep_tags(tx: Tx, groups: Groups, uuid: str, keys: Sequence[str]) -> int:
    """Take all tags from a host except those with these keys."""
    return await tx.execute(
        f"""
        delete from host_tags t
         using hosts h
         where h.id = t.host_id and h.uuid = %(uuid)s and t.key <> all(%(keys)s::text[]) and {in_scope("h.id")}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        uuid=uuid,
        keys=list(keys),
    )
