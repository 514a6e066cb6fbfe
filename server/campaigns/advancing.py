"""The machinery of campaigns: follows their runs and takes one step after the other, each in one transaction.

Several processes may try at once: whoever holds a campaign's row takes its steps. A host is bound to its run in the
transaction that makes the run, so whatever dies in between, no host gets two.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.automation import service as automation
from server.automation.models import Order
from server.campaigns import rules
from server.campaigns.events import (
    CampaignAbandoned,
    CampaignChanged,
    CampaignCompleted,
    CampaignEvent,
    CampaignExpired,
    CampaignMissed,
    CampaignsChanged,
    CampaignStarted,
    CampaignStopped,
)
from server.campaigns.models import MODULE, Campaign, Plan, Standing, Status, Step, StepKind
from server.campaigns.queries import campaigns as rows
from server.campaigns.queries import hosts as host_rows
from server.core.bus import announce
from server.core.call import Call, system
from server.core.db import Tx
from server.core.errors import Problem
from server.core.log import get_log
from server.identity import service as identity
from server.patching import service as patching
from server.patching.models import Wanted
from server.patching.models import Work as PatchWork

log = get_log(__name__)

P = rules.Happening
#: A campaign takes few steps before it has to wait; more would be a mistake that must not hold its row for ever.
_MOST_STEPS: Final = 500
_CHECK_SECONDS: Final = int(timedelta(hours=1) / timedelta(seconds=1))
_OFFLINE: Final = "Host was offline during its window"
_BUSY: Final = "The window ended before the host began"
_SAID: Final[Mapping[Status, type[CampaignEvent]]] = {
    Status.STOPPED: CampaignStopped,
    Status.COMPLETED: CampaignCompleted,
    Status.ABANDONED: CampaignAbandoned,
    Status.MISSED: CampaignMissed,
    Status.EXPIRED: CampaignExpired,
}
#: Under these names the audit log keeps what happens to campaigns.
_ACTIONS: Final[Mapping[rules.Happening, str]] = {
    P.SUBMIT: "campaigns.submitted",
    P.LAUNCH: "campaigns.launched",
    P.APPROVE: "campaigns.approved",
    P.START: "campaigns.started",
    P.FINISH: "campaigns.completed",
    P.STOP: "campaigns.stopped",
    P.PAUSE: "campaigns.paused",
    P.RESUME: "campaigns.resumed",
    P.ABANDON: "campaigns.abandoned",
    P.RELAUNCH: "campaigns.relaunched",
    P.MISS: "campaigns.missed",
    P.EXPIRE: "campaigns.expired",
}


async def advance_all(call: Call) -> int:
    """Let every campaign take the steps that are due; return how many moved.

    While patching is switched off they wait where they are; what hosts are in the middle of ends by itself.
    """
    if MODULE not in await identity.modules(call):
        return 0
    moved = 0
    for campaign in await rows.list_live(call.db, call.now):
        moved += await advance(call, campaign)
    return moved


async def advance(call: Call, campaign: str) -> bool:
    """Let one campaign take the steps that are due; False when nothing changed or somebody else is at it."""
    async with call.transaction() as tx:
        found = await rows.try_campaign(tx, campaign)
        return found is not None and await advance_in(tx, call, found)


async def advance_in(tx: Tx, call: Call, campaign: Campaign) -> bool:
    """Let a locked campaign take the steps that are due; return whether anything changed."""
    ours = call.acting_as(system("patching"))
    moved = await _follow(tx, campaign)
    for _ in range(_MOST_STEPS):
        at = await standing(tx, campaign)
        step = rules.next_step(at, call.now)
        if step is None:
            break
        after = await _STEPS[step.kind](tx, ours, campaign, at, step)
        if after is None:
            break
        campaign, moved = after, True
    if moved:
        tell(tx, campaign)
    return moved


def tell(tx: Tx, campaign: Campaign) -> None:
    """Ring for those who watch this campaign, and for lists."""
    tx.after_commit(announce(CampaignChanged(campaign.id)))
    tx.after_commit(announce(CampaignsChanged()))


async def standing(tx: Tx, campaign: Campaign) -> Standing:
    """Return what the next step depends on."""
    waves = tuple(await host_rows.list_waves(tx, campaign.id))
    return Standing(campaign.status, campaign.plan, campaign.wave, waves, campaign.starts_at, campaign.ends_at)


async def _follow(tx: Tx, campaign: Campaign) -> bool:
    """Take over what became of the runs, and of the check between two waves."""
    gone = "The run was deleted before it began"
    moved = await host_rows.follow_runs(tx, campaign.id, rules.STATES, gone) > 0
    for wave in await host_rows.list_waves(tx, campaign.id):
        if wave.check_status != "running" or wave.check_job is None:
            continue
        check = await host_rows.find_check(tx, wave.check_job)
        if check is None or check["over"]:
            verdict = "passed" if check is not None and check["bad"] == 0 else "failed"
            await host_rows.update_check(tx, campaign.id, wave.number, verdict)
            moved = True
    return moved


# ---------------------------------------------------------------- moving


async def move(
    tx: Tx, call: Call, campaign: Campaign, happening: rules.Happening, *, reason: str = "", wave: int | None = None
) -> Campaign:
    """Write where a campaign goes, note it in the audit log and announce it; a move the table lacks is a bug."""
    status = rules.after(campaign.status, happening)
    if status is None:
        raise AssertionError(f"{happening} cannot happen to a campaign that is {campaign.status}")
    approved_by = call.actor.name if happening is P.APPROVE else None
    endless = happening is P.RELAUNCH and campaign.ends_at is not None and campaign.ends_at <= call.now
    await rows.update_status(
        tx, campaign.id, status, call.now, reason=reason, wave=wave, approved_by=approved_by, endless=endless
    )
    moved = replace(
        campaign,
        status=status,
        reason=reason,
        wave=wave if wave is not None else campaign.wave,
        approved_by=approved_by or campaign.approved_by,
        started_at=campaign.started_at or (call.now if status == Status.RUNNING else None),
        ends_at=None if endless else campaign.ends_at,
    )
    if status != campaign.status:
        await _record(tx, call, campaign, moved, happening)
    return moved


async def _record(tx: Tx, call: Call, before: Campaign, after: Campaign, happening: rules.Happening) -> None:
    detail = {"from": before.status, "to": after.status, "reason": after.reason, "wave": after.wave}
    subject = Subject("campaign", after.id, after.name)
    # What the clock alone brings about every few minutes is told on the campaign's page, not in the audit log.
    if (action := _ACTIONS.get(happening)) is not None:
        await audit.record(tx, call, action, subject, detail)
    log.info("campaigns: moved", campaign=after.id, **detail)
    kind = CampaignStarted if happening is P.START else _SAID.get(after.status)
    if kind is not None:
        hosts = sum(wave.size for wave in await host_rows.list_waves(tx, after.id))
        tx.after_commit(announce(kind(after.id, after.name, hosts, after.reason)))
    tell(tx, after)


# ---------------------------------------------------------------- steps


async def _start(tx: Tx, call: Call, campaign: Campaign, _at: Standing, _step: Step) -> Campaign:
    """Write down which hosts it reaches, in waves; the list never changes again."""
    targets = await rows.list_targets(tx, campaign.limited_to, campaign.targets)
    uuids = {target: target.uuid for target in targets}
    waves = rules.cut(targets, uuids, campaign.plan.waves)
    await host_rows.insert_hosts(tx, campaign.id, waves)
    started = await move(tx, call, campaign, P.START, wave=1)
    if not waves:
        return await move(tx, call, started, P.FINISH, reason="No host was left to reach")
    await host_rows.begin_wave(tx, campaign.id, 1, call.now)
    return started


async def _miss(tx: Tx, call: Call, campaign: Campaign, _at: Standing, step: Step) -> Campaign:
    return await move(tx, call, campaign, P.MISS, reason=step.reason)


async def _expire(tx: Tx, call: Call, campaign: Campaign, _at: Standing, step: Step) -> Campaign:
    await host_rows.skip_waiting(tx, campaign.id, "The window ended before this host's turn")
    return await move(tx, call, campaign, P.EXPIRE, reason=step.reason)


async def _stop(tx: Tx, call: Call, campaign: Campaign, _at: Standing, step: Step) -> Campaign:
    return await move(tx, call, campaign, P.STOP, reason=step.reason)


async def _release(tx: Tx, call: Call, campaign: Campaign, _at: Standing, _step: Step) -> Campaign:
    """Give every waiting host of the wave its run, in this transaction."""
    await host_rows.skip_waiting(tx, campaign.id, "The host was deleted", wave=campaign.wave, gone=True)
    waiting = await host_rows.lock_waiting(tx, campaign.id, campaign.wave)
    if not waiting:
        return campaign
    try:
        made = await patching.trigger_in(
            tx, call, wanted_of(campaign.plan, waiting), by=campaign.created_by, approved_by=campaign.approved_by
        )
    except Problem as refused:
        return await move(tx, call, campaign, P.STOP, reason=f"Wave {campaign.wave} could not begin: {refused}")
    await host_rows.bind_runs(tx, campaign.id, {run.host_id: run.id for run in made})
    log.info("campaigns: released", campaign=campaign.id, wave=campaign.wave, runs=len(made))
    await _follow(tx, campaign)
    return campaign


def wanted_of(plan: Plan, hosts: list[str]) -> Wanted:
    """Return what patching is asked for."""
    asked = PatchWork(plan.work.patch_type, plan.work.package_names, plan.dry_run, plan.work.options)
    return Wanted(asked, tuple(hosts), validate_only=plan.dry_run, immediately=True)


async def _hold_back(tx: Tx, call: Call, campaign: Campaign, _at: Standing, _step: Step) -> Campaign | None:
    """Take back what did not begin; those hosts wait until the campaign goes on."""
    reason = f"The campaign {campaign.name} was {campaign.status}"
    runs = await patching.withdraw_in(tx, call, await host_rows.list_queued(tx, campaign.id), reason)
    return campaign if runs and await host_rows.hold_back(tx, campaign.id, list(runs)) else None


async def _withdraw(tx: Tx, call: Call, campaign: Campaign, _at: Standing, _step: Step) -> Campaign | None:
    """Take back for good what did not begin."""
    queued = await host_rows.list_queued(tx, campaign.id)
    offline = set(await host_rows.list_offline(tx, campaign.id, queued))
    expired = campaign.status == Status.EXPIRED
    late = [run for run in queued if run in offline] if expired else []
    rest = [run for run in queued if run not in set(late)]
    moved = 0
    for some, reason in ((late, _OFFLINE), (rest, _BUSY if expired else f"The campaign was {campaign.status}")):
        taken = list(await patching.withdraw_in(tx, call, some, reason)) if some else []
        moved += await host_rows.withdraw(tx, campaign.id, taken, reason) if taken else 0
    return campaign if moved else None


async def _wave_over(tx: Tx, call: Call, campaign: Campaign, _at: Standing, _step: Step) -> Campaign:
    await host_rows.end_wave(tx, campaign.id, campaign.wave, call.now)
    return campaign


async def _soak(tx: Tx, call: Call, campaign: Campaign, _at: Standing, _step: Step) -> Campaign:
    return await move(tx, call, campaign, P.SOAK)


async def _check(tx: Tx, call: Call, campaign: Campaign, at: Standing, _step: Step) -> Campaign:
    """Begin the check of a wave unless it has begun; a wave without a success has nothing to look at."""
    if campaign.status != Status.CHECKING:
        campaign = await move(tx, call, campaign, P.CHECK)
    if at.waves[campaign.wave - 1].check_status:
        return campaign
    hosts = await host_rows.list_succeeded(tx, campaign.id, campaign.wave)
    if not hosts or campaign.dry_run:
        await host_rows.update_check(tx, campaign.id, campaign.wave, "passed")
        return campaign
    order = Order(
        campaign.plan.check_playbook,
        hosts=tuple(hosts),
        deadline_seconds=_CHECK_SECONDS,
        title=f"Check after wave {campaign.wave}: {campaign.name}",
    )
    try:
        job = await automation.launch_in(tx, call, order)
    except Problem as refused:
        return await move(tx, call, campaign, P.STOP, reason=f"The check could not begin: {refused}")
    await host_rows.update_check(tx, campaign.id, campaign.wave, "running", job)
    return campaign


async def _next_wave(tx: Tx, call: Call, campaign: Campaign, _at: Standing, _step: Step) -> Campaign:
    number = campaign.wave + 1
    await host_rows.begin_wave(tx, campaign.id, number, call.now)
    return await move(tx, call, campaign, P.NEXT_WAVE, wave=number)


async def _finish(tx: Tx, call: Call, campaign: Campaign, _at: Standing, _step: Step) -> Campaign:
    return await move(tx, call, campaign, P.FINISH)


Taken = Callable[[Tx, Call, Campaign, Standing, Step], Awaitable[Campaign | None]]
_STEPS: Final[Mapping[StepKind, Taken]] = {
    StepKind.START: _start,
    StepKind.MISS: _miss,
    StepKind.EXPIRE: _expire,
    StepKind.STOP: _stop,
    StepKind.RELEASE: _release,
    StepKind.HOLD_BACK: _hold_back,
    StepKind.WITHDRAW: _withdraw,
    StepKind.WAVE_OVER: _wave_over,
    StepKind.SOAK: _soak,
    StepKind.CHECK: _check,
    StepKind.NEXT_WAVE: _next_wave,
    StepKind.FINISH: _finish,
}
