"""Statements about one package over all hosts a person sees."""

from typing import Any, Final

from server.core.db import Database
from server.core.paging import Window
from server.core.scope import Groups, in_scope
from server.packages.queries.counts import COUNTS

_ORDERS: Final = {
    "name": "lower(h.friendly_name) {direction}, h.id",
    "state": "(i.needs_update and i.is_security_update) {direction}, i.needs_update {direction},"
    " lower(h.friendly_name), h.id",
    "installed": "i.current_version {direction}, lower(h.friendly_name), h.id",
    "since": "i.outdated_since {direction} nulls last, lower(h.friendly_name), h.id",
    "seen": "h.last_update {direction} nulls last, lower(h.friendly_name), h.id",
}


async def find_package(db: Database, groups: Groups, key: int) -> dict[str, Any] | None:
    """Return a package with its numbers, where it comes from and what systems have it."""
    return await db.one(
        f"""
        with i as materialized (
            select i.repository_id, i.needs_update, i.is_security_update, h.os_type, h.os_version, h.last_update
              from host_packages i
              join hosts h on h.id = i.host_id
             where i.package_id = %(key)s and {in_scope("i.host_id")}
        )
        select p.id as key, p.name, p.description, p.category, p.latest_version, c.*,
               (select coalesce(jsonb_agg(jsonb_build_array(r.uuid, coalesce(r.given_name, r.name), r.url, r.is_secure)
                                          order by s.n desc, r.name), '[]')
                  from (select repository_id, count(*) as n from i group by repository_id) s
                  join repositories r on r.id = s.repository_id) as sources,
               (select coalesce(jsonb_agg(jsonb_build_array(s.os_type, s.os_version, s.n) order by s.n desc, s.os_type,
                                          s.os_version), '[]')
                  from (select os_type, os_version, count(*) as n from i group by os_type, os_version) s) as systems
          from packages p
         cross join (select {COUNTS}, max(i.last_update) as seen_at from i) c
         where p.id = %(key)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        key=key,
    )


_HOSTS: Final = f"""
        select h.uuid as id, h.friendly_name as name, h.hostname, h.os_type, h.os_version, h.last_update as seen_at,
               h.expected_platform, i.current_version, i.available_version, i.needs_update,
               i.is_security_update as security, i.source_repository as repository, i.outdated_since,
               coalesce(i.wua_kb, '') as kb, coalesce(i.wua_severity, '') as severity,
               r.uuid as source_id, coalesce(r.given_name, r.name) as source_name, r.url as source_url,
               r.is_secure as source_secure,
               (count(*) over ())::int as total
          from host_packages i
          join hosts h on h.id = i.host_id
          left join repositories r on r.id = i.repository_id
         where i.package_id = %(key)s
           and (not %(pending)s or i.needs_update)
           and (%(search)s = '' or h.friendly_name ilike %(like)s or h.hostname ilike %(like)s or h.ip ilike %(like)s)
           and {in_scope("i.host_id")}
         order by {{order}}
         limit %(size)s offset %(offset)s
"""  # noqa: S608 (only constants are put together)


async def list_hosts(
    db: Database, groups: Groups, key: int, search: str, order: tuple[str, str], window: Window, *, pending: bool
) -> list[dict[str, Any]]:
    """Return one page of the hosts that have a package; ``pending``: only those that are behind. Each has the total."""
    clause = _ORDERS[order[0]].replace("{direction}", "desc" if order[1] == "desc" else "asc")
    escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return await db.all(
        _HOSTS.replace("{order}", clause),
        groups=groups,
        key=key,
        pending=pending,
        search=search,
        like=f"%{escaped}%",
        size=window.size,
        offset=window.offset,
    )


async def list_activity(db: Database, groups: Groups, key: int, limit: int, offset: int) -> list[dict[str, Any]]:
    """Return what happened to a package on hosts, newest first."""
    return await db.all(
        f"""
        select c.at, h.uuid as host_id, h.friendly_name as host_name, c.from_version, c.to_version,
               c.was_security as security
          from host_package_changes c
          join hosts h on h.id = c.host_id
         where c.package_id = %(key)s and {in_scope("c.host_id")}
         order by c.at desc, c.host_id
         limit %(limit)s offset %(offset)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        key=key,
        limit=limit,
        offset=offset,
    )


async def count_activity(db: Database, groups: Groups, key: int, most: int) -> int:
    """Return how often something happened to a package, counted up to ``most``."""
    found: int = await db.value(
        f"""
        select count(*)::int
          from (select from host_package_changes c
                 where c.package_id = %(key)s and {in_scope("c.host_id")}
                 limit %(most)s) as counted
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        key=key,
        most=most,
    )
    return found


async def find_hosts_of(db: Database, groups: Groups, key: int, host_uuids: list[str]) -> list[str]:
    """Return which of these hosts can have a newer version of a package installed from here."""
    return await db.column(
        f"""
        select h.uuid::text
          from host_packages i
          join hosts h on h.id = i.host_id
         where i.package_id = %(key)s and i.needs_update and h.expected_platform <> 'windows'
           and h.uuid = any(%(uuids)s::uuid[])
           and {in_scope("i.host_id")}
         order by lower(h.friendly_name), h.id
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        key=key,
        uuids=host_uuids,
    )
