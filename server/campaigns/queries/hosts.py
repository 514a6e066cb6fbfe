"""Statements about the waves and hosts of campaigns."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, cast

from server.campaigns.models import HostState, Row, Target, Wave
from server.core.db import Queries, Tx, as_json
from server.core.scope import Groups, in_scope

_HOST: Final = """
    select m.host_uuid as host_id, m.host_name, h.id is not null as host_exists, m.wave, m.state, m.reason, m.run_id,
           m.run_status, m.earlier_runs::text[], m.packages, m.started_at, m.finished_at
      from campaign_hosts m
      left join hosts h on h.id = m.host_id
"""


async def insert_hosts(tx: Tx, campaign: str, waves: Sequence[Sequence[Target]]) -> None:
    """Write a campaign's waves and their hosts; from here on the list does not change."""
    numbers = list(range(1, len(waves) + 1))
    await tx.execute(
        """
        insert into campaign_waves (campaign_id, number)
        select %(campaign)s, n from unnest(%(numbers)s::int[]) n
        """,
        campaign=campaign,
        numbers=numbers,
    )
    rows = [(host, number) for number, wave in zip(numbers, waves, strict=True) for host in wave]
    await tx.execute(
        """
        insert into campaign_hosts (campaign_id, host_id, host_uuid, host_name, wave)
        select %(campaign)s, t.id, t.uuid, t.name, t.wave
          from unnest(%(ids)s::int[], %(uuids)s::uuid[], %(names)s::text[], %(waves)s::int[]) t(id, uuid, name, wave)
        """,
        campaign=campaign,
        ids=[host.id for host, _ in rows],
        uuids=[host.uuid for host, _ in rows],
        names=[host.name for host, _ in rows],
        waves=[number for _, number in rows],
    )


async def list_waves(db: Queries, campaign: str) -> list[Wave]:
    """Return the waves of a campaign with the numbers of their hosts, all of them."""
    return await db.all(
        """
        select w.number, w.started_at, w.finished_at, w.forgiven, w.check_status, w.check_job,
               count(m.id)::int as size,
               (count(m.id) filter (where m.state = 'waiting'))::int as waiting,
               (count(m.id) filter (where m.state = 'queued'))::int as queued,
               (count(m.id) filter (where m.state in ('queued', 'running')))::int as open,
               (count(m.id) filter (where m.state in ('failed', 'cancelled')))::int as bad
          from campaign_waves w
          left join campaign_hosts m on m.campaign_id = w.campaign_id and m.wave = w.number
         where w.campaign_id = %(campaign)s
         group by w.campaign_id, w.number
         order by w.number
        """,
        Wave,
        campaign=campaign,
    )


async def list_hosts(
    db: Queries,
    groups: Groups,
    campaign: str,
    *,
    states: Sequence[str] | None = None,
    wave: int | None = None,
    limit: int = 100_000,
    offset: int = 0,
) -> list[Row]:
    """Return the hosts of a campaign that the asker sees, by wave and name."""
    return await db.all(
        f"""
        {_HOST}
         where m.campaign_id = %(campaign)s and {in_scope("m.host_id")}
           and (%(states)s::text[] is null or m.state = any(%(states)s::text[]))
           and (%(wave)s::int is null or m.wave = %(wave)s::int)
         order by m.wave, lower(m.host_name), m.id
         limit %(limit)s offset %(offset)s
        """,
        groups=groups,
        campaign=campaign,
        states=list(states) if states is not None else None,
        wave=wave,
        limit=limit,
        offset=offset,
    )


async def count_states(db: Queries, groups: Groups, campaign: str) -> list[Row]:
    """Return ``wave``, ``state`` and ``number`` of the hosts of a campaign that the asker sees."""
    return await db.all(
        f"""
        select m.wave, m.state, count(*)::int as number
          from campaign_hosts m
         where m.campaign_id = %(campaign)s and {in_scope("m.host_id")}
         group by m.wave, m.state
         order by m.wave, m.state
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        campaign=campaign,
    )


async def list_run_facts(db: Queries, groups: Groups, campaign: str) -> list[Row]:
    """Return what the runs of a campaign changed, for its report; runs that are gone are not in it."""
    return await db.all(
        f"""
        select m.host_uuid as host_id, r.id as run_id, r.packages_affected, r.approved_by, r.policy_snapshot ->> 'name'
               as policy_name, r.error_message
          from campaign_hosts m
          join patch_runs r on r.id = m.run_id
         where m.campaign_id = %(campaign)s and {in_scope("m.host_id")}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        campaign=campaign,
    )


