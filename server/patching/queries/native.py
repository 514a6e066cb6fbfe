"""Statements about runs that existing agents carry out by commands of their own."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from server.core.db import Queries, Tx
from server.patching.native_models import Addressed, NativeRun


async def list_native_runs(db: Queries, job_hosts: Sequence[str]) -> list[NativeRun]:
    """Return what these job hosts are to do, as far as a command can say it."""
    return await db.all(
        """
        select r.id, r.job_host, r.patch_type, r.package_names, r.dry_run, h.expected_platform = 'windows' as windows,
               r.security_only, r.hold_patterns <> '{}' as holds, r.allow_patterns <> '{}' as allows, r.full_upgrade,
               r.reboot <> 'never' as reboots, r.snapshot, r.pre_playbook <> '' or r.post_playbook <> '' as hooks
          from patch_runs r
          join hosts h on h.id = r.host_id
         where r.job_host = any(%(job_hosts)s::uuid[])
        """,
        NativeRun,
        job_hosts=list(job_hosts),
    )


async def list_run_ids(db: Queries, job_hosts: Sequence[str]) -> dict[str, str]:
    """Return the runs of those of these job hosts that existing agents carry, by the job hosts' UUIDs."""
    rows = await db.all(
        """
        select r.job_host, r.id
          from patch_runs r
          join patch_native n on n.job_host = r.job_host
         where r.job_host = any(%(job_hosts)s::uuid[])
        """,
        job_hosts=list(job_hosts),
    )
    return {row["job_host"]: row["id"] for row in rows}


async def upsert_sent(tx: Tx, job_hosts: Sequence[str], now: datetime) -> None:
    """Note that the runs of these job hosts are with their hosts' existing agents."""
    await tx.execute(
        """
        with taken as (
            update patch_runs set executor = 'native', updated_at = %(now)s
             where job_host = any(%(job_hosts)s::uuid[])
            returning id, job_host
        )
        insert into patch_native (job_host, run_id, sent_at, heard_at)
        select job_host, id, %(now)s, %(now)s from taken
            on conflict (job_host) do update set sent_at = excluded.sent_at, heard_at = excluded.heard_at
        """,
        job_hosts=list(job_hosts),
        now=now,
    )


async def lock_addressed(tx: Tx, run: str) -> Addressed | None:
    """Lock the run that an agent speaks of, whosever it is."""
    return await tx.one(
        """
        select r.id, r.host_id, r.status, r.job_host, coalesce(j.status, '') as job_status,
               coalesce(j.executor, '') as executor, h.expected_platform as platform
          from patch_runs r
          join hosts h on h.id = r.host_id
          left join job_hosts j on j.uuid = r.job_host
         where r.id = %(run)s
           for no key update of r
        """,
        Addressed,
        run=run,
    )


async def update_heard(tx: Tx, job_host: str, now: datetime, output: str | None = None) -> None:
    """Note that an agent spoke of its run; ``output`` is the whole text of its last word."""
    await tx.execute(
        """
        update patch_native
           set heard_at = %(now)s, output = coalesce(%(output)s::text, output)
         where job_host = %(job_host)s
        """,
        job_host=job_host,
        output=output,
        now=now,
    )


async def fill_output(tx: Tx, run: str, job_host: str, output: str, now: datetime) -> None:
    """Keep what a run printed that was cancelled without its agent's word; the first such word counts."""
    await tx.execute(
        """
        with filled as (
            update patch_native set output = %(output)s, heard_at = %(now)s
             where job_host = %(job_host)s and output is null
            returning run_id
        )
        update patch_runs r
           set shell_output = %(output)s, updated_at = %(now)s
          from filled
         where r.id = %(run)s and r.id = filled.run_id
        """,
        run=run,
        job_host=job_host,
        output=output,
        now=now,
    )


async def find_request(db: Queries, run: str) -> tuple[list[str], str] | None:
    """Return the names that a run asked for and its host's platform."""
    row = await db.one(
        """
        select r.package_names, h.expected_platform from patch_runs r join hosts h on h.id = r.host_id
         where r.id = %(run)s
        """,
        run=run,
    )
    return None if row is None else (row["package_names"], row["expected_platform"])


async def store_final(tx: Tx, run: str, job_host: str) -> bool:
    """Keep the whole text that came with an agent's last word; False when there is none."""
    return bool(
        await tx.execute(
            """
            update patch_runs r
               set shell_output = n.output
              from patch_native n
             where r.id = %(run)s and n.job_host = %(job_host)s and n.output is not null
            """,
            run=run,
            job_host=job_host,
        )
    )


async def fetch_printed(tx: Tx, job_host: str) -> str:
    """Return everything a job host has printed so far."""
    return cast(
        "str",
        await tx.value(
            """
            select coalesce(string_agg(e.stdout, '' order by e.counter), '')
              from job_hosts h
              join jobs j on j.id = h.job_id
              join job_events e on e.job_date = j.job_date and e.job_host_id = h.id and e.source = 1
             where h.uuid = %(job_host)s
            """,
            job_host=job_host,
        ),
    )


async def list_stalled(db: Queries, before: datetime) -> list[tuple[str, str]]:
    """Return run and job host of what existing agents are silent about since before this moment."""
    rows = await db.all(
        """
        select r.id, r.job_host
          from patch_runs r
          join patch_native n on n.job_host = r.job_host
         where r.status = 'running' and n.heard_at <= %(before)s
         order by r.id
         limit 1000
        """,
        before=before,
    )
    return [(row["id"], row["job_host"]) for row in rows]
