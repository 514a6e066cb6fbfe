"""Statements about repositories over all hosts a person sees."""

from collections.abc import Sequence
from typing import Any, Final

from server.core.db import Database, Tx, containing
from server.core.paging import Window
from server.core.scope import Groups, in_scope
from server.packages.views import Edit, RepositoriesAsked, RepositoryCounts

#: What limited people do not see used does not exist for them; others see also what nobody uses any more.
_USED: Final = f"""
        with used as materialized (
            select u.repository_id, count(*)::int as hosts, (count(*) filter (where u.is_enabled))::int as enabled
              from host_repositories u
             where {in_scope("u.host_id")} and (%(host_id)s::int is null or u.host_id = %(host_id)s)
             group by u.repository_id
        ), seen as materialized (
            select r.id as key, r.uuid as id, coalesce(r.given_name, r.name) as name, r.url, r.distribution,
                   r.components, r.repo_type, r.description,
                   r.is_secure as secure, not r.is_switched_off and coalesce(u.enabled, 0) > 0 as active,
                   r.is_switched_off as switched_off, r.priority, coalesce(u.hosts, 0) as hosts,
                   coalesce(u.enabled, 0) as enabled, r.created_at, r.updated_at
              from repositories r
              left join used u on u.repository_id = r.id
             where u.hosts > 0 or (%(groups)s::uuid[] is null and %(host_id)s::int is null)
        )
"""  # noqa: S608 (only constants are put together)
_NAME: Final = "lower(regexp_replace(name, '^deb-(src-)?', '')), url, distribution, components, key"
_ORDERS: Final = {
    "name": "lower(regexp_replace(name, '^deb-(src-)?', '')) {direction}, url, distribution, components, key",
    "url": f"url {{direction}}, {_NAME}",
    "distribution": f"distribution {{direction}}, {_NAME}",
    "security": f"secure {{direction}}, {_NAME}",
    "state": f"active {{direction}}, {_NAME}",
    "hosts": f"hosts {{direction}}, {_NAME}",
}


async def list_repositories(
    db: Database, groups: Groups, asked: RepositoriesAsked, limit: int, offset: int
) -> list[dict[str, Any]]:
    """Return a part of the repositories, each row with the total."""
    order = _ORDERS[asked.sort].replace("{direction}", "desc" if asked.direction == "desc" else "asc")
    return await db.all(
        f"""
        {_USED}
        select seen.*, (count(*) over ())::int as total
          from seen
         where (%(search)s = '' or name ilike %(like)s or url ilike %(like)s)
           and (%(security)s = '' or secure = (%(security)s = 'secure'))
           and (%(state)s = '' or active = (%(state)s = 'active'))
         order by {order}
         limit %(size)s offset %(offset)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        search=asked.search,
        like=containing(asked.search),
        security=asked.security,
        state=asked.state,
        host_id=asked.host_id,
        size=limit,
        offset=offset,
    )


async def count_repositories(db: Database, groups: Groups, host_id: int | None) -> RepositoryCounts:
    """Return the numbers above the list."""
    found = await db.one(
        f"""
        {_USED}
        select count(*)::int as total, (count(*) filter (where active))::int as active,
               (count(*) filter (where secure))::int as secure, coalesce(sum(enabled), 0)::int as links
          from seen
        """,  # noqa: S608 (only constants are put together)
        RepositoryCounts,
        groups=groups,
        host_id=host_id,
    )
    return found or RepositoryCounts(0, 0, 0, 0)


async def find_repository(db: Database | Tx, groups: Groups, uuid: str) -> dict[str, Any] | None:
    """Return one repository."""
    return await db.one(
        f"""
        {_USED}
        select seen.*,
               (select max(greatest(u.last_checked, h.last_full_report_at))
                  from host_repositories u
                  join hosts h on h.id = u.host_id
                 where u.repository_id = seen.key and {in_scope("u.host_id")}) as seen_at
          from seen
         where id = %(uuid)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        host_id=None,
        uuid=uuid,
    )


async def list_hosts(db: Database, groups: Groups, key: int, search: str, window: Window) -> list[dict[str, Any]]:
    """Return one page of the hosts that use a repository, by name, each with the total."""
    return await db.all(
        f"""
        select h.uuid as id, h.friendly_name as name, h.hostname, h.ip, h.os_type, h.os_version,
               u.is_enabled as enabled, u.priority, greatest(u.last_checked, h.last_full_report_at) as seen_at,
               (count(*) over ())::int as total
          from host_repositories u
          join hosts h on h.id = u.host_id
         where u.repository_id = %(key)s and {in_scope("u.host_id")}
           and (%(search)s = '' or h.friendly_name ilike %(like)s or h.hostname ilike %(like)s or h.ip ilike %(like)s)
         order by lower(h.friendly_name), h.id
         limit %(size)s offset %(offset)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        key=key,
        search=search,
        like=containing(search),
        size=window.size,
        offset=window.offset,
    )


async def update_repository(tx: Tx, key: int, edit: Edit) -> None:
    """Change a repository's record."""
    await tx.execute(
        """
        update repositories
           set given_name = coalesce(%(name)s, given_name), description = coalesce(%(description)s, description),
               is_switched_off = coalesce(not %(active)s::boolean, is_switched_off),
               priority = case when %(sets_priority)s then %(priority)s::int else priority end, updated_at = now()
         where id = %(key)s
        """,
        key=key,
        name=edit.name,
        description=edit.description,
        active=edit.active,
        priority=edit.priority,
        sets_priority=edit.sets_priority,
    )


async def delete_repository(tx: Tx, key: int) -> list[int]:
    """Delete a repository's record; return the hosts that used it, by their keys."""
    return await tx.column(
        """
        with gone as (
            delete from repositories where id = %(key)s
        )
        select host_id from host_repositories where repository_id = %(key)s order by host_id
        """,
        key=key,
    )


async def recount_links(tx: Tx, host_ids: Sequence[int]) -> None:
    """Count the repositories of these hosts again, after one was deleted."""
    await tx.execute(
        """
        update host_inventory i
           set repositories = (select count(*) from host_repositories u where u.host_id = i.host_id)
         where i.host_id = any(%(host_ids)s::int[])
        """,
        host_ids=list(host_ids),
    )


async def update_link(
    tx: Tx, groups: Groups, host_uuid: str, repository_uuid: str, *, enabled: bool
) -> dict[str, Any] | None:
    """Say of one host whether it has a repository enabled; return both, or nothing when it does not use it."""
    return await tx.one(
        f"""
        update host_repositories u
           set is_enabled = %(enabled)s
          from hosts h, repositories r
         where h.id = u.host_id and r.id = u.repository_id and h.uuid = %(host)s and r.uuid = %(repository)s
           and {in_scope("u.host_id")}
        returning h.uuid as host_id, h.friendly_name, r.uuid as repository_id,
                  coalesce(r.given_name, r.name) as name, u.is_enabled, u.last_checked
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        host=host_uuid,
        repository=repository_uuid,
        enabled=enabled,
    )


async def delete_orphans(tx: Tx) -> list[dict[str, Any]]:
    """Delete the repositories that no host uses; return their ids, names and addresses."""
    return await tx.all(
        """
        delete from repositories r
         where not exists (select from host_repositories u where u.repository_id = r.id)
        returning r.uuid as id, coalesce(r.given_name, r.name) as name, r.url
        """
    )
