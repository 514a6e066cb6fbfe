"""Statements behind the card of a dashboard."""

from datetime import datetime
from typing import Any

from server.core.db import Database


async def count(db: Database, since: datetime) -> dict[str, Any]:
    """Count the active hosts by what they need, each host's own updates, and the reports since a moment."""
    row = await db.one(
        """
        select (count(*) filter (where h.status = 'active'))::int as total_hosts,
               (count(*) filter (where h.status = 'active' and i.updates > 0))::int as hosts_needing_updates,
               (count(*) filter (where i.host_id is null or h.status <> 'active'))::int as awaiting_data_hosts,
               (coalesce(sum(i.updates), 0))::int as total_outdated_packages,
               (coalesce(sum(i.security_updates), 0))::int as security_updates,
               (count(*) filter (where h.status = 'active' and i.security_updates > 0))::int
                   as hosts_with_security_updates,
               (select count(*)::int from repositories r
                 where exists (select from host_repositories u
                                where u.repository_id = r.id and u.is_enabled)) as total_repos,
               (select count(*)::int from host_activity a
                 where a.at >= %(since)s and a.kind in ('full', 'partial')) as recent_updates_24h
          from hosts h
          left join host_inventory i on i.host_id = h.id
        """,
        since=since,
    )
    assert row is not None
    return row


async def list_systems(db: Database) -> list[dict[str, Any]]:
    """Return the systems of the active hosts, the most frequent first, each with its most frequent version."""
    return await db.all(
        """
        select coalesce(nullif(os_type, ''), 'Unknown') as name, count(*)::int as count,
               coalesce(nullif(os_type, ''), 'Unknown') as os_type, mode() within group (order by os_version)
               as os_version
          from hosts
         where status = 'active'
         group by 1
         order by 2 desc, 1
        """
    )
