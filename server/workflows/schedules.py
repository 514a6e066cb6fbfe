"""Schedules: keeping them, and starting what is due, once for each time and as their owner may by then."""

from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.automation import service as automation
from server.automation.models import Variables
from server.core import recurrence
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx
from server.core.errors import Problem
from server.core.ids import is_uuid
from server.core.log import get_log
from server.core.paging import Page, Window
from server.identity import service as identity
from server.workflows import ordering, rules, service
from server.workflows.errors import BadSchedule, ScheduleMissing, WorkflowMissing
from server.workflows.events import ScheduleMissed, ScheduleRefused, WorkflowsChanged
from server.workflows.models import Row, Schedule
from server.workflows.queries import schedules as rows

log = get_log(__name__)

_SHOWN: Final = 5
_STARTS: Final = 50
_NAME_MOST: Final = 200
#: After a long sleep only the last times are recorded as missed.
_MOST_MISSED: Final = 20
_NOT_RUNNING: Final = "no server was running at that time"


# ---------------------------------------------------------------- keeping


async def page(call: Call, window: Window, *, search: str = "") -> Page[Row]:
    """Return schedules by name, each with its next times (``upcoming``)."""
    owner = _seen(call)
    found = await rows.list_schedules(call.db, owner=owner, search=search, limit=window.size, offset=window.offset)
    total = await rows.count_schedules(call.db, owner=owner, search=search)
    return Page([_told(call, row) for row in found], total, window)


async def fetch(call: Call, schedule: str) -> Row:
    """Return one schedule with its next times and what it started lately (``starts``)."""
    found = await rows.find_schedule(call.db, schedule, owner=_seen(call)) if is_uuid(schedule) else None
    if found is None:
        raise ScheduleMissing
    return {**_told(call, found), "starts": await rows.list_starts(call.db, schedule, _STARTS)}


def _seen(call: Call) -> str:
    return "" if call.actor.scope is None else call.actor.id


def _told(call: Call, row: Row) -> Row:
    upcoming = recurrence.coming(row["cron"], row["timezone"], call.now, _SHOWN) if row["enabled"] else []
    return {**row, "upcoming": upcoming, "schedule": rows.schedule_of(row)}


def preview(call: Call, cron: str, timezone: str) -> list[datetime]:
    """Return when this would start; raises ``BadSchedule``."""
    if wrong := recurrence.complaints_of(cron, timezone, call.now):
        raise BadSchedule(wrong)
    return recurrence.coming(cron, timezone, call.now, _SHOWN)


async def create(call: Call, wanted: Schedule) -> Row:
    """Make a schedule that whoever asks owns; it starts for the first time at its next time."""
    checked, sealed = await _checked(call, wanted, None)
    async with call.transaction() as tx:
        made = await rows.insert_schedule(tx, checked, sealed, call.actor.name, call.now)
        if made is None:
            raise BadSchedule({"name": "Another schedule has this name"})
        await _record(tx, call, "workflows.schedule_created", replace(checked, id=made))
    return await fetch(call, made)


async def change(call: Call, wanted: Schedule) -> Row:
    """Change a schedule; it starts in the name of whoever changed it last."""
    before = await fetch(call, wanted.id)
    checked, sealed = await _checked(call, wanted, before["secrets_sealed"])
    async with call.transaction() as tx:
        if await rows.is_name_taken(tx, checked.name, checked.id):
            raise BadSchedule({"name": "Another schedule has this name"})
        await rows.update_schedule(tx, checked, sealed, call.actor.name, call.now)
        await _record(tx, call, "workflows.schedule_changed", checked)
    return await fetch(call, wanted.id)


async def switch(call: Call, schedule: str, *, enabled: bool) -> Row:
    """Let a schedule start by itself, or pause it; what passes meanwhile is not made up for."""
    found = await fetch(call, schedule)
    async with call.transaction() as tx:
        await rows.switch(tx, schedule, call.now, enabled=enabled)
        await _record(tx, call, f"workflows.schedule_{'resumed' if enabled else 'paused'}", found["schedule"])
    return await fetch(call, schedule)


async def delete(call: Call, schedule: str) -> None:
    """Remove a schedule; what it started goes on."""
    found = await fetch(call, schedule)
    async with call.transaction() as tx:
        await rows.delete_schedule(tx, schedule)
        await _record(tx, call, "workflows.schedule_deleted", found["schedule"])


