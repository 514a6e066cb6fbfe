"""Statements about runs as people see them, and as they are made, locked and moved."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from server.core.db import Queries, Tx, as_json
from server.core.ids import HostId, sought_uuid
from server.core.scope import Groups, among, in_scope
from server.patching.models import ACTIVE, Listed, Policy, Run, Status, Target, Work

_ROW: Final = """
    select r.id, h.uuid as host_id, h.friendly_name, h.hostname, r.patch_type, r.package_names, r.security_only,
           r.hold_patterns, r.allow_patterns, r.full_upgrade, r.reboot, r.snapshot, r.pre_playbook, r.post_playbook,
           r.notes, r.packages_affected, r.extra_deps, r.dry_run, r.validate_only, r.status,
           (select v.id from patch_runs v where v.id = r.validation_run_id) as validation_run_id, r.batch_id,
           r.policy_id, r.policy_snapshot ->> 'name' as policy_name, r.policy_snapshot, r.schedule_override,
           r.initiated_by, r.approved_by, r.error_message, r.executor, r.plan,
           r.created_at, r.scheduled_at, r.started_at, r.restarted_at, r.completed_at, r.updated_at,
           r.rollback_dry_job, r.rollback_job,
           h.awaiting_post_patch_report_run_id is not distinct from r.id as awaiting_post_patch_report,
           h.last_update as host_last_update, h.package_manager
      from patch_runs r
      join hosts h on h.id = r.host_id
"""

_LOCKED: Final = """
    select r.id, r.host_id, h.uuid as host_uuid, h.friendly_name as host_name, r.patch_type, r.package_names,
           r.security_only, r.hold_patterns, r.allow_patterns, r.full_upgrade, r.reboot, r.snapshot, r.pre_playbook,
           r.post_playbook, r.notes, h.reboot_exempt, h.patch_hold_patterns as host_hold_patterns, r.dry_run,
           r.validate_only, r.status, r.policy_snapshot, r.initiated_by, r.approved_by, r.stopped_by, r.job_host,
           r.scheduled_at, r.started_at
      from patch_runs r
      join hosts h on h.id = r.host_id
"""

_FILTER: Final = f"""
     where {in_scope("r.host_id")}
       and (%(host)s::uuid is null or h.uuid = %(host)s::uuid)
       and (%(statuses)s::text[] is null or r.status = any(%(statuses)s::text[]))
       and (%(patch_type)s = '' or r.patch_type = %(patch_type)s)
