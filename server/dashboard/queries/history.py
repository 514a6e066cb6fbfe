"""What the fleet looked like over time: a row every half hour, and what each host reported."""

from datetime import datetime

from server.core.db import Database
from server.core.scope import Groups, in_scope
from server.dashboard.models import Day


async def insert_sample(db: Database, now: datetime) -> None:
    """Keep what the fleet looks like now; packages are counted once, however many hosts have them."""
    await db.execute(
        """
        insert into system_statistics (at, hosts, hosts_needing_updates, packages, outdated_packages,
                                       security_packages, updates, security_updates)
        select %(now)s, f.hosts, f.needing, p.packages, p.outdated, p.security, f.updates, f.security
          from (select count(*) as hosts, count(*) filter (where i.updates > 0) as needing,
                       coalesce(sum(i.updates), 0) as updates, coalesce(sum(i.security_updates), 0) as security
                  from hosts h
                  left join host_inventory i on i.host_id = h.id) f,
               (select count(*) as packages, count(*) filter (where k.outdated) as outdated,
                       count(*) filter (where k.security) as security
                  from (select package_id, bool_or(needs_update) as outdated,
                               bool_or(needs_update and is_security_update) as security
                          from host_packages
                         group by package_id) k) p
            on conflict (at) do nothing
        """,
        now=now,
    )


async def delete_samples(db: Database, before: datetime) -> int:
    """Forget what is older than a moment; return how many rows went."""
    return await db.execute("delete from system_statistics where at < %(before)s", before=before)


async def list_days(db: Database, since: datetime) -> list[Day]:
    """Return the last sample of every day since a moment, oldest first; days without one are missing."""
    return await db.all(
        """
        select distinct on (day) (at at time zone 'utc')::date as day, packages, outdated_packages as outdated,
               security_packages as security
          from system_statistics
         where at >= %(since)s
         order by day, at desc
        """,
        Day,
        since=since,
    )


async def list_days_of_host(db: Database, groups: Groups, host: str, since: datetime) -> list[Day]:
    """Return what a host told last on every day since a moment, oldest first."""
    return await db.all(
        f"""
        select distinct on (day) (a.at at time zone 'utc')::date as day, a.packages, coalesce(a.updates, 0) as outdated,
               coalesce(a.security_updates, 0) as security
          from hosts h
          join host_activity a on a.host_id = h.id
         where h.uuid = %(host)s and a.at >= %(since)s and a.packages is not null and {in_scope("h.id")}
         order by day, a.at desc
        """,  # noqa: S608 (only constants are put together)
        Day,
        groups=groups,
        host=host,
        since=since,
    )
