"""Statements about baselines: the scans that later ones are held against."""

from datetime import datetime
from typing import Any

from server.core.db import Queries, Tx
from server.core.ids import sought_uuid
from server.core.scope import Groups, in_scope


async def find_baseline(db: Queries, groups: Groups, host: str, kind: str) -> dict[str, Any] | None:
    """Return the id of a host's baseline by a scanner, with who set it and when."""
    return await db.one(
        f"""
        select s.uuid as id, s.completed_at, b.set_by, b.set_at
          from compliance_baselines b
          join hosts h on h.id = b.host_id
          join compliance_scans s on s.id = b.scan
         where h.uuid = %(host)s::uuid and b.kind = %(kind)s and {in_scope("b.host_id")}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        host=sought_uuid(host),
        kind=kind,
    )


async def set_baseline(tx: Tx, scan: str, by: str, now: datetime) -> int:
    """Make a completed scan its host's baseline; return how many were."""
    return await tx.execute(
        """
        insert into compliance_baselines (host_id, kind, scan, set_by, set_at)
        select s.host_id, s.kind, s.id, %(by)s, %(now)s
          from compliance_scans s
         where s.uuid = %(scan)s::uuid and s.status = 'completed'
            on conflict (host_id, kind) do update
           set scan = excluded.scan, set_by = excluded.set_by, set_at = excluded.set_at
        """,
        scan=sought_uuid(scan),
        by=by,
        now=now,
    )


async def forget_baseline(tx: Tx, host: str, kind: str) -> int:
    """Take a baseline back; return how many were."""
    return await tx.execute(
        """
        delete from compliance_baselines b
         using hosts h
         where h.id = b.host_id and h.uuid = %(host)s::uuid and b.kind = %(kind)s
        """,
        host=sought_uuid(host),
        kind=kind,
    )