"""

ORDERS: Final = {
    "created_at": "r.created_at",
    "started_at": "r.started_at",
    "completed_at": "r.completed_at",
    "status": "r.status",
}


def _narrowed(asked: Listed) -> dict[str, Any]:
    statuses = [str(one) for one in ACTIVE] if asked.status == "active" else [asked.status] if asked.status else None
    return {"host": sought_uuid(asked.host), "statuses": statuses, "patch_type": asked.patch_type}


async def list_runs(db: Queries, groups: Groups, asked: Listed) -> list[dict[str, Any]]:
    """Return one page of runs, without their output."""
    order = ORDERS.get(asked.sort_by, "r.created_at")
    way = "asc nulls first" if asked.sort_dir == "asc" else "desc nulls last"
    return await db.all(
        f"{_ROW} {_FILTER} order by {order} {way}, r.created_at desc, r.id limit %(limit)s offset %(offset)s",
        groups=groups,
        limit=asked.limit,
        offset=asked.offset,
        **_narrowed(asked),
    )


async def count_runs(db: Queries, groups: Groups, asked: Listed) -> int:
    """Return how many runs match."""
    return cast(
        "int",
        await db.value(
            f"select count(*) from patch_runs r join hosts h on h.id = r.host_id {_FILTER}",  # noqa: S608 (constants)
            groups=groups,
            **_narrowed(asked),
        ),
    )


async def count_by_status(db: Queries, groups: Groups) -> dict[str, int]:
    """Return how many runs are in each state."""
    rows = await db.all(
        f"select r.status, count(*) as number from patch_runs r where {in_scope('r.host_id')} group by r.status",  # noqa: S608 (constants)
        groups=groups,
    )
    return {row["status"]: row["number"] for row in rows}


async def find_run(db: Queries, groups: Groups, run: str) -> dict[str, Any] | None:
    """Return one run, without its output."""
    return await db.one(f"{_ROW} where {in_scope('r.host_id')} and r.id = %(run)s", groups=groups, run=run)


async def find_output(db: Queries, groups: Groups, run: str) -> str | None:
    """Return the stored output of a run; empty while it runs."""
    return cast(
        "str | None",
        await db.value(
            f"select r.shell_output from patch_runs r where {in_scope('r.host_id')} and r.id = %(run)s",  # noqa: S608 (constants)
            groups=groups,
            run=run,
        ),
    )


async def list_targets(db: Queries, groups: Groups, hosts: Sequence[str], host_groups: Sequence[str]) -> list[Target]:
    """Return the hosts with these UUIDs and the members of these groups, each once, by name."""
    return await db.all(
        f"""
        select h.id, h.uuid, h.friendly_name as name, h.reboot_exempt, h.patch_hold_patterns as hold_patterns
          from hosts h
         where {in_scope("h.id")}
           and (h.uuid = any(%(hosts)s::uuid[])
                or h.id in (select m.host_id
                              from host_groups g
                              join host_group_members m on m.host_group_id = g.id
                             where g.uuid = any(%(host_groups)s::uuid[]) and {among("g.uuid")}))
         order by lower(h.friendly_name), h.id
        """,  # noqa: S608 (only constants are put together)
        Target,
        groups=groups,
        hosts=list(hosts),
        host_groups=list(host_groups),
    )


async def count_groups(db: Queries, groups: Groups, host_groups: Sequence[str]) -> int:
    """Return how many of these groups exist for the asker."""
    return cast(
        "int",
        await db.value(
            f"select count(*) from host_groups g where g.uuid = any(%(chosen)s::uuid[]) and {among('g.uuid')}",  # noqa: S608 (constants)
            groups=groups,
            chosen=list(host_groups),
        ),
    )


async def insert_runs(tx: Tx, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """Write new runs; each row names its columns."""
    await tx.execute(
        """
        insert into patch_runs (id, host_id, patch_type, package_names, security_only, hold_patterns, allow_patterns,
                                full_upgrade, reboot, snapshot, pre_playbook, post_playbook, notes, dry_run,
                                validate_only, status, validation_run_id, batch_id, policy_id, policy_snapshot,
                                schedule_override, initiated_by, approved_by, created_at, scheduled_at, updated_at)
        select r.id, r.host_id, r.patch_type, r.package_names, r.security_only, r.hold_patterns, r.allow_patterns,
               r.full_upgrade, r.reboot, r.snapshot, r.pre_playbook, r.post_playbook, r.notes, r.dry_run,
               r.validate_only, r.status, r.validation_run_id, r.batch_id, r.policy_id, r.policy_snapshot,
               r.schedule_override, r.initiated_by, r.approved_by, %(now)s, r.scheduled_at, %(now)s
          from jsonb_to_recordset(%(rows)s::jsonb)
               as r(id uuid, host_id int, patch_type text, package_names text[], security_only boolean,
                    hold_patterns text[], allow_patterns text[], full_upgrade boolean, reboot text, snapshot boolean,
                    pre_playbook text, post_playbook text, notes text[], dry_run boolean, validate_only boolean,
                    status text,
                    validation_run_id uuid, batch_id uuid, policy_id uuid, policy_snapshot jsonb,
                    schedule_override text, initiated_by text, approved_by text, scheduled_at timestamptz)
        """,
        rows=as_json(list(rows)),
        now=now,
    )


def row_of(target: Target, work: Work, policy: Policy, **more: Any) -> dict[str, Any]:
    """Return a row for ``insert_runs``; every option of the work is said."""
    return {
        "host_id": target.id,
        "patch_type": work.patch_type,
        "package_names": list(work.package_names),
        **work.options.told(),
        "dry_run": work.dry_run,
        "policy_id": policy.id or None,
        "policy_snapshot": policy.snapshot(),
        **more,
    }


async def lock_run(tx: Tx, groups: Groups, run: str) -> Run | None:
    """Lock a run that the asker sees."""
    return await tx.one(
        f"{_LOCKED} where {in_scope('r.host_id')} and r.id = %(run)s for no key update of r",
        Run,
        groups=groups,
        run=run,
    )


async def lock_runs(tx: Tx, ids: Sequence[str]) -> list[Run]:
    """Lock runs of this transaction's own, or that their job hosts call for; those locked elsewhere are left out."""
    return await tx.all(
        _LOCKED + " where r.id = any(%(ids)s::uuid[]) order by r.id for no key update of r skip locked",
        Run,
        ids=list(ids),
    )


