"""Statements about one host's packages and repositories."""

from datetime import datetime
from typing import Any, Final

from server.core.db import Database, containing
from server.packages.models import RepositoryRow

#: Orders a person may choose, as clauses over a host's packages.
_ORDERS: Final = {
    ("name", "asc"): "p.name",
    ("name", "desc"): "p.name desc",
    ("state", "asc"): "(h.needs_update and h.is_security_update) desc, h.needs_update desc, p.name",
    ("state", "desc"): "(h.needs_update and h.is_security_update), h.needs_update, p.name",
}

_PACKAGES_OF_HOST: Final = """
        select p.id::text as id, p.name, h.current_version, h.available_version, h.needs_update,
               h.is_security_update as security, h.source_repository as repository, p.description, h.outdated_since,
               coalesce(r.uuid::text, '') as repository_id, coalesce(h.wua_kb, '') as kb,
               coalesce(h.wua_severity, '') as severity, count(*) over () as total
          from host_packages h
          join packages p on p.id = h.package_id
          left join repositories r on r.id = h.repository_id
         where h.host_id = %(host_id)s
           and (%(search)s = '' or p.name ilike %(like)s or p.description ilike %(like)s)
           and (%(only)s not in ('updates', 'security') or h.needs_update)
           and (%(only)s <> 'security' or h.is_security_update)
         order by {order}
         limit %(size)s offset %(offset)s
"""


async def list_packages(
    db: Database, host_id: int, search: str, only: str, order: tuple[str, str], size: int, offset: int
) -> list[dict[str, Any]]:
    """Return one page of a host's packages; each row has the total."""
    return await db.all(
        _PACKAGES_OF_HOST.replace("{order}", _ORDERS[order]),
        host_id=host_id,
        search=search,
        like=containing(search),
        only=only,
        size=size,
        offset=offset,
    )


async def list_repositories(db: Database, host_id: int) -> list[RepositoryRow]:
    """Return a host's repositories by name."""
    return await db.all(
        """
        select r.uuid::text as id, coalesce(r.given_name, r.name) as name, r.url, r.distribution, r.components,
               r.repo_type, h.is_enabled as enabled, r.is_secure as secure
          from host_repositories h
          join repositories r on r.id = h.repository_id
         where h.host_id = %(host_id)s
         order by lower(coalesce(r.given_name, r.name)), r.url, r.distribution, r.components
        """,
        RepositoryRow,
        host_id=host_id,
    )


async def list_changes(db: Database, host_id: int, after: datetime, until: datetime) -> list[dict[str, Any]]:
    """Return what differs on a host between two moments: per package what was there before and what is there after."""
    return await db.all(
        """
        select p.name, c.from_version, c.to_version, c.was_security as security
          from (select package_id, (array_agg(from_version order by at))[1] as from_version,
                       (array_agg(to_version order by at desc))[1] as to_version, bool_or(was_security) as was_security
                  from host_package_changes
                 where host_id = %(host_id)s and at > %(after)s and at <= %(until)s
                 group by package_id) c
          join packages p on p.id = c.package_id
         where c.from_version <> c.to_version
         order by p.name
        """,
        host_id=host_id,
        after=after,
        until=until,
    )


async def list_state(db: Database, host_id: int, at: datetime) -> list[dict[str, Any]]:
    """Return what was installed on a host at a moment, by name."""
    return await db.all(
        """
        with since as (
            select distinct on (package_id) package_id, from_version
              from host_package_changes
             where host_id = %(host_id)s and at > %(at)s
             order by package_id, at
        )
        select p.name, coalesce(s.from_version, h.current_version) as version
          from (select package_id, current_version from host_packages where host_id = %(host_id)s) h
          full join since s using (package_id)
          join packages p on p.id = package_id
         where coalesce(s.from_version, h.current_version) <> ''
         order by p.name
        """,
        host_id=host_id,
        at=at,
    )


async def delete_changes(db: Database, before: datetime) -> int:
    """Forget what changed before a moment; return how many lines went."""
    return await db.execute("delete from host_package_changes where at < %(before)s", before=before)
