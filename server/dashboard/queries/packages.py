"""Packages that wait for updates, over all hosts of whoever asks."""

from typing import Any, Final

from server.core.db import Database
from server.core.scope import Groups, in_scope
from server.dashboard.models import Kinds

_PACKAGE: Final = """
        select p.id::text as id, p.name, p.description, p.category, p.latest_version as "latestVersion",
               c.installs as "installedCount", c.outdated as "affectedHostsCount",
               c.security > 0 as "isSecurityUpdate", c.security as "securityHostsCount"
          from {counted} c
          join packages p on p.id = c.package_id
         where c.outdated > 0
         order by c.security > 0 desc, c.outdated desc, p.name
"""


async def count_outdated_packages(db: Database, groups: Groups) -> Kinds:
    """Count the packages of which at least one host waits for an update; each once, however many wait.

    How many there are in all is left out.
    """
    found = await db.one(
        f"""
        select count(*)::int as outdated, (count(*) filter (where o.security))::int as security
          from (select i.package_id, bool_or(i.is_security_update) as security
                  from host_packages i
                 where i.needs_update and {in_scope("i.host_id", many=True)}
                 group by i.package_id) o
        """,  # noqa: S608 (only constants are put together)
        Kinds,
        groups=groups,
    )
    assert found is not None
    return found


async def count_installed(db: Database, groups: Groups) -> int:
    """Count the packages that at least one host has, each once."""
    return int(
        await db.value(
            f"""
            select count(*)
              from packages p
             where exists (select from host_packages i
                            where i.package_id = p.id and {in_scope("i.host_id", many=True)})
            """,  # noqa: S608 (only constants are put together)
            groups=groups,
        )
    )


async def find_counted_packages(db: Database) -> Kinds | None:
    """Return the same of the whole fleet as it was counted ahead of time; ``None`` while it never was."""
    return await db.one(
        """
        select (count(*) filter (where outdated > 0))::int as outdated,
               (count(*) filter (where security > 0))::int as security, count(*)::int as packages
          from package_counts
        having exists (select from package_counts_made)
        """,
        Kinds,
    )


async def is_counted(db: Database) -> bool:
    """Tell whether the whole fleet's packages were ever counted ahead of time."""
    return await db.value("select exists (select from package_counts_made)") is True


async def list_counted(db: Database) -> list[dict[str, Any]]:
    """Return the packages that wait for updates in the whole fleet, as they were counted."""
    return await db.all(_PACKAGE.replace("{counted}", "package_counts"))


async def list_outdated(db: Database, groups: Groups) -> list[dict[str, Any]]:
    """Return the packages that wait for updates on these hosts, counted now."""
    counted = f"""
               (select i.package_id, count(*)::int as installs,
                       (count(*) filter (where i.needs_update))::int as outdated,
                       (count(*) filter (where i.needs_update and i.is_security_update))::int as security
                  from host_packages i
                 where {in_scope("i.host_id", many=True)}
                 group by i.package_id)
    """  # noqa: S608 (only constants are put together)
    return await db.all(_PACKAGE.replace("{counted}", counted), groups=groups)


async def count_of_host(db: Database, groups: Groups, host: str) -> Kinds | None:
    """Return how many packages a host has, and how many of them wait for updates; ``None`` when there is no host."""
    return await db.one(
        f"""
        select coalesce(i.updates, 0) as outdated, coalesce(i.security_updates, 0) as security,
               coalesce(i.packages, 0) as packages
          from hosts h
          left join host_inventory i on i.host_id = h.id
         where h.uuid = %(host)s and {in_scope("h.id")}
        """,  # noqa: S608 (only constants are put together)
        Kinds,
        groups=groups,
        host=host,
    )
