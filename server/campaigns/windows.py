"""Maintenance windows: making and changing them, and starting by themselves what is due, once for each opening."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.campaigns import advancing, recurrence, rules, service
from server.campaigns.errors import BadWindow, WholeFleetWindows, WindowMissing
from server.campaigns.events import CampaignAwaitsApproval, CampaignMissed, CampaignsChanged, MaintenanceAnnounced
from server.campaigns.models import MODULE, NewCampaign, Occurrence, Row, Status, Window
from server.campaigns.queries import campaigns as campaign_rows
from server.campaigns.queries import windows as rows
from server.core.bus import announce
from server.core.call import Call, system
from server.core.db import Tx
from server.core.ids import is_uuid
from server.core.log import get_log
from server.identity import service as identity

log = get_log(__name__)

_SHOWN: Final = 5
#: A campaign that has to be approved lies ready at least so long before its window opens.
_APPROVAL_HOURS: Final = 24
#: After a long sleep only the last openings are recorded as missed.
_MOST_MISSED: Final = 20


# ---------------------------------------------------------------- keeping


async def everything(call: Call) -> list[Row]:
    """Return every window with its next openings (``next_occurrences``), by name."""
    return [await _told(call, row) for row in await rows.list_windows(call.db)]


async def fetch(call: Call, window: str) -> Row:
    """Return one window with its next openings and the names of what it reaches, as far as the asker sees them."""
    found = await rows.find_window(call.db, window) if is_uuid(window) else None
    if found is None:
        raise WindowMissing
    return await _told(call, found)


async def _told(call: Call, row: Row) -> Row:
    window = rows.window_of(row)
    hosts = await campaign_rows.list_targets(call.db, call.actor.scope, window.targets)
    names = await rows.list_names(call.db, call.actor.scope, window.targets.hosts, window.targets.groups)
    upcoming = recurrence.next_occurrences(window, call.now, _SHOWN) if window.enabled else []
    # Whoever is limited to host groups does not learn which hosts and groups there are beyond them.
    targets = {**row["targets"], **{key: [one for one in row["targets"][key] if one in names] for key in _NAMED}}
    return {**row, "targets": targets, "names": names, "host_count": len(hosts), "next_occurrences": upcoming}


_NAMED: Final = ("hosts", "groups")


async def create(call: Call, window: Window) -> Row:
    """Make a window; it opens for the first time at its next occurrence. Raises ``BadWindow``."""
    await _check(call, window)
    async with call.transaction() as tx:
        made = await rows.insert_window(tx, window, service.name_of(call) or call.actor.name, call.now)
        if made is None:
            raise BadWindow.of({"name": "Another window has this name"})
        await _record(tx, call, "campaigns.window_created", made, window)
        await _look_ahead(tx, call, made)
    return await fetch(call, made)


async def change(call: Call, window: Window) -> Row:
    """Change a window; what it had planned ahead, approved or not, is planned anew. What has started goes on."""
    await fetch(call, window.id)
    await _check(call, window)
    async with call.transaction() as tx:
        if await rows.is_name_taken(tx, window.name, window.id):
            raise BadWindow.of({"name": "Another window has this name"})
        await rows.update_window(tx, window, call.now)
        await campaign_rows.delete_planned(tx, window.id)
        await _record(tx, call, "campaigns.window_changed", window.id, window)
        await _look_ahead(tx, call, window.id)
    return await fetch(call, window.id)


async def delete(call: Call, window: str) -> None:
    """Remove a window and what it had planned ahead; what has started goes on, and records stay."""
    _demand_whole_fleet(call)
    async with call.transaction() as tx:
        if is_uuid(window):
            await campaign_rows.delete_planned(tx, window)
        name = await rows.delete_window(tx, window) if is_uuid(window) else None
        if name is None:
            raise WindowMissing
        await audit.record(tx, call, "campaigns.window_deleted", Subject("maintenance_window", window, name))
        tx.after_commit(announce(CampaignsChanged()))


async def start_now(call: Call, window: str) -> Row:
    """Start a window's work at once, beside its openings; it ends after the window's duration."""
    _demand_whole_fleet(call)
    found = rows.window_of(await fetch(call, window))
    wanted = NewCampaign(
        found.name, found.plan, found.targets, ends_at=call.now + timedelta(minutes=found.duration_minutes)
    )
    return await service.create(call, wanted)


async def _check(call: Call, window: Window) -> None:
    _demand_whole_fleet(call)
    if wrong := recurrence.complaints_of(window, call.now):
        raise BadWindow.of(wrong)
    await service.check(call, window.name, window.plan, window.targets)


def _demand_whole_fleet(call: Call) -> None:
    if call.actor.scope is not None:
        raise WholeFleetWindows


async def _record(tx: Tx, call: Call, action: str, window: str, told: Window) -> None:
    detail = {
        "cron": told.cron,
        "timezone": told.timezone,
        "duration_minutes": told.duration_minutes,
        "enabled": told.enabled,
        "approve_first": told.approve_first,
        "blackouts": len(told.blackouts),
    }
    await audit.record(tx, call, action, Subject("maintenance_window", window, told.name), detail)
    tx.after_commit(announce(CampaignsChanged()))


# ---------------------------------------------------------------- opening


async def open_due(call: Call) -> int:
    """Start what is due, record what was missed, announce what comes; return how many openings were dealt with."""
    if MODULE not in await identity.modules(call):
        return 0
    dealt = 0
    for window in await rows.list_enabled(call.db):
        async with call.transaction() as tx:
            dealt += await _look_ahead(tx, call, window)
    return dealt


async def _look_ahead(tx: Tx, call: Call, window_id: str) -> int:
    """Deal with a window's openings up to now, and plan and announce those ahead; 0 when somebody else is at it."""
    row = await rows.try_window(tx, window_id)
    if row is None or not row["enabled"]:
        return 0
    ours = call.acting_as(system("patching"))
    window = rows.window_of(row)
    due = [one for one in recurrence.occurrences(window, row["considered_until"], call.now) if not one.blackout]
    for one in due[-_MOST_MISSED:]:
        await _open(tx, ours, window, one)
    if window.approve_first:
        await _plan_ahead(tx, ours, window, row["considered_until"])
    announced = await _announce_ahead(tx, ours, window, row["announced_until"])
    await rows.move_marks(tx, window.id, max(call.now, row["considered_until"]), announced)
    if due:
        tx.after_commit(announce(CampaignsChanged()))
    return len(due)


