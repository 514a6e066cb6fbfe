"""Statements about Windows updates, which stand among a host's packages under identifiers of their own."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from server.core.db import Queries, Tx


async def list_approved(db: Queries, host_id: int) -> list[str]:
    """Return what is still to be installed and was not yet, security first, oldest check first."""
    return cast(
        "list[str]",
        await db.column(
            """
            select wua_guid from host_packages
             where host_id = %(host_id)s and needs_update and coalesce(wua_guid, '') <> ''
               and coalesce(wua_last_result, '') in ('', 'failed')
             order by is_security_update desc, last_checked, package_id
            """,
            host_id=host_id,
        ),
    )


async def update_installed(tx: Tx, host_id: int, guid: str, now: datetime) -> None:
    """Make an update's row up to date; the change is remembered as every other one."""
    await tx.execute(
        """
        with before as materialized (
            select package_id, current_version, needs_update and is_security_update as security
              from host_packages where host_id = %(host_id)s and lower(wua_guid) = lower(%(guid)s)
        ), written as (
            update host_packages h
               set current_version = coalesce(nullif(h.available_version, ''), h.current_version), needs_update = false,
                   wua_last_result = 'success', wua_last_error = null, wua_installed_at = %(now)s,
                   outdated_since = null, fingerprint = 0, last_checked = %(now)s
              from before b
             where h.host_id = %(host_id)s and h.package_id = b.package_id
            returning h.package_id, b.current_version as before, h.current_version as after, b.security
        )
        insert into host_package_changes (host_id, at, package_id, from_version, to_version, was_security)
        select %(host_id)s, %(now)s, package_id, before, after, security from written where before <> after
            on conflict (host_id, at, package_id) do nothing
        """,
        host_id=host_id,
        guid=guid,
        now=now,
    )


async def update_failed(tx: Tx, host_id: int, guid: str, error: str) -> None:
    """Note that what was tried is not installed."""
    await tx.execute(
        """
        update host_packages set wua_last_result = 'failed', wua_last_error = %(error)s
         where host_id = %(host_id)s and lower(wua_guid) = lower(%(guid)s)
        """,
        host_id=host_id,
        guid=guid,
        error=error,
    )


async def delete_updates(tx: Tx, host_id: int, guids: Sequence[str]) -> None:
    """Remove updates that are not offered any more."""
    await tx.execute(
        """
        delete from host_packages
         where host_id = %(host_id)s and lower(wua_guid) = any(%(guids)s::text[])
        """,
        host_id=host_id,
        guids=[guid.lower() for guid in guids],
    )


async def update_counts(tx: Tx, host_id: int, now: datetime) -> None:
    """Count a host's packages again after single rows were changed."""
    await tx.execute(
        """
        update host_inventory i
           set packages = n.packages, updates = n.updates, security_updates = n.security, updated_at = %(now)s
          from (select count(*) as packages, count(*) filter (where needs_update) as updates,
                       count(*) filter (where needs_update and is_security_update) as security
                  from host_packages where host_id = %(host_id)s) n
         where i.host_id = %(host_id)s
        """,
        host_id=host_id,
        now=now,
    )
