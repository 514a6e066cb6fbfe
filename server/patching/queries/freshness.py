"""Statements about how freshly hosts are patched."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from server.core.db import Tx, as_json
from server.patching.verdicts import Verdict


async def lock_hosts(tx: Tx, host_ids: Sequence[int]) -> None:
    """Keep others from counting for these hosts until the transaction ends; rows are locked in one order."""
    await tx.execute(
        """
        insert into host_patching (host_id)
        select h.id from hosts h where h.id = any(%(ids)s::int[]) order by h.id
            on conflict (host_id) do update set host_id = excluded.host_id
        """,
        ids=list(host_ids),
    )


async def list_verdicts(tx: Tx, host_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return what the real runs of hosts that ended amount to, with what was announced about each before.

    A run that was cancelled counts neither way. Runs may have been forgotten: a success that is known stays known.
    """
    return await tx.all(
        """
        select f.host_id, h.uuid as host, h.friendly_name as host_name, f.said_failing,
               s.at as last_success_at, l.completed_at as last_attempt_at, l.status as last_status, l.id as last_run,
               coalesce(b.failures, 0)::int as consecutive_failures, coalesce(w.error_message, '') as last_error,
               coalesce(w.status, '') as failed_status
          from host_patching f
          join hosts h on h.id = f.host_id
         cross join lateral (select greatest(f.last_success_at, max(r.completed_at)) as at
                               from patch_runs r
                              where r.host_id = f.host_id and not r.dry_run and r.status = 'completed') s
          left join lateral (select r.id, r.status, r.completed_at
                               from patch_runs r
                              where r.host_id = f.host_id and not r.dry_run and r.completed_at is not null
                                and r.status in ('completed', 'failed', 'timed_out', 'agent_disconnected', 'cancelled')
                              order by r.completed_at desc, r.created_at desc
                              limit 1) l on true
          left join lateral (select count(*) as failures
                               from patch_runs r
                              where r.host_id = f.host_id and not r.dry_run and r.completed_at is not null
                                and r.status in ('failed', 'timed_out', 'agent_disconnected')
                                and r.completed_at > coalesce(s.at, '-infinity')) b on true
          left join lateral (select r.status, r.error_message
                               from patch_runs r
                              where r.host_id = f.host_id and not r.dry_run and r.completed_at is not null
                                and r.status in ('failed', 'timed_out', 'agent_disconnected')
                                and r.completed_at > coalesce(s.at, '-infinity')
                              order by r.completed_at desc, r.created_at desc
                              limit 1) w on true
         where f.host_id = any(%(ids)s::int[])
        """,
        ids=list(host_ids),
    )


async def store_verdicts(tx: Tx, verdicts: Sequence[Verdict]) -> None:
    """Write what hosts' runs amount to; a host that was patched since is not stale any more."""
    await tx.execute(
        """
        update host_patching f
           set last_success_at = v.last_success_at, last_attempt_at = v.last_attempt_at,
               last_status = coalesce(v.last_status, ''), last_run = v.last_run,
               consecutive_failures = v.consecutive_failures, last_error = v.last_error, cause = v.cause,
               said_failing = v.cause
          from jsonb_to_recordset(%(rows)s::jsonb)
               as v(host_id int, last_success_at timestamptz, last_attempt_at timestamptz, last_status text,
                    last_run uuid, consecutive_failures int, last_error text, cause text)
         where f.host_id = v.host_id
        """,
        rows=as_json([verdict.row() for verdict in verdicts]),
    )


async def mark_stale(tx: Tx, before: datetime, now: datetime, limit: int) -> list[dict[str, Any]]:
    """Remember as announced which hosts were not patched since ``before`` and were not announced yet; return them.

    Hosts that never joined are somebody else's business, and one that was added since has had its time.
    """
    return await tx.all(
        """
        with found as materialized (
            select h.id, h.uuid, h.friendly_name, f.last_success_at, i.updates, i.security_updates
              from hosts h
              left join host_patching f on f.host_id = h.id
              left join host_inventory i on i.host_id = h.id
             where h.status <> 'pending' and f.said_stale_at is null
               and coalesce(f.last_success_at, h.created_at) < %(before)s
             order by h.id
             limit %(limit)s
        ), said as (
            insert into host_patching (host_id, said_stale_at)
            select id, %(now)s from found order by id
                on conflict (host_id) do update set said_stale_at = excluded.said_stale_at
             where host_patching.said_stale_at is null
            returning host_id
        )
        select f.uuid as host, f.friendly_name as host_name, f.last_success_at, coalesce(f.updates, 0) as updates,
               coalesce(f.security_updates, 0) as security
          from said
          join found f on f.id = said.host_id
         order by f.id
        """,
        before=before,
        now=now,
        limit=limit,
    )


async def unmark_stale(tx: Tx, before: datetime) -> list[dict[str, Any]]:
    """Forget the announcement for hosts that are fresh again, by a run or by a longer threshold; return them."""
    return await tx.all(
        """
        update host_patching f
           set said_stale_at = null
          from hosts h
         where h.id = f.host_id and f.said_stale_at is not null
           and coalesce(f.last_success_at, h.created_at) >= %(before)s
        returning h.uuid as host, h.friendly_name as host_name, f.last_success_at
        """,
        before=before,
    )
