"""Signing in with a passkey: alone, or in place of the code after the password."""

import re
from datetime import timedelta
from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.bus import announce
from server.core.call import Call
from server.identity import ceremonies, devices, queries, rules, sessions
from server.identity.ceremonies import Asserted, Begun, Site
from server.identity.errors import BadPasskey, CodesLocked, LockedOut, TicketSpent, WrongPasskey
from server.identity.events import UserSignInFailed
from server.identity.models import Browser, KnownPasskey, SignedIn, Trust
from server.identity.sso import discovery
from server.identity.sso.errors import LocalSignInOff
from server.settings import service as settings

_IDENTIFIER: Final = re.compile(r"^[A-Za-z0-9_-]{1,1400}$", re.ASCII)


async def begin(call: Call, here: str, ticket: str = "") -> Begun:
    """Begin a sign-in by passkey; with the ticket of the first step, only that person's passkeys count.

    Raises ``PasskeysElsewhere`` or ``TicketSpent``.
    """
    place = await ceremonies.site(call, here)
    if not ticket:
        return await ceremonies.begin_assertion(call, place, "", ())
    user_id = await queries.peek_ticket(call.db, call.world.box.verifier(ticket), call.now)
    if user_id is None:
        raise TicketSpent
    return await ceremonies.begin_assertion(call, place, user_id, await queries.list_passkeys(call.db, user_id))


async def enter(call: Call, here: str, ceremony: str, credential: dict[str, Any], browser: Browser) -> SignedIn:
    """Open a session for the owner of a passkey that checked who holds it: the password is not asked for.

    Raises ``WrongPasskey``, whatever the reason, ``LockedOut``, or ``LocalSignInOff`` while people sign in elsewhere
    only.
    """
    if await discovery.local_is_closed(call):
        raise LocalSignInOff
    place = await ceremonies.site(call, here)
    known = await _known(call, credential)
    try:
        challenge = await ceremonies.take_assertion(call, ceremony, "")
        proved = _prove(place, known, challenge, credential, verified=True)
    except BadPasskey as error:
        await _refuse(call, known, browser, "not proved")
        raise WrongPasskey from error
    assert known is not None
    if not known.is_active:
        await _refuse(call, known, browser, "inactive")
        raise WrongPasskey
    if seconds := rules.locked_seconds(known.locked_until, call.now):
        raise LockedOut(seconds)
    decided = await settings.effective(call)
    async with call.transaction() as tx:
        fresh = await queries.mark_passkey_used(tx, known.id, proved.sign_count, call.now)
        opened = await sessions.enter(tx, call, known.user_id, browser, decided, method="passkey") if fresh else None
    if opened is None:
        await _refuse(call, known, browser, "inactive" if fresh else "counter went back")
        raise WrongPasskey
    return opened


async def step(
    call: Call, here: str, ceremony: str, credential: dict[str, Any], ticket: str, browser: Browser, *, remember: bool
) -> tuple[SignedIn, Trust | None]:
    """Open a session for who has a ticket of the first step and one of that person's passkeys.

    Attempts are counted with those at codes, before the answer is looked at, and use the ticket up. Raises
    ``TicketSpent``, ``WrongPasskey`` or ``CodesLocked``.
    """
    place = await ceremonies.site(call, here)
    decided = await settings.effective(call)
    lock = timedelta(minutes=decided.tfa_lockout_duration_minutes)
    async with call.transaction() as tx:
        user_id = await queries.take_ticket(tx, call.world.box.verifier(ticket), call.now)
        most = decided.max_tfa_attempts
        kept = await queries.claim_attempt(tx, user_id, call.now, most, call.now + lock) if user_id else None
    if user_id is None:
        raise TicketSpent
    if kept is None:
        raise CodesLocked(int(lock.total_seconds()))
    known = await _known(call, credential)
    try:
        challenge = await ceremonies.take_assertion(call, ceremony, user_id)
        proved = _prove(place, known, challenge, credential, verified=False, owner=user_id)
    except BadPasskey as error:
        await _refuse(call, known, browser, "not proved")
        raise WrongPasskey from error
    assert known is not None
    async with call.transaction() as tx:
        fresh = await queries.mark_passkey_used(tx, known.id, proved.sign_count, call.now)
        opened = await sessions.enter(tx, call, user_id, browser, decided) if fresh else None
        if opened:
            await queries.forget_attempts(tx, user_id)
        trust = await devices.trust(tx, call, opened.user, browser, decided) if opened and remember else None
    if opened is None:
        await _refuse(call, known, browser, "inactive" if fresh else "counter went back")
        raise WrongPasskey
    return opened, trust


async def _known(call: Call, credential: dict[str, Any]) -> KnownPasskey | None:
    identifier = credential.get("id")
    fine = isinstance(identifier, str) and _IDENTIFIER.match(identifier)
    return await queries.find_passkey(call.db, str(identifier)) if fine else None


def _prove(
    place: Site,
    known: KnownPasskey | None,
    challenge: bytes,
    credential: dict[str, Any],
    *,
    verified: bool,
    owner: str = "",
) -> Asserted:
    claimed = ceremonies.handle_of(credential)
    if known is None or known.rp_id != place.rp_id or claimed not in {None, known.user_id}:
        raise BadPasskey
    if owner and owner != known.user_id:
        raise BadPasskey
    return ceremonies.asserted(place, challenge, credential, known.public_key, verified=verified)


async def _refuse(call: Call, known: KnownPasskey | None, browser: Browser, reason: str) -> None:
    subject = Subject("user", known.user_id, known.username) if known else Subject("user")
    async with call.transaction() as tx:
        await audit.record(tx, call, "identity.passkey_refused", subject, {"reason": reason})
        if known:
            told = UserSignInFailed(known.user_id, known.username, browser.address, browser.user_agent, "passkey")
            tx.after_commit(announce(told))
