"""Baselines: the scan of a host that a person calls good, and what changed since."""

from dataclasses import dataclass
from datetime import datetime

from server.audit import service as audit
from server.audit.models import Subject
from server.compliance import comparing, running, service
from server.compliance.comparing import Comparison
from server.compliance.errors import BadRequest
from server.compliance.events import ComplianceChanged
from server.compliance.models import SCANNERS
from server.compliance.queries import baselines as rows
from server.core.bus import announce
from server.core.call import Call


@dataclass(frozen=True, slots=True)
class Baseline:
    """A host's baseline, and who set it; ``since`` is how the newest scan differs, None where it is that one."""

    scan: str
    completed_at: datetime
    set_by: str
    set_at: datetime
    since: Comparison | None


async def fetch(call: Call, host: str, kind: str, newest: str = "") -> Baseline | None:
    """Return a host's baseline by a scanner, compared with the scan ``newest``; raises ``HostMissing``."""
    one = await running.target(call, host)
    found = await rows.find_baseline(call.db, call.actor.scope, one.uuid, kind)
    if found is None:
        return None
    since = await comparing.compare(call, found["id"], newest) if newest and newest != found["id"] else None
    return Baseline(found["id"], found["completed_at"], found["set_by"], found["set_at"], since)


async def since(call: Call, host: str, kind: str) -> Baseline | None:
    """Return a host's baseline by a scanner, compared with its newest scan; raises ``HostMissing``."""
    newest = next((one["id"] for one in await service.latest(call, host) if one["kind"] == kind), "")
    return await fetch(call, host, kind, newest)


async def choose(call: Call, host: str, scan: str) -> Baseline:
    """Make a completed scan of a host its baseline; raises ``HostMissing``, ``ScanMissing`` or ``BadRequest``."""
    one, chosen = await running.target(call, host), await service.scan(call, scan)
    if chosen["host_id"] != one.uuid:
        raise BadRequest.of({"scan_id": "This scan is of another host"})
    async with call.transaction() as tx:
        if not await rows.set_baseline(tx, chosen["id"], call.actor.name, call.now):
            raise BadRequest.of({"scan_id": "Only a completed scan can be a baseline"})
        detail = {"scan": chosen["id"], "kind": chosen["kind"]}
        await audit.record(tx, call, "compliance.baseline_set", Subject("host", one.uuid, one.name), detail)
        tx.after_commit(announce(ComplianceChanged((one.id,))))
    return Baseline(chosen["id"], chosen["completed_at"], call.actor.name, call.now, None)


async def forget(call: Call, host: str, kind: str) -> bool:
    """Take a host's baseline back and tell whether there was one; raises ``HostMissing`` or ``BadRequest``."""
    one = await running.target(call, host)
    if kind not in SCANNERS:
        raise BadRequest.of({"kind": f"kind is one of {', '.join(SCANNERS)}"})
    async with call.transaction() as tx:
        gone = await rows.forget_baseline(tx, one.uuid, kind)
        if gone:
            await audit.record(
                tx, call, "compliance.baseline_forgotten", Subject("host", one.uuid, one.name), {"kind": kind}
            )
            tx.after_commit(announce(ComplianceChanged((one.id,))))
    return bool(gone)