async def lock_chosen(tx: Tx, groups: Groups, ids: Sequence[str]) -> list[Run]:
    """Lock those of these runs that the asker sees, always in the same order."""
    return await tx.all(
        f"{_LOCKED} where {in_scope('r.host_id')} and r.id = any(%(ids)s::uuid[]) order by r.id for no key update of r",
        Run,
        groups=groups,
        ids=list(ids),
    )


async def lock_due(tx: Tx, now: datetime, limit: int) -> list[Run]:
    """Lock runs whose time has come; what another process is releasing is left out."""
    return await tx.all(
        _LOCKED
        + """
         where r.status = 'scheduled' and r.scheduled_at <= %(now)s
         order by r.scheduled_at, r.id
         limit %(limit)s
           for no key update of r skip locked
        """,
        Run,
        now=now,
        limit=limit,
    )


async def update_released(tx: Tx, job: str, runs: Sequence[tuple[str, HostId]], now: datetime) -> int:
    """Bind runs to the job hosts that carry them; return how many were bound."""
    return await tx.execute(
        """
        update patch_runs r
           set job_host = h.uuid, status = case r.status when 'scheduled' then 'queued' else r.status end,
               updated_at = %(now)s
          from jobs j
          join job_hosts h on h.job_id = j.id
         where j.uuid = %(job)s and h.host_id = r.host_id and r.id = any(%(ids)s::uuid[])
        """,
        job=job,
        ids=[run for run, _ in runs],
        now=now,
    )


async def update_status(
    tx: Tx, ids: Sequence[str], status: Status, now: datetime, *, error: str = "", approved_by: str | None = None
) -> None:
    """Move runs; an end without a host behind it is an end now."""
    await tx.execute(
        """
        update patch_runs
           set status = %(status)s, error_message = %(error)s, approved_by = coalesce(%(approved_by)s, approved_by),
               completed_at = case when %(status)s = 'failed' then %(now)s else completed_at end, updated_at = %(now)s
         where id = any(%(ids)s::uuid[])
        """,
        ids=list(ids),
        status=str(status),
        error=error,
        approved_by=approved_by,
        now=now,
    )


async def store_exempt(tx: Tx, ids: Sequence[str], note: str, now: datetime) -> None:
    """Note that runs will not restart their hosts after all."""
    await tx.execute(
        """
        update patch_runs set reboot = 'never', notes = array_append(notes, %(note)s), updated_at = %(now)s
         where id = any(%(ids)s::uuid[])
        """,
        ids=list(ids),
        note=note,
        now=now,
    )


async def store_rollback(tx: Tx, run: str, job: str, now: datetime, *, dry_run: bool) -> None:
    """Remember the job that puts back what a run replaced, or that looks whether it could."""
    await tx.execute(
        """
        update patch_runs
           set rollback_dry_job = case when %(dry_run)s then %(job)s::uuid else rollback_dry_job end,
               rollback_job = case when %(dry_run)s then rollback_job else %(job)s::uuid end, updated_at = %(now)s
         where id = %(run)s
        """,
        run=run,
        job=job,
        now=now,
        dry_run=dry_run,
    )


async def update_stopped_by(tx: Tx, run: str, name: str, now: datetime) -> None:
    """Remember who stopped a run."""
    await tx.execute(
        "update patch_runs set stopped_by = %(name)s, updated_at = %(now)s where id = %(run)s",
        run=run,
        name=name,
        now=now,
    )


async def delete_run(tx: Tx, run: str) -> None:
    """Remove a run."""
    await tx.execute("delete from patch_runs where id = %(run)s", run=run)
