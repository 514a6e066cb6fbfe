"""Statements about packages over all hosts a person sees."""

from collections.abc import Sequence
from typing import Any, Final

from server.core.db import Database, containing
from server.core.scope import Groups, in_scope
from server.packages.queries.counts import COUNTS
from server.packages.views import Asked

#: What every package counts, from the rows themselves.
_LIVE: Final = f"""
            select i.package_id, {COUNTS}
              from host_packages i
             where {in_scope("i.host_id", many=True)}
               and (%(host_id)s::int is null or i.host_id = %(host_id)s)
               and (%(repository_id)s::int is null or i.repository_id = %(repository_id)s)
             group by i.package_id
"""  # noqa: S608 (only constants are put together)
#: The same as it was counted for the whole fleet, and as it was counted for one repository.
_STORED: Final = "select package_id, installs, outdated, security from package_counts"
_STORED_OF_REPOSITORY: Final = """
            select package_id, installs, outdated, security from package_sources where repository_id = %(repository_id)s
"""

_MATCHED: Final = """
        with counted as materialized (
            {counted}
        ), matched as materialized (
            select p.id, p.name, p.description, p.category, p.latest_version, c.installs, c.outdated, c.security
              from counted c
              join packages p on p.id = c.package_id
             where (%(search)s = '' or p.name ilike %(like)s)
               and (%(category)s = '' or p.category = %(category)s)
               and case %(state)s when 'outdated' then c.outdated > 0
                                  when 'security' then c.security > 0
                                  when 'regular' then c.outdated > 0 and c.security = 0
                                  else true end
        )
"""
_STATE: Final = "case when security > 0 then 0 when outdated > 0 then 1 else 2 end"
#: Orders a person may choose, as clauses over what matches.
_ORDERS: Final = {
    "name": "lower(name) {direction}, name",
    "installs": "installs {direction}, lower(name), name",
    "state": f"{_STATE} {{direction}}, outdated desc, lower(name), name",
    "latest": "latest_version {direction}, lower(name), name",
    "category": "category {direction}, lower(name), name",
}

_PAGE: Final = """
        select t.*, r.*
          from (select count(*)::int as total, coalesce(sum(installs), 0)::bigint as all_installs,
                       coalesce(sum(outdated), 0)::bigint as all_behind,
                       (count(*) filter (where outdated > 0))::int as all_outdated,
                       (count(*) filter (where security > 0))::int as all_security
                  from matched) t
          left join (select m.*, row_number() over (order by {order}) as place
                       from matched m
                      order by place
                      limit %(size)s offset %(offset)s) r on true
         order by r.place
"""


async def list_packages(db: Database, groups: Groups, asked: Asked, *, live: bool) -> list[dict[str, Any]]:
    """Return one page of packages, each row with the totals; a page without rows is one row without a package."""
    order = _ORDERS[asked.sort].replace("{direction}", "desc" if asked.direction == "desc" else "asc")
    return await db.all(
        _MATCHED.replace("{counted}", _LIVE if live else _stored(asked)) + _PAGE.replace("{order}", order),
        groups=groups,
        **_values(asked),
        size=asked.window.size,
        offset=asked.window.offset,
    )


async def count_hosts_behind(db: Database, groups: Groups, asked: Asked, *, live: bool) -> int:
    """Return how many hosts are behind on any of the packages that match."""
    matched = _MATCHED.replace("{counted}", _LIVE if live else _stored(asked))
    found: int = await db.value(
        f"""
        {matched}
        select count(distinct i.host_id)::int
          from host_packages i
         where i.package_id in (select id from matched where outdated > 0) and i.needs_update
           and (%(host_id)s::int is null or i.host_id = %(host_id)s)
           and (%(repository_id)s::int is null or i.repository_id = %(repository_id)s)
           and {in_scope("i.host_id", many=True)}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        **_values(asked),
    )
    return found


async def list_sources(
    db: Database, groups: Groups, package_ids: Sequence[int], host_id: int | None, *, live: bool
) -> list[dict[str, Any]]:
    """Return where packages come from: package, repository's id and name, most used first."""
    counted = (
        f"""
        select i.package_id, i.repository_id, count(*)::int as installs
          from host_packages i
         where i.package_id = any(%(ids)s::int[]) and i.repository_id is not null
           and (%(host_id)s::int is null or i.host_id = %(host_id)s)
           and {in_scope("i.host_id")}
         group by i.package_id, i.repository_id
        """  # noqa: S608 (only constants are put together)
        if live
        else "select package_id, repository_id, installs from package_sources where package_id = any(%(ids)s::int[])"
    )
    return await db.all(
        f"""
        select c.package_id, r.uuid as id, coalesce(r.given_name, r.name) as name, r.url, r.is_secure as secure
          from ({counted}) c
          join repositories r on r.id = c.repository_id
         order by c.package_id, c.installs desc, name, r.id
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        ids=list(package_ids),
        host_id=host_id,
    )


async def list_categories(db: Database, groups: Groups) -> list[str]:
    """Return the categories that packages of these hosts have, in alphabetical order."""
    return await db.column(
        f"""
        select distinct p.category
          from packages p
         where p.category <> ''
           and (%(groups)s::uuid[] is null
                or exists (select from host_packages i where i.package_id = p.id and {in_scope("i.host_id")}))
         order by p.category
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
    )


def _stored(asked: Asked) -> str:
    return _STORED if asked.repository_id is None else _STORED_OF_REPOSITORY


def _values(asked: Asked) -> dict[str, Any]:
    return {
        "search": asked.search,
        "like": containing(asked.search),
        "category": asked.category,
        "state": asked.state,
        "host_id": asked.host_id,
        "repository_id": asked.repository_id,
    }
