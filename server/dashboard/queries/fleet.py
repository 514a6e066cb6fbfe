"""Reads across rooms about the fleet as it is now: few, wide, and never a write."""

from datetime import datetime

from server.core.db import Database
from server.core.scope import Groups, among, in_scope
from server.dashboard.models import Fleet, HostLine, PersonLine, ReportLine, SystemCount


async def count_fleet(db: Database, groups: Groups, stale_before: datetime) -> Fleet:
    """Count the hosts by what they need, and the groups of whoever asks.

    Only active hosts can need something: what a host that never reported needs is not known.
    """
    fleet = await db.one(
        f"""
        select count(*)::int as hosts,
               (count(*) filter (where h.status = 'active'))::int as active,
               (count(*) filter (where i.updates > 0))::int as need_updates,
               (count(*) filter (where i.updates = 0 and h.last_update is not null))::int as up_to_date,
               (count(*) filter (where i.security_updates > 0))::int as need_security_updates,
               (count(*) filter (where h.needs_reboot))::int as need_reboot,
               (count(*) filter (where h.last_update is null))::int as never_reported,
               (count(*) filter (where h.status <> 'pending' and h.last_update < %(stale_before)s))::int as stale,
               (count(*) filter (where h.last_connected_at > coalesce(h.last_disconnected_at, '-infinity')))::int
                   as connected,
               coalesce(sum(i.updates), 0)::int as updates,
               coalesce(sum(i.security_updates), 0)::int as security_updates
          from hosts h
          left join host_inventory i on i.host_id = h.id
         where {in_scope("h.id")}
        """,  # noqa: S608 (only constants are put together)
        Fleet,
        groups=groups,
        stale_before=stale_before,
    )
    assert fleet is not None
    return fleet


async def count_connected(db: Database, groups: Groups) -> tuple[int, int]:
    """Return how many hosts there are, and how many of them are connected."""
    row = await db.one(
        f"""
        select count(*)::int as hosts,
               (count(*) filter (where h.last_connected_at > coalesce(h.last_disconnected_at, '-infinity')))::int
                   as connected
          from hosts h
         where {in_scope("h.id")}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
    )
    assert row is not None
    return row["hosts"], row["connected"]


async def count_groups(db: Database, groups: Groups) -> int:
    """Count the host groups that the asker sees."""
    return int(
        await db.value(
            f"select count(*)::int from host_groups g where {among('g.uuid')}",  # noqa: S608 (only constants)
            groups=groups,
        )
    )


async def count_repositories(db: Database, groups: Groups) -> int:
    """Count the repositories that are switched on on at least one host."""
    return int(
        await db.value(
            f"""
            select count(*)::int
              from repositories r
             where exists (select from host_repositories u
                            where u.repository_id = r.id and u.is_enabled and {in_scope("u.host_id")})
            """,  # noqa: S608 (only constants are put together)
            groups=groups,
        )
    )


async def count_people(db: Database) -> int:
    """Count the accounts that can sign in."""
    return int(await db.value("select count(*)::int from users where is_active"))


async def list_systems(db: Database, groups: Groups) -> list[SystemCount]:
    """Return the operating systems of the hosts that reported, the most frequent first."""
    return await db.all(
        f"""
        select h.os_type as kind, h.os_version as version, count(*)::int as hosts
          from hosts h
         where h.os_type <> '' and {in_scope("h.id")}
         group by 1, 2
         order by 3 desc, 1, 2
        """,  # noqa: S608 (only constants are put together)
        SystemCount,
        groups=groups,
    )


async def list_needing_reboot(db: Database, groups: Groups, limit: int) -> list[HostLine]:
    """Return hosts that need a reboot, by name."""
    return await db.all(
        f"""
        select h.uuid as id, h.friendly_name as name, h.reboot_reason as note, h.last_update as at
          from hosts h
         where h.needs_reboot and {in_scope("h.id")}
         order by lower(h.friendly_name), h.id
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        HostLine,
        groups=groups,
        limit=limit,
    )


async def list_stale(db: Database, groups: Groups, stale_before: datetime, limit: int) -> list[HostLine]:
    """Return the hosts that have been silent, the longest first."""
    return await db.all(
        f"""
        select h.uuid as id, h.friendly_name as name, trim(h.os_type || ' ' || h.os_version) as note,
               h.last_update as at
          from hosts h
         where h.status <> 'pending' and h.last_update < %(stale_before)s and {in_scope("h.id")}
         order by h.last_update, h.id
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        HostLine,
        groups=groups,
        stale_before=stale_before,
        limit=limit,
    )


async def list_recent_reports(db: Database, groups: Groups, limit: int) -> list[ReportLine]:
    """Return the hosts that brought news last, by the small table that every report with news writes."""
    return await db.all(
        f"""
        select h.uuid as id, h.friendly_name as name, h.hostname, i.updated_at as at, i.packages, i.updates,
               i.security_updates
          from (select r.host_id, r.packages, r.updates, r.security_updates, r.updated_at
                  from host_inventory r
                 where {in_scope("r.host_id")}
                 order by r.updated_at desc, r.host_id
                 limit %(limit)s) i
          join hosts h on h.id = i.host_id
         order by i.updated_at desc, i.host_id
        """,  # noqa: S608 (only constants are put together)
        ReportLine,
        groups=groups,
        limit=limit,
    )


async def list_joined(db: Database, groups: Groups, limit: int) -> list[HostLine]:
    """Return the hosts that were added last."""
    return await db.all(
        f"""
        select h.uuid as id, h.friendly_name as name, trim(h.os_type || ' ' || h.os_version) as note,
               h.created_at as at
          from hosts h
         where {in_scope("h.id")}
         order by h.created_at desc, h.id desc
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        HostLine,
        groups=groups,
        limit=limit,
    )


async def list_recent_people(db: Database, limit: int) -> list[PersonLine]:
    """Return who signed in last."""
    return await db.all(
        """
        select id::text as id, username, role, email, last_login_at as at
          from users
         where last_login_at is not null and is_active
         order by last_login_at desc
         limit %(limit)s
        """,
        PersonLine,
        limit=limit,
    )


async def list_host_names(db: Database, groups: Groups, limit: int) -> list[dict[str, str]]:
    """Return id and name of the first hosts by name."""
    return await db.all(
        f"""
        select h.uuid::text as id, h.friendly_name
          from hosts h
         where {in_scope("h.id")}
         order by lower(h.friendly_name), h.id
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        limit=limit,
    )


async def list_groups(db: Database, groups: Groups) -> list[tuple[str, str]]:
    """Return the host groups that the asker sees, as (UUID, name)."""
    rows = await db.all(
        f"""
        select g.uuid::text as id, g.name from host_groups g where {among("g.uuid")} order by lower(g.name)
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
    )
    return [(row["id"], row["name"]) for row in rows]


async def answers(db: Database) -> bool:
    """Tell whether the database answers."""
    return bool(await db.value("select true"))
