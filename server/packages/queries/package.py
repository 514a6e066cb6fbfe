"""Statements about one package over all hosts a person sees."""

from typing import Any, Final

from server.core.db import Database, Tx, containing
from server.core.scope import Groups, in_scope
from server.packages.views import Words

_ORDERS: Final = {
    "name": "lower(h.friendly_name) {direction}, h.id",
    "state": "(i.needs_update and i.is_security_update) {direction}, i.needs_update {direction},"
    " lower(h.friendly_name), h.id",
    "installed": "i.current_version {direction}, lower(h.friendly_name), h.id",
    "since": "i.outdated_since {direction} nulls last, lower(h.friendly_name), h.id",
    "seen": "h.last_update {direction} nulls last, lower(h.friendly_name), h.id",
}


async def find_package(db: Database, groups: Groups, key: int) -> dict[str, Any] | None:
    """Return a package with its numbers; each is counted in an index, and who was heard of last is found first."""
    return await db.one(
        f"""
        select p.id as key, p.name, p.description, p.category, p.latest_version,
               (select count(*)::int from host_packages i
                 where i.package_id = p.id and {in_scope("i.host_id")}) as installs,
               (select count(*)::int from host_packages i
                 where i.package_id = p.id and i.needs_update and {in_scope("i.host_id")}) as outdated,
               (select count(*)::int from host_packages i
                 where i.package_id = p.id and i.needs_update and i.is_security_update
                   and {in_scope("i.host_id")}) as security,
               (select h.last_update
                  from (select id, last_update from hosts order by last_update desc nulls last offset 0) h
                 where exists (select from host_packages i where i.host_id = h.id and i.package_id = p.id)
                   and {in_scope("h.id")}
                 limit 1) as seen_at
          from packages p
         where p.id = %(key)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        key=key,
    )


async def update_words(tx: Tx, key: int, words: Words) -> None:
    """Change what is said of a package."""
    await tx.execute(
        """
        update packages
           set description = coalesce(%(description)s, description), category = coalesce(%(category)s, category)
         where id = %(key)s
        """,
        key=key,
        description=words.description,
        category=words.category,
    )


async def list_systems(db: Database, groups: Groups, key: int) -> list[tuple[str, str, int]]:
    """Return what a package is installed on: system, version and number of hosts, most first."""
    rows = await db.all(
        f"""
        select h.os_type, h.os_version, count(*)::int as hosts
          from hosts h
         where h.id in (select i.host_id from host_packages i where i.package_id = %(key)s) and {in_scope("h.id")}
         group by h.os_type, h.os_version
         order by hosts desc, h.os_type, h.os_version
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        key=key,
    )
    return [(row["os_type"], row["os_version"], row["hosts"]) for row in rows]


_MATCHES: Final = f"""
               i.package_id = %(key)s
           and (%(behind)s is null or i.needs_update = %(behind)s)
           and (%(search)s = '' or h.friendly_name ilike %(like)s or h.hostname ilike %(like)s or h.ip ilike %(like)s)
           and {in_scope("i.host_id")}
"""
_HOSTS: Final = f"""
        select h.uuid as id, h.friendly_name as name, h.hostname, h.os_type, h.os_version, h.last_update as seen_at,
               h.expected_platform, i.current_version, i.available_version, i.needs_update,
               i.is_security_update as security, i.source_repository as repository, i.outdated_since,
               coalesce(i.wua_kb, '') as kb, coalesce(i.wua_severity, '') as severity,
               r.uuid as source_id, coalesce(r.given_name, r.name) as source_name, r.url as source_url,
               r.is_secure as source_secure
          from host_packages i
          join hosts h on h.id = i.host_id
          left join repositories r on r.id = i.repository_id
         where {_MATCHES}
         order by {{order}}
         limit %(size)s offset %(offset)s
"""  # noqa: S608 (only constants are put together)


async def list_hosts(
    db: Database, groups: Groups, key: int, search: str, order: tuple[str, str], part: slice, *, behind: bool | None
) -> list[dict[str, Any]]:
    """Return a part of the hosts that have a package; ``behind``: only those that are, or only those that are not."""
    clause = _ORDERS[order[0]].replace("{direction}", "desc" if order[1] == "desc" else "asc")
    return await db.all(
        _HOSTS.replace("{order}", clause),
        groups=groups,
        key=key,
        behind=behind,
        search=search,
        like=containing(search),
        size=part.stop - part.start,
        offset=part.start,
    )


async def count_hosts(db: Database, groups: Groups, key: int, search: str, *, behind: bool | None) -> int:
    """Return how many hosts that have a package match."""
    found: int = await db.value(
        f"select count(*)::int from host_packages i join hosts h on h.id = i.host_id where {_MATCHES}",  # noqa: S608 (as above)
        groups=groups,
        key=key,
        behind=behind,
        search=search,
        like=containing(search),
    )
    return found


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
