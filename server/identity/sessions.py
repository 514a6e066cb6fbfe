"""Sessions: a signed token names one, and the row decides, so ending it takes effect at its next request."""

from datetime import datetime, timedelta
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.bus import announce
from server.core.call import Actor, Call
from server.core.db import Tx
from server.core.ids import is_uuid
from server.core.log import get_log
from server.identity import access, permissions, queries, reach, rules
from server.identity.errors import (
    BadToken,
    PersonsOnly,
    SessionEnded,
    SessionIdle,
    SessionMissing,
)
from server.identity.events import UserSignedIn
from server.identity.models import Browser, Known, Method, Session, SignedIn, SignedOut, User
from server.settings.models import Settings

log = get_log(__name__)

_AGENT_TEXT: Final = 300
#: Tabs that renew at the same moment are one person; later than this an old refresh token was copied.
_SAME_MOMENT: Final = timedelta(seconds=30)


async def open_session(
    tx: Tx,
    call: Call,
    user: User,
    browser: Browser,
    decided: Settings,
    *,
    method: Method = "local",
    id_token: str = "",
) -> SignedIn:
    """Open a session for a person who was just recognised (step).

    Args:
        tx: the transaction that decides it.
        call: who asks; a session always gets a name of its own, whatever the browser had before.
        user: the person.
        browser: where from.
        decided: the settings in force.
        method: how the person proved who they are.
        id_token: what the provider said, kept sealed; signing out there needs it.
    """
    life = timedelta(seconds=call.world.env.session_seconds) or timedelta(days=decided.session_days)
    ends_at = access.when(call.now + life)
    session_id = await queries.insert_session(
        tx,
        user.id,
        Browser(browser.address, browser.user_agent[:_AGENT_TEXT]),
        method,
        call.world.box.seal(id_token) if id_token else None,
        call.now,
        ends_at,
    )
    return _signed_in(call, user, access.Claims(session_id, user.id), ends_at)


async def enter(
    tx: Tx,
    call: Call,
    user_id: str,
    browser: Browser,
    decided: Settings,
    *,
    method: Method = "local",
    id_token: str = "",
) -> SignedIn | None:
    """Let in who proved to be this person, by whichever method: the one end of every way to sign in (step).

    A session that this browser already had ends. ``None`` when the account is inactive or locked by now.
    """
    user = await queries.mark_signed_in(tx, user_id, call.now)
    if user is None:
        return None
    if call.actor.kind == "person":
        await queries.delete_session(tx, call.actor.id, call.actor.via)
    opened = await open_session(tx, call, user, browser, decided, method=method, id_token=id_token)
    address = browser.address or call.actor.address
    # The person did it, so that whoever looks for what this person did finds it.
    themselves = Actor("person", user.id, user.username, user.role, via=opened.session_id, address=address)
    subject = Subject("user", user.id, user.username)
    agent = browser.user_agent[:_AGENT_TEXT]
    detail = {"address": address, "method": method, "user_agent": agent}
    await audit.record(tx, call.acting_as(themselves), "identity.signed_in", subject, detail)
    tx.after_commit(announce(UserSignedIn(user.id, user.username, address, agent, method)))
    return opened


async def recognise(call: Call, token: str, *, active: bool) -> Actor:
    """Return the person behind an access token, from one query; ``active`` keeps the session from falling idle.

    Raises ``BadToken``, ``AccessExpired``, ``SessionEnded`` or ``SessionIdle``.
    """
    claims = access.read(call, "access", token)
    known = _demand_alive(call, claims, await queries.find_session(call.db, claims.session_id))
    await _mark(call, known, active=active)
    return actor_of(known, "person", call.actor.address)


async def again(call: Call) -> Actor:
    """Return the person of this call as they are now: for what stays open longer than a request. Raises as above."""
    claims = access.Claims(call.actor.via, call.actor.id)
    known = _demand_alive(call, claims, await queries.find_session(call.db, claims.session_id))
    return actor_of(known, "person", call.actor.address)


def actor_of(known: Known, kind: str, address: str) -> Actor:
    """Return the actor that a session or a token stands for: of a token's scopes those that its owner holds."""
    held = permissions.held(known.role, known.permissions)
    given = held if held is None or known.scopes is None else held & frozenset(known.scopes)
    groups = reach.of(known.role, known.role_groups, known.user_groups)
    return Actor(
        "token" if kind == "token" else "person",
        id=known.user_id,
        name=known.username,
        # No role: the person's role is gone, and the gate refuses everything that needs a permission.
        role=known.role if held is not None else "",
        permissions=reach.remaining(given or frozenset(), groups),
        via=known.id,
        via_name=known.name,
        partial=given != held,
        address=address,
        groups=groups,
        has_second_factor=known.has_second_factor,
        factor_asked_at=known.factor_asked_at,
        theme=known.theme,
    )


