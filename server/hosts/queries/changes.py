"""Statements that change one host at a person's wish."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from server.core.db import Database, Tx, as_json
from server.core.scope import Groups, in_scope


async def lock_for_change(tx: Tx, groups: Groups, uuid: str) -> dict[str, Any] | None:
    """Return what people may change of a host, and keep others from changing it."""
    return await tx.one(
        f"""
        select h.id, h.friendly_name, h.notes, h.hostname, h.ip, h.primary_interface, h.network_interfaces,
               h.auto_update, h.host_down_alerts_enabled, h.reboot_exempt, h.patch_hold_patterns,
               h.docker_enabled, h.compliance_mode, h.compliance_openscap_enabled, h.compliance_docker_bench_enabled,
               h.compliance_default_profile_id, h.pending_config, h.pending_sent_at
          from hosts h
         where h.uuid = %(uuid)s and {in_scope("h.id")}
           for update
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        uuid=uuid,
    )


async def store_changes(tx: Tx, host_id: int, changes: Mapping[str, object], now: datetime) -> None:
    """Write some of what people may change; what is not named stays.

    With another first interface the next check-in has to bring the interfaces, or nothing would restore the address.
    """
    await tx.execute(
        """
        update hosts h
           set friendly_name = n.friendly_name, notes = n.notes, hostname = n.hostname, ip = n.ip,
               primary_interface = n.primary_interface, auto_update = n.auto_update,
               host_down_alerts_enabled = n.host_down_alerts_enabled,
               reboot_exempt = n.reboot_exempt, patch_hold_patterns = n.patch_hold_patterns,
               compliance_default_profile_id = n.compliance_default_profile_id,
               interfaces_hash = case when h.primary_interface is distinct from n.primary_interface then '' else
               h.interfaces_hash end,
               updated_at = %(now)s
          from hosts old
         cross join jsonb_populate_record(old, %(changes)s::jsonb) as n
         where h.id = %(host_id)s and old.id = h.id
        """,
        host_id=host_id,
        changes=as_json(dict(changes)),
        now=now,
    )


async def store_pending(tx: Tx, host_id: int, pending: Mapping[str, object] | None) -> None:
    """Write which switches wait for the agent; they have to be applied again."""
    await tx.execute(
        "update hosts set pending_config = %(pending)s::jsonb, pending_sent_at = null where id = %(host_id)s",
        host_id=host_id,
        pending=None if pending is None else as_json(dict(pending)),
    )


async def mark_pending_sent(db: Database | Tx, host_id: int, at: datetime) -> None:
    """Remember that the waiting switches are on their way to the agent."""
    await db.execute(
        "update hosts set pending_sent_at = %(at)s where id = %(host_id)s and pending_config is not null",
        host_id=host_id,
        at=at,
    )


async def confirm_pending(db: Database | Tx, host_id: int, at: datetime) -> dict[str, Any] | None:
    """Make the switches that were sent those of the host; return them, nothing when none were on their way."""
    return await db.one(
        """
        update hosts h
           set docker_enabled = n.docker_enabled, compliance_mode = n.compliance_mode,
               compliance_openscap_enabled = n.compliance_openscap_enabled,
               compliance_docker_bench_enabled = n.compliance_docker_bench_enabled,
               docker_hash = case when n.docker_enabled and not old.docker_enabled then '' else old.docker_hash end,
               pending_config = null, pending_sent_at = null, config_confirmed_at = %(at)s
          from hosts old
         cross join jsonb_populate_record(old, old.pending_config) as n
         where h.id = %(host_id)s and old.id = h.id and old.pending_sent_at is not null
           and old.pending_config is not null
        returning h.docker_enabled, h.compliance_mode, h.compliance_openscap_enabled,
                  h.compliance_docker_bench_enabled
        """,
        host_id=host_id,
        at=at,
    )


async def fetch_switches(db: Database, groups: Groups, uuid: str) -> dict[str, Any] | None:
    """Return which integrations a host has, what waits, and what its agent said of them."""
    return await db.one(
        f"""
        select h.id as key, h.uuid as id, h.friendly_name, h.docker_enabled, h.compliance_mode,
               h.compliance_openscap_enabled, h.compliance_docker_bench_enabled, h.compliance_default_profile_id,
               h.pending_config, h.pending_sent_at, h.config_confirmed_at, h.integration_status
          from hosts h
         where h.uuid = %(uuid)s and {in_scope("h.id")}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        uuid=uuid,
    )