async def list_durations(db: Queries, campaign: str) -> list[float]:
    """Return how many seconds the finished runs of a campaign took, all of them."""
    return cast(
        "list[float]",
        await db.column(
            """
            select extract(epoch from m.finished_at - m.started_at)::float8
              from campaign_hosts m
             where m.campaign_id = %(campaign)s and m.started_at is not null and m.finished_at is not null
            """,
            campaign=campaign,
        ),
    )


async def follow_runs(tx: Tx, campaign: str, states: Mapping[str, HostState], gone: str) -> int:
    """Take over what became of a campaign's runs; return how many hosts moved. ``gone`` explains a deleted run."""
    return await tx.execute(
        """
        update campaign_hosts m
           set state = case when r.id is null then 'withdrawn' else %(states)s::jsonb ->> r.status end,
               run_status = coalesce(r.status, ''), reason = case when r.id is null then %(gone)s
                                                                  else r.error_message end,
               started_at = r.started_at,
               finished_at = r.completed_at, packages = coalesce(jsonb_array_length(r.packages_affected), 0)
          from campaign_hosts o
          left join patch_runs r on r.id = o.run_id
         where m.id = o.id and m.campaign_id = %(campaign)s and o.run_id is not null
           and m.state in ('queued', 'running', 'failed', 'cancelled')
           and (r.id is null and m.state in ('queued', 'running') or r.status <> m.run_status)
        """,
        campaign=campaign,
        states=as_json({status: str(state) for status, state in states.items()}),
        gone=gone,
    )


async def lock_waiting(tx: Tx, campaign: str, wave: int) -> list[str]:
    """Return the UUIDs of a wave's hosts that wait and exist; they cannot be deleted meanwhile."""
    return cast(
        "list[str]",
        await tx.column(
            """
            select m.host_uuid
              from campaign_hosts m
              join hosts h on h.id = m.host_id
             where m.campaign_id = %(campaign)s and m.wave = %(wave)s and m.state = 'waiting'
             order by h.id
               for key share of h
            """,
            campaign=campaign,
            wave=wave,
        ),
    )


async def bind_runs(tx: Tx, campaign: str, runs: Mapping[str, str]) -> int:
    """Give waiting hosts (by UUID) their runs; return how many got theirs."""
    return await tx.execute(
        """
        update campaign_hosts m
           set run_id = t.run, run_status = '', state = 'queued', reason = '', started_at = null, finished_at = null,
               packages = 0
          from unnest(%(hosts)s::uuid[], %(runs)s::uuid[]) t(host, run)
         where m.campaign_id = %(campaign)s and m.host_uuid = t.host and m.state = 'waiting' and m.run_id is null
        """,
        campaign=campaign,
        hosts=list(runs),
        runs=list(runs.values()),
    )


async def list_queued(tx: Tx, campaign: str) -> list[str]:
    """Return the runs of a campaign that had not begun when it was looked at last."""
    found = await tx.column(
        "select m.run_id from campaign_hosts m where m.campaign_id = %(campaign)s and m.state = 'queued'",
        campaign=campaign,
    )
    return cast("list[str]", found)


async def list_offline(tx: Tx, campaign: str, runs: Sequence[str]) -> list[str]:
    """Return those of these runs whose host is not connected."""
    found = await tx.column(
        """
        select m.run_id
          from campaign_hosts m
          join hosts h on h.id = m.host_id
         where m.campaign_id = %(campaign)s and m.run_id = any(%(runs)s::uuid[])
           and not coalesce(h.last_connected_at > coalesce(h.last_disconnected_at, '-infinity'), false)
        """,
        campaign=campaign,
        runs=list(runs),
    )
    return cast("list[str]", found)


async def hold_back(tx: Tx, campaign: str, runs: Sequence[str]) -> int:
    """Let hosts wait again whose runs were taken back."""
    return await tx.execute(
        """
        update campaign_hosts
           set state = 'waiting', earlier_runs = earlier_runs || run_id, run_id = null, run_status = '', reason = ''
         where campaign_id = %(campaign)s and run_id = any(%(runs)s::uuid[])
        """,
        campaign=campaign,
        runs=list(runs),
    )


