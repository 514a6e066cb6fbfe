"""Reads of how freshly the fleet is patched."""

from datetime import datetime

from server.core.db import Database
from server.core.scope import Groups, in_scope
from server.dashboard.models import Freshness, PatchFailure, UnderWay


async def count_freshness(db: Database, groups: Groups, unpatched_before: datetime) -> Freshness:
    """Count the hosts that joined by when they were patched; who never was has as long from when they were added."""
    found = await db.one(
        f"""
        select (count(*) filter (where coalesce(f.last_success_at, h.created_at) < %(before)s))::int as stale,
               (count(*) filter (where coalesce(f.last_success_at, h.created_at) < %(before)s and i.updates > 0))::int
                   as waiting,
               (count(*) filter (where f.last_success_at is null))::int as never,
               (count(*) filter (where f.consecutive_failures > 0))::int as failing,
               (count(*) filter (where h.unfinished_packages <> '{{}}'))::int as unfinished
          from hosts h
          left join host_patching f on f.host_id = h.id
          left join host_inventory i on i.host_id = h.id
         where h.status <> 'pending' and {in_scope("h.id")}
        """,  # noqa: S608 (only constants are put together)
        Freshness,
        groups=groups,
        before=unpatched_before,
    )
    assert found is not None
    return found


async def list_failures(db: Database, groups: Groups, limit: int) -> list[PatchFailure]:
    """Return why patching fails on hosts now, the most frequent cause first, with up to three names each."""
    return await db.all(
        f"""
        select f.cause, count(*)::int as hosts, sum(f.consecutive_failures)::int as times,
               max(f.last_attempt_at) as last_at,
               (array_agg(h.friendly_name order by f.last_attempt_at desc))[1:3] as names,
               (array_agg(f.last_run order by f.last_attempt_at desc) filter (where f.last_run is not null))[1] as run
          from host_patching f
          join hosts h on h.id = f.host_id
         where f.consecutive_failures > 0 and {in_scope("f.host_id")}
         group by f.cause
         order by 2 desc, 4 desc
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        PatchFailure,
        groups=groups,
        limit=limit,
    )


async def count_runs(db: Database, groups: Groups) -> UnderWay:
    """Count the patch runs that run now, and those that wait for their hosts."""
    found = await db.one(
        f"""
        select (count(*) filter (where r.status = 'running'))::int as running,
               (count(*) filter (where r.status <> 'running'))::int as waiting
          from patch_runs r
         where r.status in ('queued', 'pending_validation', 'running') and {in_scope("r.host_id")}
        """,  # noqa: S608 (only constants are put together)
        UnderWay,
        groups=groups,
    )
    assert found is not None
    return found