async def renew(call: Call, refresh_token: str, *, active: bool) -> tuple[SignedIn, Actor]:
    """Give a living session new tokens, and return them with who it is; what ended or fell idle is not revived.

    A refresh token is good once. Who comes with the same one at the same moment gets the tokens of the one who was
    first; who comes with it later holds a copy, and the session ends for both. Raises as ``recognise``.
    """
    claims = access.read(call, "refresh", refresh_token)
    known = _demand_alive(call, claims, await queries.find_session(call.db, claims.session_id))
    async with call.transaction() as tx:
        generation = await _next_generation(tx, call, claims)
        user = await queries.find_user(tx, known.user_id)
        if generation is None and await queries.delete_session(tx, known.user_id, known.id):
            await audit.record(tx, call, "identity.refresh_replayed", _subject(known), {"session_id": known.id})
    if generation is None:
        log.warning("refresh_token_replayed", user_id=known.user_id, address=call.actor.address)
        raise BadToken
    if user is None or known.expires_at is None:
        raise BadToken
    await _mark(call, known, active=active)
    opened = _signed_in(call, user, access.Claims(known.id, user.id, generation), known.expires_at)
    return opened, actor_of(known, "person", call.actor.address)


async def _next_generation(tx: Tx, call: Call, claims: access.Claims) -> int | None:
    if made := await queries.next_generation(tx, claims.session_id, claims.generation, call.now):
        return made
    newest = await queries.find_generation(tx, claims.session_id, call.now - _SAME_MOMENT)
    if newest is None:
        raise BadToken
    generation, fresh = newest
    return generation if fresh and claims.generation == generation - 1 else None


def _signed_in(call: Call, user: User, claims: access.Claims, ends_at: datetime) -> SignedIn:
    expires_at = min(access.when(call.now + timedelta(seconds=call.world.env.access_seconds)), ends_at)
    return SignedIn(
        user=user,
        session_id=claims.session_id,
        token=access.issue(call, "access", claims, user.role, expires_at),
        refresh_token=access.issue(call, "refresh", claims, user.role, ends_at),
        expires_at=expires_at,
        ends_at=ends_at,
    )


async def sign_out(call: Call) -> SignedOut:
    """End the session of this request; the answer says where else one may have to sign out."""
    _demand_person(call)
    async with call.transaction() as tx:
        found = await queries.find_sign_in(tx, call.actor.via)
        if await queries.delete_session(tx, call.actor.id, call.actor.via):
            await audit.record(tx, call, "identity.signed_out", _me(call))
    if found is None:
        return SignedOut()
    method, sealed = found
    return SignedOut(method, call.world.box.open(sealed) if sealed else "")


async def mine(call: Call) -> list[Session]:
    """Return the asker's living sessions, the most recently used first."""
    _demand_person(call)
    active_since = call.now - timedelta(minutes=call.world.env.session_idle_minutes)
    return await queries.list_sessions(call.db, call.actor.id, call.now, active_since)


async def end(call: Call, session_id: str) -> None:
    """End one of the asker's sessions; its next request is refused."""
    _demand_person(call)
    async with call.transaction() as tx:
        if not is_uuid(session_id) or not await queries.delete_session(tx, call.actor.id, session_id):
            raise SessionMissing
        await audit.record(tx, call, "identity.session_ended", _me(call), {"session_id": session_id})


async def end_others(call: Call) -> int:
    """End all of the asker's sessions but the one that asks; return how many."""
    _demand_person(call)
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


async def _mark(call: Call, known: Known, *, active: bool) -> None:
    idle_minutes = call.world.env.session_idle_minutes
    if active and known.last_active_at and rules.worth_marking(known.last_active_at, call.now, idle_minutes):
        await queries.mark_activity(call.db, known.id, call.now)


def _demand_alive(call: Call, claims: access.Claims, known: Known | None) -> Known:
    if known is None or not known.is_active or known.user_id != claims.user_id:
        raise BadToken
    if known.expires_at is not None and known.expires_at <= call.now:
        raise SessionEnded
    if known.last_active_at is not None and rules.is_idle(
        known.last_active_at, call.now, call.world.env.session_idle_minutes
    ):
        raise SessionIdle
    return known


def _demand_person(call: Call) -> None:
    if call.actor.kind != "person":
        raise PersonsOnly


def _me(call: Call) -> Subject:
    return Subject("user", call.actor.id, call.actor.name)


def _subject(known: Known) -> Subject:
    return Subject("user", known.user_id, known.username)
