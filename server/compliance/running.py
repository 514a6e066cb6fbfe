"""Asking hosts to scan: one, many, those whose time has come; and taking it back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.automation import service as automation
from server.automation.models import Order
from server.automation.models import Status as JobStatus
from server.channel import service as channel
from server.compliance import guides, rules
from server.compliance.errors import BadRequest, HostMissing, IsDisabled, ScannerOff, UnderWay
from server.compliance.events import ComplianceChanged
from server.compliance.models import SCANNERS, TITLES, Origin, Scanner, Target, Task, TaskStatus, Triggered, Wanted
from server.compliance.queries import tasks as rows
from server.core.bus import announce
from server.core.call import Actor, Call
from server.core.db import Tx
from server.core.errors import Problem
from server.core.ids import HostId, is_uuid
from server.settings import service as settings

PLAYBOOK: Final = "compliance_scan"
#: A host that is away for longer is not scanned for this any more.
_DEADLINE: Final = timedelta(days=7)
_MOST_HOSTS: Final = 20_000
_DUE_AT_ONCE: Final = 200


async def target(call: Call, host: str) -> Target:
    """Return a host; raises ``HostMissing``."""
    found = await rows.list_targets(call.db, call.actor.scope, [host]) if is_uuid(host) else []
    if not found:
        raise HostMissing
    return found[0]


async def targets(call: Call, hosts: Sequence[str]) -> list[Target]:
    """Return those of these hosts that exist for the asker, by name."""
    return await rows.list_targets(call.db, call.actor.scope, [host for host in hosts if is_uuid(host)])


async def trigger(call: Call, host: str, wanted: Wanted) -> Triggered:
    """Ask a host to scan; one that is away scans when it returns.

    Raises ``HostMissing``, ``IsDisabled``, ``ScannerOff`` or ``UnderWay``.
    """
    one = await target(call, host)
    if refused := refusal(one, wanted) or (await guides.refused_by(call, [one], wanted.profile_id)).get(one.id):
        raise refused
    made = await _ask(call, [one], wanted, "manual")
    if one.id not in made:
        raise UnderWay
    return Triggered(one.uuid, one.name, made[one.id], offline=not await _online(call, [one]))


async def trigger_many(call: Call, hosts: Sequence[str], wanted: Wanted) -> list[Triggered]:
    """Ask many hosts; what is refused by one stops none of the others. The answer is in the order of the ids."""
    if not hosts:
        raise BadRequest.of({"hostIds": "hostIds must name at least one host"})
    if len(hosts) > _MOST_HOSTS:
        raise BadRequest.of({"hostIds": f"More than {_MOST_HOSTS} hosts at once"})
    unique = list(dict.fromkeys(hosts))
    found = {one.uuid: one for one in await targets(call, unique)}
    untailored = await guides.refused_by(call, list(found.values()), wanted.profile_id)
    able = [one for one in found.values() if refusal(one, wanted) is None and one.id not in untailored]
    made = await _ask(call, able, wanted, "manual") if able else {}
    online = await _online(call, able)
    answers = []
    for host in unique:
        one = found.get(host.lower())
        if one is None:
            answers.append(Triggered(host, "", error="Host not found"))
        elif refused := refusal(one, wanted) or untailored.get(one.id):
            answers.append(Triggered(one.uuid, one.name, error=str(refused)))
        elif one.id not in made:
            answers.append(Triggered(one.uuid, one.name, error=UnderWay.text))
        else:
            answers.append(Triggered(one.uuid, one.name, made[one.id], offline=one.id not in online))
    return answers


def refusal(one: Target, wanted: Wanted) -> Problem | None:
    """Return why a host cannot scan, or nothing."""
    if wanted.profile_id and not rules.PROFILE.fullmatch(wanted.profile_id):
        return BadRequest.of({"profile_id": "profile_id may hold letters, digits, underscores, dots and dashes"})
    if one.mode == "disabled":
        return IsDisabled()
    if not rules.scanners_for(wanted, one):
        named = SCANNERS[0] if wanted.asked == "all" else wanted.asked
        return ScannerOff(scanner=TITLES[named] if wanted.asked != "all" else "No scanner")
    return None


async def release_due(call: Call) -> int:
    """Ask the hosts whose scheduled scan is due; return how many."""
    minutes = (await settings.effective(call)).compliance_scan_interval
    due = await rows.list_due(call.db, call.now, minutes, _DUE_AT_ONCE)
    return len(await _ask(call, due, Wanted(), "scheduled")) if due else 0


async def _online(call: Call, targets: Sequence[Target]) -> set[int]:
    return {int(one) for one in await channel.online(call, [HostId(one.id) for one in targets])}


async def _ask(call: Call, targets: Sequence[Target], wanted: Wanted, origin: Origin) -> dict[int, str]:
    async with call.transaction(long=True) as tx:
        return await _ask_in(tx, call, targets, wanted, origin)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What hosts do alike."""

    wanted: Wanted
    origin: Origin
    scanners: tuple[Scanner, ...]
    profile: str
    by: str

    def row(self, one: Target) -> dict[str, object]:
        """Return the task of a host."""
        return {
            "host_id": one.id, "kind": "scan", "origin": self.origin, "scanners": list(self.scanners),
            "profile_id": self.profile, "remediate": self.wanted.remediate, "rules": [], "version": "",
            "asked_by": self.by,
        }  # fmt: skip

    def order(self, hosts: Sequence[str]) -> Order:
        """Return the job of these hosts."""
        return Order(
            PLAYBOOK,
            hosts=tuple(hosts),
            variables={
                "compliance_scan_scanners": list(self.scanners),
                "compliance_scan_profile": self.profile,
                "compliance_scan_remediate": self.wanted.remediate,
                # Left out it is as agents without it know the playbook.
                **({"compliance_scan_arf": True} if self.wanted.arf else {}),
            },
            deadline_seconds=int(_DEADLINE / timedelta(seconds=1)),
            title="Compliance scan with remediation" if self.wanted.remediate else "Compliance scan",
        )