async def _open(tx: Tx, call: Call, window: Window, one: Occurrence) -> None:
    missed = call.now >= one.ends_at
    status = Status.MISSED if missed else Status.AWAITING_APPROVAL if window.approve_first else Status.SCHEDULED
    made = await _insert(tx, call, window, one, status, reason=rules.NOT_RUNNING if missed else "")
    if made is None:
        # It was planned ahead: its own state says what becomes of it.
        return
    subject = Subject("campaign", made, window.name)
    opened = {"window": window.id, "occurrence_at": one.starts_at.isoformat(), "status": status}
    await audit.record(tx, call, "campaigns.window_opened", subject, opened)
    log.info("campaigns: window opened", window=window.id, campaign=made, status=status)
    if missed:
        tx.after_commit(announce(CampaignMissed(made, window.name, reason=rules.NOT_RUNNING)))
    elif (campaign := await campaign_rows.try_campaign(tx, made)) is not None:
        await advancing.advance_in(tx, call, campaign)


async def _plan_ahead(tx: Tx, call: Call, window: Window, since: datetime) -> None:
    lead = timedelta(hours=max(window.notice_hours, _APPROVAL_HOURS))
    for one in recurrence.occurrences(window, max(call.now, since), call.now + lead):
        if not one.blackout:
            await _insert(tx, call, window, one, Status.AWAITING_APPROVAL)


async def _insert(tx: Tx, call: Call, window: Window, one: Occurrence, status: Status, reason: str = "") -> str | None:
    wanted = NewCampaign(
        window.name, window.plan, window.targets, approve_first=window.approve_first, starts_at=one.starts_at,
        ends_at=one.ends_at,
    )  # fmt: skip
    known = {"window_id": window.id, "window_name": window.name, "occurrence_at": one.starts_at}
    made = await campaign_rows.insert_campaign(tx, wanted, status, call.now, window=known, reason=reason)
    if made is not None and status == Status.AWAITING_APPROVAL:
        tx.after_commit(announce(CampaignAwaitsApproval(made, window.name)))
        tx.after_commit(announce(CampaignsChanged()))
    return made


async def _announce_ahead(tx: Tx, call: Call, window: Window, announced_until: datetime) -> datetime:
    if not window.notice_hours:
        return announced_until
    until = call.now + timedelta(hours=window.notice_hours)
    coming = list(recurrence.occurrences(window, max(announced_until, call.now), until))
    if told := [one for one in coming if not one.blackout]:
        hosts = len(await campaign_rows.list_targets(tx, None, window.targets))
        _tell(tx, window, told, hosts)
    return max(until, announced_until)


def _tell(tx: Tx, window: Window, coming: Sequence[Occurrence], hosts: int) -> None:
    for one in coming:
        starts_at, ends_at = one.starts_at.isoformat(), one.ends_at.isoformat()
        tx.after_commit(announce(MaintenanceAnnounced(window.id, window.name, starts_at, ends_at, hosts)))
        log.info("campaigns: maintenance announced", window=window.id, starts_at=starts_at)
