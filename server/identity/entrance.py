"""Signing in: the password, then the code where there is a second step, then a session."""

import hashlib
from datetime import timedelta
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core import passwords
from server.core.bus import announce
from server.core.call import Call
from server.core.ids import random_hex
from server.core.log import get_log
from server.core.redis import RedisError, key
from server.identity import devices, queries, rules, sessions, turns, two_factor
from server.identity.errors import CodesLocked, LockedOut, TicketSpent, WrongCode, WrongCredentials
from server.identity.events import AccountLocked, UserSignInFailed
from server.identity.models import Browser, Credentials, SecondFactor, SecondStep, SignedIn, Trust, User
from server.identity.sso import discovery
from server.identity.sso.errors import LocalSignInOff
from server.settings import service as settings
from server.settings.models import Settings

log = get_log(__name__)

_TICKET_PREFIX: Final = "pmc_"
_TICKET_LIFE: Final = timedelta(minutes=10)


async def sign_in(call: Call, name: str, password: str, browser: Browser, trust: str = "") -> SignedIn | SecondStep:
    """Open a session for whoever has this name (or email address) and password, or ask for their code.

    An unknown name, a wrong password and an inactive account are one refusal that takes the same time; a session that
    this browser already had ends. ``trust`` is what a trusted browser keeps. Raises ``WrongCredentials``,
    ``LockedOut``, ``Crowded`` or, while people sign in elsewhere only, ``LocalSignInOff``.
    """
    if await discovery.local_is_closed(call):
        raise LocalSignInOff
    async with turns.turn(call):
        return await _sign_in(Call(call.world, call.actor, request_id=call.request_id), name, password, browser, trust)


async def _sign_in(call: Call, name: str, password: str, browser: Browser, trust: str) -> SignedIn | SecondStep:
    decided = await settings.effective(call)
    found = await queries.find_credentials(call.db, name.strip())
    if found is None:
        await _turn_stranger_away(call, name, password, decided)
        raise WrongCredentials
    if seconds := rules.locked_seconds(found.locked_until, call.now):
        raise LockedOut(seconds)
    if not await passwords.matches(password, found.password_hash) or not found.is_active:
        await _note_failure(call, found, browser, decided)
        raise WrongCredentials
    if found.is_asked and not await devices.is_trusted(call, found.id, trust, browser):
        return SecondStep(found.username, await _new_ticket(call, found.id), found.has_passkeys)
    async with call.transaction() as tx:
        opened = await sessions.enter(tx, call, found.id, browser, decided)
    if opened is None:
        # Others failed often enough while this password was being checked.
        raise LockedOut(decided.lockout_duration_minutes * 60)
    return opened


async def verify(
    call: Call, ticket: str, code: str, browser: Browser, *, remember: bool
) -> tuple[SignedIn, Trust | None]:
    """Open a session for whoever has a ticket and the right code; every attempt uses the ticket up.

    Attempts are counted before the code is looked at. Raises ``TicketSpent``, ``WrongCode`` or ``CodesLocked``.
    """
    decided = await settings.effective(call)
    lock = timedelta(minutes=decided.tfa_lockout_duration_minutes)
    async with call.transaction() as tx:
        user_id = await queries.take_ticket(tx, call.world.box.verifier(ticket), call.now)
        most = decided.max_tfa_attempts
        kept = await queries.claim_attempt(tx, user_id, call.now, most, call.now + lock) if user_id else None
    if user_id is None:
        raise TicketSpent
    if kept is None:
        raise CodesLocked(await _locked_seconds(call, user_id))
    proof = await two_factor.prove(call, kept, code) if kept.is_asked else None
    async with call.transaction() as tx:
        accepted = proof is not None and await two_factor.use_up(tx, kept, proof)
        opened = await sessions.enter(tx, call, kept.user_id, browser, decided) if accepted else None
        trust = await devices.trust(tx, call, opened.user, browser, decided) if opened and remember else None
    if not accepted:
        await _refuse_code(call, kept, browser, decided)
    if opened is None:
        # Deactivated, or locked by wrong passwords from elsewhere, since the first step.
        raise WrongCredentials
    return opened, trust


