"""Signing in and out: sessions are rows, so ending one takes effect at its next request."""

from datetime import timedelta
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.call import Actor, Call
from server.core.db import Tx
from server.core.ids import is_uuid, random_hex
from server.core.log import get_log
from server.identity import permissions, queries, reach, rules
from server.identity.errors import (
    BadToken,
    PersonsOnly,
    SessionEnded,
    SessionIdle,
    SessionMissing,
)
from server.identity.models import Browser, Known, Session, SignedIn, User
from server.settings.models import Settings

log = get_log(__name__)

_PREFIX: Final = "pms_"
_AGENT_TEXT: Final = 300


async def open_session(tx: Tx, call: Call, user: User, browser: Browser, decided: Settings) -> SignedIn:
    """Open a session with new secrets for a person who was just recognised (step)."""
    token, refresh_token = _PREFIX + random_hex(32), _PREFIX + random_hex(32)
    expires_at = call.now + timedelta(days=decided.session_days)
    session_id = await queries.insert_session(
        tx,
        user.id,
        call.world.box.verifier(token),
        call.world.box.verifier(refresh_token),
        browser.address,
        browser.user_agent[:_AGENT_TEXT],
        call.now,
        expires_at,
    )
    return SignedIn(user, session_id, token, refresh_token, expires_at)


async def recognise(call: Call, token: str, *, active: bool) -> Actor:
    """Return the person behind a session's token, from one query; ``active`` keeps the session from falling idle.

    Raises ``BadToken``, ``SessionEnded`` or ``SessionIdle``.
    """
    known = await queries.find_session(call.db, call.world.box.verifier(token))
    idle_minutes = call.world.env.session_idle_minutes
    last_active_at = _demand_alive(call, known, idle_minutes).last_active_at
    assert known is not None
    assert last_active_at is not None
    if active and rules.worth_marking(last_active_at, call.now, idle_minutes):
        await queries.mark_activity(call.db, known.id, call.now)
    return actor_of(known, "person", call.actor.address)


def actor_of(known: Known, kind: str, address: str) -> Actor:
    """Return the actor that a session or a token stands for."""
    held = permissions.held(known.role, known.permissions)
    return Actor(
        "token" if kind == "token" else "person",
        id=known.user_id,
        name=known.username,
        # No role: the person's role is gone, and the gate refuses everything that needs a permission.
        role=known.role if held is not None else "",
        permissions=held or frozenset(),
        via=known.id,
        address=address,
        groups=reach.of(known.role, known.role_groups, known.user_groups),
    )


async def refresh(call: Call, refresh_token: str) -> SignedIn:
    """Give a living session a new token; a session that ended or fell idle is not revived."""
    verifier = await queries.find_refreshable(call.db, call.world.box.verifier(refresh_token))
    found = await queries.find_session(call.db, verifier) if verifier else None
    known = _demand_alive(call, found, call.world.env.session_idle_minutes)
    user = await queries.find_user(call.db, known.user_id)
    if user is None or known.expires_at is None:
        raise BadToken
    token = _PREFIX + random_hex(32)
    async with call.transaction() as tx:
        await queries.replace_session_token(tx, known.id, call.world.box.verifier(token))
    return SignedIn(user, known.id, token, refresh_token, known.expires_at)


async def sign_out(call: Call) -> None:
    """End the session of this request."""
    if call.actor.kind != "person":
        raise PersonsOnly
    async with call.transaction() as tx:
        if await queries.delete_session(tx, call.actor.id, call.actor.via):
            await audit.record(tx, call, "identity.signed_out", _me(call))


async def mine(call: Call) -> list[Session]:
    """Return the asker's living sessions, the most recently used first."""
    active_since = call.now - timedelta(minutes=call.world.env.session_idle_minutes)
    return await queries.list_sessions(call.db, call.actor.id, call.now, active_since)


async def end(call: Call, session_id: str) -> None:
    """End one of the asker's sessions; its next request is refused."""
    async with call.transaction() as tx:
        if not is_uuid(session_id) or not await queries.delete_session(tx, call.actor.id, session_id):
            raise SessionMissing
        await audit.record(tx, call, "identity.session_ended", _me(call), {"session_id": session_id})


async def end_others(call: Call) -> int:
    """End all of the asker's sessions but the one that asks; return how many."""
    async with call.transaction() as tx:
        ended = await queries.delete_other_sessions(tx, call.actor.id, call.actor.via)
        if ended:
            await audit.record(tx, call, "identity.other_sessions_ended", _me(call), {"ended": ended})
    return ended


async def sweep(call: Call) -> None:
    """Forget sessions that ended or fell idle more than a day ago (until then their refusal can say why), and more."""
    inactive_since = call.now - timedelta(days=1, minutes=call.world.env.session_idle_minutes)
    async with call.transaction() as tx:
        forgotten = await queries.delete_old_sessions(tx, call.now - timedelta(days=1), inactive_since)
        await queries.delete_old_tickets(tx, call.now)
        await queries.delete_old_devices(tx, call.now)
    log.debug("sessions_forgotten", sessions=forgotten)


def _demand_alive(call: Call, known: Known | None, idle_minutes: int) -> Known:
    if known is None or not known.is_active:
        raise BadToken
    if known.expires_at is not None and known.expires_at <= call.now:
        raise SessionEnded
    if known.last_active_at is not None and rules.is_idle(known.last_active_at, call.now, idle_minutes):
        raise SessionIdle
    return known


def _me(call: Call) -> Subject:
    return Subject("user", call.actor.id, call.actor.name)
