"""Statements that hold a host's packages against those of others."""

from collections.abc import Sequence
from typing import Any

from server.core.db import Database
from server.core.scope import Groups, in_scope
from server.dossier.models import Deviation


async def list_alike(
    db: Database, groups: Groups, host_id: int, group: str, search: str, limit: int
) -> list[dict[str, Any]]:
    """Return hosts of the same system, of one group or of all, with how many there are."""
    return await db.all(
        f"""
        select h.id as key, h.uuid as id, h.friendly_name as name, count(*) over () as alike
          from hosts me
          join hosts h on h.os_type = me.os_type and h.os_version = me.os_version and h.id <> me.id
         where me.id = %(host_id)s and me.os_type <> '' and {in_scope("h.id")}
           and (%(search)s = '' or position(lower(%(search)s) in lower(h.friendly_name || ' ' || h.hostname)) > 0)
           and (%(group)s = '' or exists (select from host_group_members m join host_groups g on g.id = m.host_group_id
                                           where m.host_id = h.id and g.uuid::text = %(group)s))
         order by h.id
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        host_id=host_id,
        group=group,
        search=search,
        limit=limit,
    )


async def count_differences(db: Database, host_id: int, peers: Sequence[int]) -> list[dict[str, Any]]:
    """Return for each of these hosts how many packages it has, shares with this one, and shares in the same version.

    The first row, of the host itself, says how many that one has.
    """
    return await db.all(
        """
        select t.host_id as key, count(*)::int as theirs, count(mine.package_id)::int as common,
               (count(*) filter (where mine.current_version = t.current_version))::int as same
          from host_packages t
          left join host_packages mine on mine.host_id = %(host_id)s and mine.package_id = t.package_id
         where t.host_id = any(%(peers)s::int[])
         group by t.host_id
        """,
        host_id=host_id,
        peers=[*peers, host_id],
    )


async def list_deviations(db: Database, host_id: int, peers: Sequence[int]) -> list[Deviation]:
    """Return in which packages a host is not like most of these."""
    return await db.all(
        """
        with versions as (
            select package_id, current_version, count(*) as hosts
              from host_packages
             where host_id = any(%(peers)s::int[])
             group by package_id, current_version
        ), usual as (
            select package_id, current_version as version, hosts
              from versions
             where hosts * 2 > cardinality(%(peers)s::int[])
        ), spread as (
            select package_id, sum(hosts) as hosts from versions group by package_id
        )
        select p.name, coalesce(mine.current_version, '') as ours, coalesce(u.version, '') as theirs,
               coalesce(u.hosts, cardinality(%(peers)s::int[]) - coalesce(s.hosts, 0))::int as hosts
          from (select package_id, current_version from host_packages where host_id = %(host_id)s) mine
          full join usual u using (package_id)
          left join spread s using (package_id)
          join packages p on p.id = package_id
         where mine.current_version is distinct from u.version
           and (u.version is not null or coalesce(s.hosts, 0) * 2 < cardinality(%(peers)s::int[]))
         order by p.name
        """,
        Deviation,
        host_id=host_id,
        peers=list(peers),
    )