async def second_step(call: Call, user: User, browser: Browser, trust: str) -> SecondStep | None:
    """Return the second step of somebody whom another service recognised; ``None`` when nothing more is asked."""
    found = await queries.find_credentials(call.db, user.username)
    if found is None or not found.is_asked or await devices.is_trusted(call, found.id, trust, browser):
        return None
    return SecondStep(found.username, await _new_ticket(call, found.id), found.has_passkeys)


async def _new_ticket(call: Call, user_id: str) -> str:
    ticket = _TICKET_PREFIX + random_hex(32)
    async with call.transaction() as tx:
        verifier = call.world.box.verifier(ticket)
        await queries.insert_ticket(tx, verifier, user_id, call.now, call.now + _TICKET_LIFE)
    return ticket


async def _locked_seconds(call: Call, user_id: str) -> int:
    kept = await queries.find_second_factor(call.db, user_id)
    return max(1, rules.locked_seconds(kept.locked_until if kept else None, call.now))


async def _refuse_code(call: Call, kept: SecondFactor, browser: Browser, decided: Settings) -> None:
    remaining = max(0, decided.max_tfa_attempts - kept.failures)
    async with call.transaction() as tx:
        subject = Subject("user", kept.user_id, kept.username)
        await audit.record(tx, call, "identity.code_refused", subject, {"remaining": remaining})
        told = UserSignInFailed(kept.user_id, kept.username, browser.address, browser.user_agent)
        tx.after_commit(announce(told))
    if kept.failures == decided.tfa_suspicious_threshold:
        log.warning("suspicious_codes", user=kept.username, failures=kept.failures, address=call.actor.address)
    if not remaining:
        raise CodesLocked(decided.tfa_lockout_duration_minutes * 60)
    raise WrongCode(remaining, await _new_ticket(call, kept.user_id))


async def _note_failure(call: Call, found: Credentials, browser: Browser, decided: Settings) -> None:
    async with call.transaction() as tx:
        locked = await queries.mark_failure(
            tx,
            found.id,
            call.now,
            call.now - rules.FAILURES_FADE,
            decided.max_login_attempts,
            call.now + timedelta(minutes=decided.lockout_duration_minutes),
        )
        subject = Subject("user", found.id, found.username)
        await audit.record(tx, call, "identity.sign_in_failed", subject, {"locked": locked})
        told = (found.id, found.username, browser.address, browser.user_agent)
        tx.after_commit(announce(UserSignInFailed(*told)))
        if locked:
            tx.after_commit(announce(AccountLocked(*told)))


async def _turn_stranger_away(call: Call, name: str, password: str, decided: Settings) -> None:
    # A name without an account locks like one with an account, else the lock would tell which names exist.
    counter = key("stranger", hashlib.sha256(name.strip().lower().encode()).hexdigest())
    failures, seconds = await _stranger_failures(call, counter)
    if failures >= decided.max_login_attempts:
        raise LockedOut(max(1, seconds))
    await passwords.matches(password, None)
    # What was typed is not recorded: it may well be a password in the wrong field.
    async with call.transaction() as tx:
        await audit.record(tx, call, "identity.sign_in_failed", Subject("user"))
    try:
        failures = await call.world.redis.incr(counter)
        fade = decided.lockout_duration_minutes * 60 if failures >= decided.max_login_attempts else 900
        await call.world.redis.expire(counter, fade)
    except RedisError as error:
        log.warning("stranger_not_counted", reason=str(error))


async def _stranger_failures(call: Call, counter: str) -> tuple[int, int]:
    try:
        return int(await call.world.redis.get(counter) or 0), int(await call.world.redis.ttl(counter))
    except RedisError as error:
        log.warning("stranger_not_counted", reason=str(error))
        return 0, 0