async def withdraw(tx: Tx, campaign: str, runs: Sequence[str], reason: str) -> int:
    """Note that hosts whose runs were taken back are done without."""
    return await tx.execute(
        """
        update campaign_hosts
           set state = 'withdrawn', reason = %(reason)s
         where campaign_id = %(campaign)s and run_id = any(%(runs)s::uuid[])
        """,
        campaign=campaign,
        runs=list(runs),
        reason=reason,
    )


async def skip_waiting(tx: Tx, campaign: str, reason: str, *, wave: int | None = None, gone: bool = False) -> int:
    """Note that hosts which wait are done without: all, those of a wave, or only those that were deleted."""
    return await tx.execute(
        """
        update campaign_hosts
           set state = 'skipped', reason = %(reason)s
         where campaign_id = %(campaign)s and state = 'waiting' and (%(wave)s::int is null or wave = %(wave)s::int)
           and (not %(gone)s or host_id is null)
        """,
        campaign=campaign,
        reason=reason,
        wave=wave,
        gone=gone,
    )


async def relaunch(tx: Tx, campaign: str) -> int | None:
    """Let every host wait again that did not succeed and still exists; return the first wave that has such hosts."""
    return cast(
        "int | None",
        await tx.value(
            """
            with again as (
                update campaign_hosts
                   set state = 'waiting', reason = '', run_status = '', run_id = null,
                       earlier_runs = case when run_id is null then earlier_runs else earlier_runs || run_id end
                 where campaign_id = %(campaign)s and host_id is not null
                   and state in ('failed', 'cancelled', 'withdrawn', 'skipped', 'waiting')
                returning wave),
            fresh as (
                update campaign_waves
                   set finished_at = null, forgiven = 0, check_status = '', check_job = null
                 where campaign_id = %(campaign)s and number in (select wave from again))
            select min(wave) from again
            """,
            campaign=campaign,
        ),
    )


async def begin_wave(tx: Tx, campaign: str, wave: int, now: datetime) -> None:
    """Note when a wave began."""
    await tx.execute(
        """
        update campaign_waves
           set started_at = coalesce(started_at, %(now)s)
         where campaign_id = %(campaign)s and number = %(wave)s
        """,
        campaign=campaign,
        wave=wave,
        now=now,
    )


async def end_wave(tx: Tx, campaign: str, wave: int, now: datetime) -> None:
    """Note when the last host of a wave was done."""
    await tx.execute(
        "update campaign_waves set finished_at = %(now)s where campaign_id = %(campaign)s and number = %(wave)s",
        campaign=campaign,
        wave=wave,
        now=now,
    )


async def forgive(tx: Tx, campaign: str, wave: int) -> None:
    """Accept the failures of a wave so far, and its failed check."""
    await tx.execute(
        """
        update campaign_waves w
           set forgiven = (select count(*) from campaign_hosts m
                            where m.campaign_id = w.campaign_id and m.wave = w.number
                              and m.state in ('failed', 'cancelled')),
               check_status = case w.check_status when 'failed' then 'overruled' else w.check_status end
         where w.campaign_id = %(campaign)s and w.number = %(wave)s
        """,
        campaign=campaign,
        wave=wave,
    )


async def list_succeeded(tx: Tx, campaign: str, wave: int) -> list[str]:
    """Return the UUIDs of a wave's hosts that succeeded and exist: those a check looks at."""
    found = await tx.column(
        """
        select m.host_uuid
          from campaign_hosts m
          join hosts h on h.id = m.host_id
         where m.campaign_id = %(campaign)s and m.wave = %(wave)s and m.state = 'succeeded'
         order by m.id
        """,
        campaign=campaign,
        wave=wave,
    )
    return cast("list[str]", found)


async def update_check(tx: Tx, campaign: str, wave: int, status: str, job: str | None = None) -> None:
    """Note how a wave's check goes, and which job it is."""
    await tx.execute(
        """
        update campaign_waves
           set check_status = %(status)s, check_job = coalesce(%(job)s, check_job)
         where campaign_id = %(campaign)s and number = %(wave)s
        """,
        campaign=campaign,
        wave=wave,
        status=status,
        job=job,
    )


async def find_check(tx: Tx, job: str) -> Row | None:
    """Return whether a check's job is ``over``, and on how many hosts it did not succeed (``bad``)."""
    return await tx.one(
        """
        select j.finished_at is not null as over,
               (select count(*) from job_hosts h where h.job_id = j.id and h.status <> 'succeeded')::int as bad
          from jobs j
         where j.uuid = %(job)s
        """,
        job=job,
    )
