"""How the demonstration's hosts were patched."""

from server.core.db import Tx, as_json

Rows = list[dict[str, object]]


async def insert_states(tx: Tx, rows: Rows) -> int:
    """Add what hosts' runs amount to."""
    return await tx.execute(
        """
        insert into host_patching (host_id, last_success_at, last_attempt_at, last_status, consecutive_failures,
                                   last_error, cause, said_failing)
        select h.id, r.success_at, r.attempt_at, r.status, r.failures, r.error, r.cause, r.cause
          from jsonb_to_recordset(%(rows)s::jsonb)
               as r(host uuid, success_at timestamptz, attempt_at timestamptz, status text, failures int, error text,
                    cause text)
          join hosts h on h.uuid = r.host
         order by h.id
        """,
        rows=as_json(rows),
    )


async def insert_runs(tx: Tx, rows: Rows) -> int:
    """Add runs that ended, or wait for somebody."""
    return await tx.execute(
        """
        insert into patch_runs (id, host_id, patch_type, package_names, dry_run, status, batch_id, policy_snapshot,
                                initiated_by, error_message, packages_affected, shell_output, created_at, scheduled_at,
                                started_at, completed_at, updated_at)
        select r.id, h.id, r.patch_type, r.packages, r.dry_run, r.status, r.batch,
               '{"id": null, "name": "Default", "description": "", "patch_delay_type": "immediate"}'::jsonb,
               r.by, r.error, r.changes, r.output, r.created_at, r.scheduled_at, r.started_at, r.completed_at,
               coalesce(r.completed_at, r.created_at)
          from jsonb_to_recordset(%(rows)s::jsonb)
               as r(id uuid, batch uuid, host uuid, patch_type text, packages text[], dry_run boolean, status text,
                    error text, changes jsonb, by text, created_at timestamptz, scheduled_at timestamptz,
                    started_at timestamptz, completed_at timestamptz, output text)
          join hosts h on h.uuid = r.host
         order by r.created_at
        """,
        rows=as_json(rows),
    )


async def link_last_runs(tx: Tx) -> None:
    """Name the run that each host's state is about, where it is there."""
    await tx.execute(
        """
        update host_patching f
           set last_run = r.id
          from patch_runs r
         where r.host_id = f.host_id and not r.dry_run and r.completed_at = f.last_attempt_at
        """
    )


async def leave_unfinished(tx: Tx, left: dict[str, list[str]]) -> None:
    """Let the package manager of some hosts be interrupted."""
    await tx.execute(
        """
        update hosts h
           set unfinished_packages = array(select jsonb_array_elements_text(l.value))
          from jsonb_each(%(left)s::jsonb) as l(key, value)
         where h.uuid = l.key::uuid
        """,
        left=as_json(left),
    )
