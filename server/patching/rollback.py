"""Putting back the versions that a run replaced: a dry run first, then the real one, each a job of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.automation import service as automation
from server.automation.errors import JobMissing
from server.automation.models import Job, Order
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx
from server.core.ids import is_uuid
from server.patching import rules
from server.patching.errors import NoRollback, RunMissing
from server.patching.events import PatchRunChanged
from server.patching.queries import runs as run_rows

PLAYBOOK: Final = "rollback"
#: Package managers that can install an earlier version again, where a repository or the cache still has it.
GOES_BACK: Final = frozenset({"apt", "dnf", "yum", "zypper", "pacman"})
_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class Begun:
    """The job that goes back, dry or real, and what it puts back as ``name=version``."""

    job: str
    dry_run: bool
    packages: tuple[str, ...]


def earlier(packages: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return what the rows of a run's packages replaced, as ``name=version``; what was new or removed is not in it."""
    replaced = [one for one in packages if one.get("action") == "upgrade" and one.get("name") and one.get("from")]
    return tuple(dict.fromkeys(f"{one['name']}={one['from']}" for one in replaced))


def why_not(run: Mapping[str, Any]) -> str:
    """Say in a sentence why a run, as its record is, cannot be taken back; empty when that can be tried."""
    manager = (run["plan"] or {}).get("manager") or ""
    if run["dry_run"]:
        return "A dry run changed nothing that could be put back"
    if run["status"] not in rules.FINISHED:
        return "The run is not over"
    packages = earlier(run["packages_affected"])
    if not packages:
        return "The record of the run holds no earlier versions"
    if manager not in GOES_BACK:
        return f"Earlier versions cannot be put back with {manager or 'the package manager of this host'}"
    return f"More than {_MOST} packages" if len(packages) > _MOST else ""


async def begin(call: Call, run: str, *, dry_run: bool = True, partial: bool = False) -> Begun:
    """Start going back; raises ``RunMissing`` or ``NoRollback``. A real one needs a dry one that succeeded.

    ``partial``: put back what can still be had when some of it cannot.
    """
    async with call.transaction() as tx:
        locked = await run_rows.lock_run(tx, call.actor.scope, run) if is_uuid(run) else None
        found = await run_rows.find_run(tx, call.actor.scope, run) if locked is not None else None
        if locked is None or found is None:
            raise RunMissing
        if wrong := why_not(found) or await _too_early(call, found, dry_run=dry_run):
            raise NoRollback(error=wrong)
        packages = earlier(found["packages_affected"])
        order = Order(
            PLAYBOOK,
            hosts=(locked.host_uuid,),
            variables={"rollback_packages": list(packages), "rollback_partial": partial},
            check=dry_run,
            title=_title(packages, dry_run=dry_run),
        )
        job = await automation.launch_in(tx, call, order)
        await run_rows.store_rollback(tx, locked.id, job, call.now, dry_run=dry_run)
        await _record(tx, call, found, job, packages, dry_run=dry_run)
    return Begun(job, dry_run, packages)


def _title(packages: Sequence[str], *, dry_run: bool) -> str:
    names = rules.some_packages([one.partition("=")[0] for one in packages])
    return f"Dry run: Roll back {names}" if dry_run else f"Roll back {names}"


async def _too_early(call: Call, run: Mapping[str, Any], *, dry_run: bool) -> str:
    real = await _job(call, run["rollback_job"])
    if real is not None and (real.finished_at is None or _went_well(real)):
        return "The run is being taken back" if real.finished_at is None else "The run was taken back already"
    if dry_run:
        return ""
    dry = await _job(call, run["rollback_dry_job"])
    if dry is None or dry.finished_at is None:
        return "Look at a dry run of going back first" if dry is None else "The dry run of going back is not over"
    return "" if _went_well(dry) else "The dry run of going back failed"


async def _job(call: Call, job: str | None) -> Job | None:
    try:
        return await automation.fetch(call, job) if job is not None else None
    except JobMissing:
        # Forgotten after its time: as if it had never been.
        return None


def _went_well(job: Job) -> bool:
    return job.counts.get("succeeded", 0) == sum(job.counts.values())


async def _record(
    tx: Tx, call: Call, run: Mapping[str, Any], job: str, packages: Sequence[str], *, dry_run: bool
) -> None:
    detail = {"job": job, "dry_run": dry_run, "packages": list(packages[:20]), "package_count": len(packages)}
    subject = Subject("patch_run", run["id"], run["friendly_name"])
    await audit.record(tx, call, "patching.rollback_started", subject, detail)
    tx.after_commit(announce(PatchRunChanged(run["id"])))
