"""Statements that count the fleet's packages ahead of time, and take out what nobody has any more."""

from datetime import datetime
from typing import Any, Final

from server.core.db import Database, Tx
from server.core.scope import Groups, in_scope

#: What is counted of rows of ``host_packages i``.
COUNTS: Final = """
               count(*)::int as installs,
               (count(*) filter (where i.needs_update))::int as outdated,
               (count(*) filter (where i.needs_update and i.is_security_update))::int as security
"""


async def lock_counts(tx: Tx) -> None:
    """Let one counting at a time through; readers are not kept waiting."""
    await tx.execute("lock table package_counts_made in share row exclusive mode")


async def count_packages(tx: Tx) -> None:
    """Count every package over all hosts, writing only what differs."""
    await tx.execute(
        f"""
        with counted as materialized (
            select i.package_id, {COUNTS} from host_packages i group by i.package_id
        ), gone as (
            delete from package_counts where package_id not in (select package_id from counted)
        )
        insert into package_counts as c (package_id, installs, outdated, security)
        select t.package_id, t.installs, t.outdated, t.security from counted t join packages p on p.id = t.package_id
            on conflict (package_id) do update
           set installs = excluded.installs, outdated = excluded.outdated, security = excluded.security
         where (c.installs, c.outdated, c.security) <> (excluded.installs, excluded.outdated, excluded.security)
        """,  # noqa: S608 (only constants are put together)
    )


async def count_sources(tx: Tx) -> None:
    """Count the packages of every repository over all hosts, writing only what differs."""
    await tx.execute(
        f"""
        with counted as materialized (
            select i.repository_id, i.package_id, {COUNTS}
              from host_packages i
             where i.repository_id is not null
             group by i.repository_id, i.package_id
        ), gone as (
            delete from package_sources
             where (repository_id, package_id) not in (select repository_id, package_id from counted)
        )
        insert into package_sources as s (repository_id, package_id, installs, outdated, security)
        select t.repository_id, t.package_id, t.installs, t.outdated, t.security
          from counted t
          join repositories r on r.id = t.repository_id
          join packages p on p.id = t.package_id
            on conflict (repository_id, package_id) do update
           set installs = excluded.installs, outdated = excluded.outdated, security = excluded.security
         where (s.installs, s.outdated, s.security) <> (excluded.installs, excluded.outdated, excluded.security)
        """,  # noqa: S608 (only constants are put together)
    )


async def note_counted(tx: Tx, at: datetime) -> None:
    """Remember when the counting was made."""
    await tx.execute(
        """
        insert into package_counts_made (at) values (%(at)s) on conflict (only_one) do update set at = excluded.at
        """,
        at=at,
    )


async def measure(db: Database, groups: Groups) -> dict[str, Any]:
    """Return how many packages are installed in all, how many hosts are behind, and when all were counted."""
    found = await db.one(
        f"""
        select coalesce(sum(i.packages), 0)::bigint as installs,
               (count(*) filter (where i.updates > 0))::int as hosts_behind,
               (select at from package_counts_made) as counted_at
          from host_inventory i
         where {in_scope("i.host_id")}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
    )
    if found is None:
        raise AssertionError
    return found


async def list_unused_packages(db: Database) -> list[int]:
    """Return the keys of the packages that no host has."""
    return await db.column(
        "select id from packages p where not exists (select from host_packages i where i.package_id = p.id)"
    )


async def lock_packages_of_hosts(tx: Tx) -> None:
    """Let no report write packages until the end of the transaction; those that are writing are waited for."""
    await tx.execute("lock table host_packages in share mode")


async def delete_unused_packages(tx: Tx, keys: list[int]) -> int:
    """Delete those of these packages that no host has; return how many those were."""
    return await tx.execute(
        """
        delete from packages p
         where p.id = any(%(keys)s::int[])
           and not exists (select from host_packages i where i.package_id = p.id)
           and not exists (select from host_package_changes c where c.package_id = p.id)
        """,
        keys=keys,
    )
