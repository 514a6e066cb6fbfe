"""What the relay looks up."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from server.automation.relay_models import RelayHost, RelayWaiting
from server.core.db import Queries, Tx
from server.core.ids import HostId, JobHostId, JobId
from server.core.scope import Groups, in_scope


async def list_relay_hosts(db: Queries, groups: Groups, name: str) -> list[RelayHost]:
    """Return the hosts that a UUID, a friendly name or a hostname means: the first of these that means any."""
    return await db.all(
        f"""
        with named as (
            select h.id, h.uuid, h.friendly_name as name,
                   h.agent_hello is not null as is_ours,
                   coalesce(h.agent_hello ->> 'automation', '') as automation,
                   coalesce(h.agent_hello -> 'executors' ? 'relayed', false) as relays,
                   case %(name)s when h.uuid::text then 1 when h.friendly_name then 2 else 3 end as place
              from hosts h
             where {in_scope("h.id")} and %(name)s in (h.uuid::text, h.friendly_name, h.hostname)
        )
        select id, uuid, name, is_ours, automation, relays
          from named
         where place = (select min(place) from named)
         limit 2
        """,  # noqa: S608 (only constants are put together)
        RelayHost,
        groups=groups,
        name=name,
    )


async def mark_relayed(tx: Tx, job_id: JobId) -> None:
    """Let a worker run this job's plays, whatever the hosts' agents could do."""
    await tx.execute("""update job_hosts set executor = 'relayed' where job_id = %(job_id)s""", job_id=job_id)


async def mark_relayed_hosts(db: Queries, host_ids: Sequence[HostId]) -> None:
    """Let a worker run what waits for these hosts, whose agents cannot."""
    await db.execute(
        """
        update job_hosts set executor = 'relayed'
         where host_id = any(%(host_ids)s) and status = 'queued' and executor <> 'relayed'
        """,
        host_ids=list(host_ids),
    )


async def list_relay_jobs(db: Queries, host_ids: Sequence[HostId]) -> list[tuple[HostId, JobHostId, str]]:
    """Return what waits for a worker on these hosts: host, job host and the job's UUID."""
    rows = await db.all(
        """
        select h.host_id, h.id, j.uuid
          from job_hosts h
          join jobs j on j.id = h.job_id
         where h.host_id = any(%(host_ids)s) and h.status = 'queued' and h.executor = 'relayed'
         order by h.id
        """,
        host_ids=list(host_ids),
    )
    return [(HostId(row["host_id"]), JobHostId(row["id"]), str(row["uuid"])) for row in rows]


async def list_relay_waiting(db: Queries, job: str, now: datetime) -> list[RelayWaiting]:
    """Return what of a job waits for a worker; a host on which something else changes the system waits on."""
    return await db.all(
        """
        select h.id, h.host_id
          from job_hosts h
          join jobs j on j.id = h.job_id
         where j.uuid = %(job)s and h.status = 'queued' and h.executor = 'relayed' and h.host_id is not null
               and (h.retry_at is null or h.retry_at <= %(now)s) and j.deadline_at > %(now)s
               and not (h.changing and exists (
                   select from job_hosts other
                    where other.host_id = h.host_id and other.changing
                          and other.status in ('dispatched', 'running', 'rebooting')))
         order by h.id
        """,
        RelayWaiting,
        job=job,
        now=now,
    )


async def list_host_uuids(db: Queries, host_ids: Sequence[HostId]) -> dict[int, str]:
    """Return the UUIDs of hosts."""
    rows = await db.all("""select id, uuid from hosts where id = any(%(ids)s)""", ids=list(host_ids))
    return {row["id"]: str(row["uuid"]) for row in rows}


async def mark_relay_seen(db: Queries, ids: Sequence[JobHostId], now: datetime) -> None:
    """Note that the worker which runs these lives."""
    await db.execute(
        """
        update job_hosts set relay_seen_at = %(now)s where id = any(%(ids)s) and status in ('dispatched', 'running')
        """,
        ids=list(ids),
        now=now,
    )


async def list_relay_forsaken(db: Queries, before: datetime) -> list[JobHostId]:
    """Return what runs on workers that were not heard of since this moment."""
    return cast(
        "list[JobHostId]",
        await db.column(
            """
            select id from job_hosts
             where executor = 'relayed' and status in ('dispatched', 'running')
                   and greatest(relay_seen_at, dispatched_at) < %(before)s
             limit 5000
            """,
            before=before,
        ),
    )