async def _checked(call: Call, wanted: Schedule, stored: str | None) -> tuple[Schedule, str | None]:
    wrong = recurrence.complaints_of(wanted.cron, wanted.timezone, call.now)
    if not 1 <= len(wanted.name.strip()) <= _NAME_MOST or not wanted.name.isprintable():
        wrong["name"] = f"must have 1 to {_NAME_MOST} characters"
    if not is_uuid(call.actor.id):
        wrong["name"] = "Only people own schedules"
    owned = replace(wanted, owner=call.actor.id)
    if wanted.workflow:
        try:
            found = await service.fetch(call, wanted.workflow)
            if not await service.may_launch(call, found["graph"]):
                wrong["workflow"] = "You may not launch every playbook of this workflow"
        except WorkflowMissing as refused:
            wrong["workflow"] = str(refused)
        secrets: Variables = {}
    else:
        task, secrets, complaints = await ordering.checked(call, wanted.task, ordering.opened(call, stored))
        wrong |= complaints
        owned = replace(owned, task=task)
    if wrong:
        raise BadSchedule(wrong)
    return owned, ordering.sealed(call, secrets)


async def _record(tx: Tx, call: Call, action: str, told: Schedule) -> None:
    detail = {"cron": told.cron, "timezone": told.timezone, "starts": told.workflow or told.task.playbook}
    await audit.record(tx, call, action, Subject("schedule", told.id, told.name), detail)
    tx.after_commit(announce(WorkflowsChanged()))


# ---------------------------------------------------------------- starting


async def start_now(call: Call, schedule: str) -> Row:
    """Start what a schedule starts, beside its times and in the name of whoever asks."""
    row = await fetch(call, schedule)
    async with call.transaction() as tx:
        job, run = await _launch(tx, call, row)
        await rows.insert_start(tx, schedule, call.now, "started", call.now, by_hand=True, job=job, run=run)
        tx.after_commit(announce(WorkflowsChanged()))
    return {"job": job, "run_id": run}


async def start_due(call: Call) -> int:
    """Start what is due, and record what was missed; return how many schedules were dealt with."""
    dealt = 0
    for row in await rows.list_enabled(call.db):
        if next(recurrence.openings(row["cron"], row["timezone"], row["considered_until"]), call.now) <= call.now:
            async with call.transaction() as tx:
                dealt += await _deal_with(tx, call, row["id"])
    return dealt


async def _deal_with(tx: Tx, call: Call, schedule: str) -> bool:
    row = await rows.try_schedule(tx, schedule)
    if row is None:
        return False
    moments = list(
        takewhile(
            lambda moment: moment <= call.now,
            recurrence.openings(row["cron"], row["timezone"], row["considered_until"]),
        )
    )
    begin, missed = rules.due(moments, call.now, row["missed"])
    for due_at in missed[-_MOST_MISSED:]:
        await rows.insert_start(tx, schedule, due_at, "missed", call.now, reason=_NOT_RUNNING)
    if missed:
        tx.after_commit(announce(ScheduleMissed(schedule, row["name"], _NOT_RUNNING)))
    if begin is not None:
        await _start(tx, call, row, begin)
    await rows.move_mark(tx, schedule, call.now)
    tx.after_commit(announce(WorkflowsChanged()))
    return bool(moments)


async def _start(tx: Tx, call: Call, row: Row, due_at: datetime) -> None:
    schedule = str(row["id"])
    try:
        # What the owner may do is looked up again each time.
        theirs = await identity.standing_in(call, str(row["owner_id"]), f"schedule {row['name']}")
        job, run = await _launch(tx, theirs, row)
    except Problem as refused:
        reason = ordering.told(refused)
        await rows.insert_start(tx, schedule, due_at, "refused", call.now, reason=reason)
        tx.after_commit(announce(ScheduleRefused(schedule, row["name"], reason)))
        log.warning("workflows: schedule refused", schedule=schedule, reason=reason)
        return
    await rows.insert_start(tx, schedule, due_at, "started", call.now, job=job, run=run)


async def _launch(tx: Tx, call: Call, row: Row) -> tuple[str | None, str | None]:
    if row["workflow_id"]:
        return None, await service.launch_in(tx, call, str(row["workflow_id"]), f"schedule {row['name']}")
    secrets = ordering.opened(call, row["secrets_sealed"])
    order = ordering.order_of(rows.schedule_of(row).task, secrets, title=str(row["name"]))
    return await automation.launch_in(tx, call, order), None
