"""Waivers: a rule may fail somewhere, for a reason and until a day, and somebody answers for it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, timedelta
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.compliance import rules, running, service
from server.compliance.errors import (
    BadRequest,
    GroupMissing,
    WaivedAlready,
    WaiverMissing,
    WaiverRevoked,
    WholeFleetWaiver,
)
from server.compliance.events import ComplianceChanged, ComplianceWaiverExpired, ComplianceWaiverExpiring
from server.compliance.models import NewWaiver, Sought, Waiver, WaiverChange, WaiverState
from server.compliance.queries import waivers as rows
from server.core.bus import announce
from server.core.call import Call
from server.core.db import IntegrityError, Tx, violates

STATES: Final[tuple[WaiverState, ...]] = ("active", "expiring", "expired", "revoked")
#: What a waiver and a scan that were stored in the same moment may have missed of each other is counted again so long.
_RECOUNTED: Final = timedelta(minutes=15)


def today(call: Call) -> date:
    """Return the day that waivers are held against."""
    return call.now.astimezone(UTC).date()


async def list_page(call: Call, sought: Sought) -> tuple[list[Waiver], int]:
    """Return one page of waivers and how many match; ``status`` is a state, active takes in expiring."""
    day = today(call)
    soon = day + rules.EXPIRING
    found = await rows.list_waivers(call.db, call.actor.scope, sought, day, soon)
    return found, await rows.count_waivers(call.db, call.actor.scope, sought, day, soon)


async def fetch(call: Call, waiver: str) -> Waiver:
    """Return one waiver; raises ``WaiverMissing``."""
    found = await rows.find_waiver(call.db, call.actor.scope, waiver)
    if found is None:
        raise WaiverMissing
    return found


async def groups(call: Call) -> list[dict[str, str]]:
    """Return the host groups that a waiver may be for."""
    return await rows.list_groups(call.db, call.actor.scope)


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    host_id: int | None = None
    group_id: int | None = None


async def create(call: Call, new: NewWaiver) -> Waiver:
    """Waive a rule somewhere.

    Raises:
        BadRequest: a word or the last day is missing or makes no sense.
        RuleMissing, HostMissing, GroupMissing: nobody has it, or it is not the asker's.
        WholeFleetWaiver: the asker is limited to groups.
        WaivedAlready: the same rule is waived in the same place.
    """
    new = replace(new, reason=new.reason.strip(), owner=new.owner.strip())
    _check(call, WaiverChange(new.reason, new.owner, new.expires_on))
    if new.expires_on is None:
        raise BadRequest.of({"expires_on": "Say until when: a waiver needs a last day, at most two years ahead"})
    rule = await service.known_rule(call, new.rule)
    place = await _place(call, new)
    async with call.transaction() as tx:
        try:
            made = await rows.insert(
                tx, new, rule["key"], place.host_id, place.group_id, call.actor.name or "unknown", call.now
            )
        except IntegrityError as error:
            if violates(error, "compliance_waivers_once"):
                raise WaivedAlready from error
            raise
        await rows.recount(tx, [made])
        detail = {
            "where": place.name, "reason": new.reason, "owner": new.owner, "expires_on": new.expires_on.isoformat(),
        }  # fmt: skip
        await _record(tx, call, "created", made, rule["title"], detail)
        _say(tx)
    return await fetch(call, made)


async def change(call: Call, waiver: str, wanted: WaiverChange) -> Waiver:
    """Change a waiver's words or its last day; what had expired is in force again with a later one.

    Raises ``WaiverMissing``, ``WholeFleetWaiver``, ``WaiverRevoked``, ``WaivedAlready`` or ``BadRequest``.
    """
    wanted = WaiverChange(_stripped(wanted.reason), _stripped(wanted.owner), wanted.expires_on)
    async with call.transaction() as tx:
        one = await _lock(tx, call, waiver)
        if wanted.expires_on == one.expires_on and one.ended_at is None:
            wanted = replace(wanted, expires_on=None)
        _check(call, wanted)
        try:
            await rows.update(tx, one.id, wanted, call.now)
        except IntegrityError as error:
            if violates(error, "compliance_waivers_once"):
                raise WaivedAlready from error
            raise
        await rows.recount(tx, [one.id])
        detail = {
            name: {"before": str(getattr(one, name)), "after": str(value)}
            for name, value in asdict(wanted).items()
            if value is not None and value != getattr(one, name)
        }
        await _record(tx, call, "changed", one.id, one.rule_title, detail)
        _say(tx)
    return await fetch(call, waiver)


async def revoke(call: Call, waiver: str, reason: str) -> Waiver:
    """End a waiver before its day.

    Raises ``WaiverMissing``, ``WholeFleetWaiver``, ``WaiverRevoked`` or ``BadRequest``.
    """
    reason = reason.strip()
    if refused := rules.waiver_complaints(reason=reason or None, owner=None, expires_on=None, today=today(call)):
        raise BadRequest.of(refused)
    if not reason:
        raise BadRequest.of({"reason": "Say why the waiver is revoked"})
    async with call.transaction() as tx:
        one = await _lock(tx, call, waiver)
        await rows.revoke(tx, one.id, call.actor.name or "unknown", reason, call.now)
        await rows.recount(tx, [one.id])
        await _record(tx, call, "revoked", one.id, one.rule_title, {"where": one.place_name, "reason": reason})
        _say(tx)
    return await fetch(call, waiver)


async def _lock(tx: Tx, call: Call, waiver: str) -> Waiver:
    await rows.lock(tx, waiver)
    one = await rows.find_waiver(tx, call.actor.scope, waiver)
    if one is None:
        raise WaiverMissing
    if one.target == "fleet" and call.actor.groups is not None:
        raise WholeFleetWaiver
    if one.revoked_at is not None:
        raise WaiverRevoked
    return one


async def _place(call: Call, new: NewWaiver) -> _Place:
    if new.target == "fleet":
        if call.actor.groups is not None:
            raise WholeFleetWaiver
        return _Place("Whole fleet")
    if new.target == "host":
        host = await running.target(call, new.place)
        return _Place(host.name, host_id=host.id)
    group = await rows.find_group(call.db, call.actor.scope, new.place)
    if group is None:
        raise GroupMissing
    return _Place(group["name"], group_id=group["id"])


def _check(call: Call, told: WaiverChange) -> None:
    found = rules.waiver_complaints(reason=told.reason, owner=told.owner, expires_on=told.expires_on, today=today(call))
    if found:
        raise BadRequest.of(found)


def _stripped(text: str | None) -> str | None:
    return None if text is None else text.strip()


async def _record(tx: Tx, call: Call, deed: str, waiver: str, rule: str, detail: Mapping[str, object]) -> None:
    await audit.record(tx, call, f"compliance.waiver_{deed}", Subject("compliance_waiver", waiver, rule), dict(detail))


def _say(tx: Tx) -> None:
    tx.after_commit(announce(ComplianceChanged()))


# ---------------------------------------------------------------- by the clock


async def keep(call: Call) -> tuple[int, int]:
    """End waivers whose last day is over, and announce those that end soon; return how many of each."""
    day = today(call)
    async with call.transaction() as tx:
        ended = await rows.end_expired(tx, day, call.now)
        told = await rows.note_told(tx, day + rules.ANNOUNCED, call.now)
        if lately := await rows.list_changed(tx, call.now - _RECOUNTED):
            await rows.recount(tx, lately)
        for waiver in told:
            tx.after_commit(announce(ComplianceWaiverExpiring(*await _facts(tx, waiver))))
        for waiver in ended:
            tx.after_commit(announce(ComplianceWaiverExpired(*await _facts(tx, waiver))))
        if ended:
            _say(tx)
    return len(ended), len(told)


async def _facts(tx: Tx, waiver: str) -> tuple[str, str, str, str, str, str]:
    one = await rows.find_waiver(tx, None, waiver)
    assert one is not None
    return one.id, one.rule_id, one.rule_title, one.place_name, one.owner, one.expires_on.isoformat()


__all__ = [
    "STATES",
    "change",
    "create",
    "fetch",
    "groups",
    "keep",
    "list_page",
    "revoke",
    "today",
]
