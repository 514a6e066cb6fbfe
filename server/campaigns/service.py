"""Making, launching, approving, pausing, resuming, abandoning, relaunching and reading campaigns."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec

from server.audit import service as audit
from server.audit.models import Subject
from server.automation import service as automation
from server.campaigns import advancing, causes, progress, rules
from server.campaigns.errors import BadCampaign, BeyondGroups, CampaignMissing, NothingToRelaunch, NotNow
from server.campaigns.events import CampaignAwaitsApproval
from server.campaigns.models import (
    AHEAD,
    BAD,
    Campaign,
    Cause,
    HostState,
    Listed,
    NewCampaign,
    Plan,
    Progress,
    Row,
    Standing,
    Status,
    Targets,
    Wave,
)
from server.campaigns.queries import campaigns as rows
from server.campaigns.queries import hosts as host_rows
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Queries, Tx
from server.core.ids import is_uuid
from server.patching import service as patching

P = rules.Happening
_VERBS: Final = {
    P.LAUNCH: "launched",
    P.SUBMIT: "launched",
    P.APPROVE: "approved",
    P.PAUSE: "paused",
    P.RESUME: "resumed",
    P.ABANDON: "abandoned",
    P.RELAUNCH: "relaunched",
}
_MOST_HOSTS: Final = 50_000
#: Patching refuses work without a host; which ones is looked up here.
_ANY: Final = "00000000-0000-4000-8000-000000000000"


# ---------------------------------------------------------------- making


async def create(call: Call, wanted: NewCampaign) -> Row:
    """Make a campaign; without ``draft``, ``approve_first`` or a later start its first wave begins here.

    Raises ``BadCampaign``. Which hosts it reaches is decided when it starts.
    """
    await check(call, wanted.name, wanted.plan, wanted.targets)
    if wanted.ends_at is not None and wanted.ends_at <= max(call.now, wanted.starts_at or call.now):
        raise BadCampaign.of({"ends_at": "It has to end after it starts"})
    status = Status.DRAFT if wanted.draft else Status.AWAITING_APPROVAL if wanted.approve_first else Status.SCHEDULED
    async with call.transaction() as tx:
        found = await rows.list_targets(tx, call.actor.scope, wanted.targets)
        if not found:
            raise BadCampaign.of({"targets": "There are no such hosts"})
        if len(found) > _MOST_HOSTS:
            raise BadCampaign.of({"targets": f"More than {_MOST_HOSTS} hosts at once"})
        made = await rows.insert_campaign(tx, wanted, status, call.now, groups=call.actor.scope, by=name_of(call))
        campaign = await rows.try_campaign(tx, made or "")
        if campaign is None:
            raise CampaignMissing
        await _record_new(tx, call, campaign, len(found))
        await advancing.advance_in(tx, call, campaign)
    return await fetch(call, campaign.id)


async def _record_new(tx: Tx, call: Call, campaign: Campaign, hosts: int) -> None:
    detail = {"status": campaign.status, "hosts": hosts, "plan": msgspec.to_builtins(campaign.plan)}
    await audit.record(tx, call, "campaigns.created", Subject("campaign", campaign.id, campaign.name), detail)
    if campaign.status == Status.AWAITING_APPROVAL:
        tx.after_commit(announce(CampaignAwaitsApproval(campaign.id, campaign.name, hosts)))
    advancing.tell(tx, campaign)


async def check(call: Call, name: str, plan: Plan, targets: Targets) -> None:
    """Raise ``BadCampaign`` (or what patching refuses) when this cannot become a campaign of whoever asks."""
    names = {one.name for one in await automation.launchable(call)}
    wrong = rules.complaints_of(name, plan, targets, names)
    for field, uuids in (("host_ids", targets.hosts), ("host_group_ids", targets.groups)):
        if not all(map(is_uuid, uuids)):
            wrong[field] = "These are no ids"
    if not wrong:
        known = await rows.count_named(call.db, call.actor.scope, targets)
        if known["hosts"] < len({one.lower() for one in targets.hosts}):
            wrong["host_ids"] = "One of the hosts does not exist"
        if known["groups"] < len({one.lower() for one in targets.groups}):
            wrong["host_group_ids"] = "One of the host groups does not exist"
    if wrong:
        raise BadCampaign.of(wrong)
    await patching.demand(call, advancing.wanted_of(plan, [_ANY]))


def name_of(call: Call) -> str | None:
    """Return who asks; nobody when the clock does."""
    return call.actor.name if call.actor.kind in {"person", "token"} else None


async def repeat_for_real(call: Call, campaign: str) -> Row:
    """Make the real campaign after a dry one: the same hosts, as far as they exist, and the same waves."""
    found = await fetch(call, campaign)
    if not found["dry_run"] or found["status"] not in {Status.COMPLETED, Status.STOPPED}:
        raise NotNow(status=words(found["status"]), verb="repeated for real")
    plan = replace(msgspec.convert(found["plan"], Plan), dry_run=False)
    hosts = await host_rows.list_hosts(call.db, call.actor.scope, campaign)
    targets = Targets(hosts=tuple(host["host_id"] for host in hosts if host["host_exists"]))
    return await create(call, NewCampaign(found["name"], plan, targets, rehearsal=campaign))


# ---------------------------------------------------------------- acting


async def launch(call: Call, campaign: str) -> Row:
    """Let a draft go its way: it starts, or waits for its time or its approval."""
    async with call.transaction() as tx:
        found = await _locked(tx, call, campaign, P.LAUNCH)
        happening = P.SUBMIT if found.approve_first else P.LAUNCH
        moved = await advancing.move(tx, call, found, happening)
        if happening is P.SUBMIT:
            tx.after_commit(announce(CampaignAwaitsApproval(found.id, found.name)))
        await advancing.advance_in(tx, call, moved)
    return await fetch(call, campaign)


async def approve(call: Call, campaign: str) -> Row:
    """Sign a campaign off; it starts when its time has come."""
    return await _act(call, campaign, P.APPROVE)


async def pause(call: Call, campaign: str) -> Row:
    """Begin nothing more; what waits for its host is taken back, what is on a host goes on."""
    return await _act(call, campaign, P.PAUSE)


async def resume(call: Call, campaign: str) -> Row:
    """Go on after a pause, or after a stop: then with the failures so far, and a failed check, accepted."""
    async with call.transaction() as tx:
        found = await _locked(tx, call, campaign, P.RESUME)
        if found.status == Status.STOPPED:
            await host_rows.forgive(tx, found.id, found.wave)
        await advancing.advance_in(tx, call, await advancing.move(tx, call, found, P.RESUME))
    return await fetch(call, campaign)


async def abandon(call: Call, campaign: str) -> Row:
    """Give a campaign up: what did not begin never does, what is on a host may end."""
    async with call.transaction() as tx:
        found = await _locked(tx, call, campaign, P.ABANDON)
        await host_rows.skip_waiting(tx, found.id, "The campaign was abandoned")
        await advancing.advance_in(tx, call, await advancing.move(tx, call, found, P.ABANDON))
    return await fetch(call, campaign)


async def relaunch(call: Call, campaign: str) -> Row:
    """Run the hosts again that did not succeed, wave by wave from the first that has such hosts, with all gates."""
    async with call.transaction() as tx:
        found = await _locked(tx, call, campaign, P.RELAUNCH)
        wave = await host_rows.relaunch(tx, found.id)
        if wave is None:
            raise NothingToRelaunch
        moved = await advancing.move(tx, call, found, P.RELAUNCH, wave=wave)
        await advancing.advance_in(tx, call, moved)
    return await fetch(call, campaign)


async def delete(call: Call, campaign: str) -> None:
    """Remove a campaign that never started."""
    async with call.transaction() as tx:
        found = await _locked(tx, call, campaign)
        if found.status not in AHEAD or found.window_id is not None:
            raise NotNow(status=words(found.status), verb="deleted")
        await rows.delete_campaign(tx, found.id)
        await audit.record(tx, call, "campaigns.deleted", Subject("campaign", found.id, found.name))
        advancing.tell(tx, found)


async def _act(call: Call, campaign: str, happening: rules.Happening) -> Row:
    async with call.transaction() as tx:
        found = await _locked(tx, call, campaign, happening)
        await advancing.advance_in(tx, call, await advancing.move(tx, call, found, happening))
    return await fetch(call, campaign)


async def _locked(tx: Tx, call: Call, campaign: str, happening: rules.Happening | None = None) -> Campaign:
    found = await rows.lock_campaign(tx, call.actor.scope, campaign) if is_uuid(campaign) else None
    if found is None:
        raise CampaignMissing
    if await rows.is_beyond(tx, call.actor.scope, campaign):
        raise BeyondGroups
    if happening is not None and rules.after(found.status, happening) is None:
        raise NotNow(status=words(found.status), verb=_VERBS[happening])
    return found


def words(status: str) -> str:
    """Return a state as people read it."""
    return status.replace("_", " ")


# ---------------------------------------------------------------- reading


async def page(call: Call, asked: Listed) -> tuple[list[Row], int]:
    """Return one page of campaigns, newest first, and how many match."""
    if asked.window and not is_uuid(asked.window):
        return [], 0
    found = await rows.list_campaigns(call.db, call.actor.scope, asked)
    return found, await rows.count_campaigns(call.db, call.actor.scope, asked)


async def fetch(call: Call, campaign: str) -> Row:
    """Return one campaign: its row with ``wave_list`` (a row per wave with its ``counts``), ``progress``, ``causes``.

    Numbers and hosts are those the asker sees.
    """
    scope = call.actor.scope
    found = await rows.find_campaign(call.db, scope, campaign) if is_uuid(campaign) else None
    if found is None:
        raise CampaignMissing
    waves = await host_rows.list_waves(call.db, campaign)
    states = await host_rows.count_states(call.db, scope, campaign)
    return {
        **found,
        "wave_list": [_wave_row(wave, states) for wave in waves],
        "progress": await _progress(call.db, call, found, waves),
        "causes": await failures(call, campaign),
    }


def _wave_row(wave: Wave, states: Sequence[Row]) -> Row:
    counts = {row["state"]: row["number"] for row in states if row["wave"] == wave.number}
    return {
        "number": wave.number,
        "hosts": sum(counts.values()),
        "counts": counts,
        "started_at": wave.started_at,
        "finished_at": wave.finished_at,
        "forgiven": wave.forgiven,
        "check_status": wave.check_status,
        "check_job": wave.check_job,
    }


async def _progress(db: Queries, call: Call, found: Row, waves: Sequence[Wave]) -> Progress:
    plan = msgspec.convert(found["plan"], Plan)
    at = Standing(Status(found["status"]), plan, found["wave"], tuple(waves), found["starts_at"], found["ends_at"])
    durations = await host_rows.list_durations(db, found["id"]) if progress.is_open(at.status) else []
    return progress.progress_of(at, found["counts"], durations, call.now)


async def failures(call: Call, campaign: str) -> list[Cause]:
    """Return the hosts that failed or were withdrawn, by cause, the most frequent first."""
    states = [str(state) for state in (*BAD, HostState.WITHDRAWN)]
    found = await host_rows.list_hosts(call.db, call.actor.scope, campaign, states=states)
    return causes.grouped((row["host_id"], row["host_name"], row["reason"]) for row in found)


async def hosts_of(
    call: Call, campaign: str, *, state: str = "", wave: int | None = None, limit: int = 200, offset: int = 0
) -> list[Row]:
    """Return hosts of a campaign, by wave and name, each with its state and its patch run."""
    if not is_uuid(campaign) or await rows.find_campaign(call.db, call.actor.scope, campaign) is None:
        raise CampaignMissing
    states = [state] if state else None
    return await host_rows.list_hosts(
        call.db, call.actor.scope, campaign, states=states, wave=wave, limit=limit, offset=offset
    )


async def preview(call: Call, plan: Plan, targets: Targets) -> list[list[Row]]:
    """Return which hosts each wave would have if it were made now."""
    await check(call, "preview", plan, targets)
    found = await rows.list_targets(call.db, call.actor.scope, targets)
    waves = rules.cut(found, {target: target.uuid for target in found}, plan.waves)
    return [[{"host_id": host.uuid, "host_name": host.name} for host in wave] for wave in waves]