async def _ask_in(tx: Tx, call: Call, targets: Sequence[Target], wanted: Wanted, origin: Origin) -> dict[int, str]:
    """Note a task for each host that has none, and let jobs carry them: one for those that do the same."""
    by = call.actor.name or "schedule"
    together: dict[tuple[tuple[Scanner, ...], str], list[Target]] = {}
    for one in targets:
        together.setdefault((rules.scanners_for(wanted, one), rules.profile_for(wanted, one)), []).append(one)
    made: dict[int, str] = {}
    for (scanners, profile), some in together.items():
        plan = _Plan(wanted, origin, scanners, profile, by)
        if noted := await rows.insert_tasks(tx, [plan.row(one) for one in some], call.now):
            order = plan.order([one.uuid for one in some if one.id in noted])
            # What may be done to these hosts was decided here; the job names who asked.
            asker = call.acting_as(Actor("system", id="compliance", name=by))
            await rows.bind_job(tx, await automation.launch_in(tx, asker, order), list(noted.values()))
            made |= noted
    if made and origin == "manual":
        await _record(tx, call, [one for one in targets if one.id in made], wanted)
    if made:
        tx.after_commit(announce(ComplianceChanged(tuple(made)[:50])))
    return made


async def _record(tx: Tx, call: Call, asked: Sequence[Target], wanted: Wanted) -> None:
    first = asked[0]
    subject = Subject("host", first.uuid, first.name) if len(asked) == 1 else Subject("compliance", "", "Bulk scan")
    detail = {
        "scanners": wanted.asked,
        "profile": wanted.profile_id,
        "remediate": wanted.remediate,
        "arf": wanted.arf,
        "hosts": [one.name for one in asked[:20]],
        "host_count": len(asked),
    }
    await audit.record(tx, call, "compliance.scan_triggered", subject, detail)


# ---------------------------------------------------------------- taking back


async def cancel(call: Call, host: str) -> Target:
    """End a host's scan: what waits never begins, what runs is interrupted. Without one nothing is wrong."""
    one = await target(call, host)
    online = bool(await _online(call, [one]))
    async with call.transaction() as tx:
        opened = await rows.lock_open(tx, one.id, ("scan",))
        for task in opened:
            await _cancel_in(tx, call, task, online=online)
        if not online:
            await rows.end_running(tx, one.id, call.now)
        await audit.record(tx, call, "compliance.scan_cancelled", Subject("host", one.uuid, one.name))
        tx.after_commit(announce(ComplianceChanged((one.id,))))
    if online and one.native and not opened:
        # It may be at a scan of its own schedule, which nobody told us of.
        await channel.tell(call, HostId(one.id), {"type": "compliance_scan_cancel"})
    return one


async def _cancel_in(tx: Tx, call: Call, task: Task, *, online: bool) -> None:
    held = [task.job_host] if task.job_host is not None else []
    idle = await automation.stop_in(tx, call, held, "the scan was cancelled") if held else frozenset()
    await rows.ask_cancel(tx, task.id, call.now)
    if online and task.status == TaskStatus.ACTIVE and not idle:
        return
    if idle or not online or not held:
        await rows.finish(tx, [task.id], "cancelled", call.now, scans="cancelled")
        if held and not idle and task.sent_at is not None:
            await automation.end_native_in(tx, call, held[0], JobStatus.CANCELLED, "the scan was cancelled")


async def clean_up(call: Call) -> int:
    """End the scans that run for more than three hours; return how many."""
    async with call.transaction() as tx:
        ended = await rows.end_stalled(tx, call.actor.scope, call.now - rules.STALLED_AFTER, call.now, rules.STALLED)
        for job_host in dict.fromkeys(row["job_host"] for row in ended if row["job_host"]):
            await automation.stop_in(tx, call, [job_host], rules.STALLED)
            await automation.end_native_in(tx, call, job_host, JobStatus.CANCELLED, rules.STALLED)
        if ended:
            tx.after_commit(announce(ComplianceChanged(tuple(dict.fromkeys(row["host_id"] for row in ended))[:50])))
    return len(ended)
