"""A person's second factor: setting it up, proving it, backup codes, switching it off."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from server.audit import service as audit
from server.audit.models import Subject
from server.core import passwords
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx
from server.core.log import get_log
from server.core.secretbox import BadSeal
from server.identity import codes, queries, rules
from server.identity.errors import (
    CodeNotProved,
    LockedOut,
    ManagedElsewhere,
    NoPassword,
    PersonMissing,
    PersonsOnly,
    TwoFactorOff,
    TwoFactorOn,
    WrongPassword,
)
from server.identity.events import TwoFactorDisabled
from server.identity.models import SecondFactor
from server.settings import service as settings

log = get_log(__name__)


@dataclass(frozen=True, slots=True)
class Pending:
    """A secret that waits to be proved: as a picture to scan and as text to type."""

    secret: str
    picture: str

    @property
    def grouped(self) -> str:
        """The secret in groups of four, as it is typed."""
        return " ".join(self.secret[at : at + 4] for at in range(0, len(self.secret), 4))


@dataclass(frozen=True, slots=True)
class Status:
    """Whether a person is asked for a code, and how many backup codes are left."""

    enabled: bool
    backup_codes: int
    has_password: bool
    passkey_step: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """What a code proved: the time step it belongs to, or the hash of the backup code it is."""

    step: int = 0
    backup: str = ""


async def status(call: Call) -> Status:
    """Return how the asker's second factor stands."""
    kept = await _kept(call)
    left = len(codes.unpacked(kept.backup_codes)) if kept.is_asked else 0
    return Status(kept.enabled, left, kept.has_password, kept.passkey_step)


async def begin(call: Call) -> Pending:
    """Make a new secret for the asker; nothing is on until a code proves that their authenticator has it.

    Raises ``ManagedElsewhere`` or ``TwoFactorOn``.
    """
    kept = await _kept(call)
    if not kept.has_password:
        raise ManagedElsewhere
    secret = codes.new_secret()
    async with call.transaction() as tx:
        if not await queries.update_pending_secret(tx, kept.user_id, call.world.box.seal(secret)):
            raise TwoFactorOn
        await audit.record(tx, call, "identity.two_factor_begun", _subject(kept))
    return Pending(secret, codes.picture(secret, kept.username))


async def pending(call: Call) -> Pending:
    """Return the secret that waits to be proved, for showing its page again; raises ``TwoFactorOff``."""
    kept = await _kept(call)
    secret = opened(call, kept)
    if kept.enabled or secret is None:
        raise TwoFactorOff
    return Pending(secret, codes.picture(secret, kept.username))


async def pending_or_new(call: Call) -> Pending:
    """Return the secret that waits to be proved, or a new one; raises ``TwoFactorOn``."""
    try:
        return await pending(call)
    except TwoFactorOff:
        return await begin(call)


async def enable(call: Call, code: str) -> list[str]:
    """Switch the second step on once a code proves the secret; return the backup codes, shown this once.

    Raises ``TwoFactorOn``, ``TwoFactorOff`` or ``CodeNotProved``.
    """
    kept = await _kept(call)
    if kept.enabled:
        raise TwoFactorOn
    secret = opened(call, kept)
    if secret is None or kept.sealed_secret is None:
        raise TwoFactorOff
    step = codes.matching_step(secret, codes.tidy(code), call.now, 0)
    if step is None:
        raise CodeNotProved({"token": CodeNotProved.text})
    made, packed = await new_codes()
    async with call.transaction() as tx:
        if not await queries.enable_second_factor(tx, kept.user_id, kept.sealed_secret, step, packed, call.now):
            raise TwoFactorOn
        # Trust from an earlier time, when recovery by hand switched the second step off, must not come back.
        await queries.delete_devices(tx, kept.user_id)
        await audit.record(tx, call, "identity.two_factor_enabled", _subject(kept))
    return made


async def disable(call: Call, password: str) -> None:
    """Switch the second step off: secret, backup codes and trusted browsers are forgotten.

    A wrong password counts like one at the sign-in. Raises ``NoPassword``, ``WrongPassword`` or ``LockedOut``.
    """
    kept = await _kept(call)
    if not kept.has_password:
        raise NoPassword
    await _demand_password(call, kept, password)
    async with call.transaction() as tx:
        await queries.disable_second_factor(tx, kept.user_id, call.now)
        await queries.delete_devices(tx, kept.user_id)
        await queries.delete_tickets(tx, kept.user_id)
        await audit.record(tx, call, "identity.two_factor_disabled", _subject(kept))
        tx.after_commit(announce(TwoFactorDisabled(kept.user_id, kept.username, call.actor.address, call.actor.name)))


async def replace_backup_codes(call: Call) -> list[str]:
    """Give the asker a new set of backup codes, shown this once; the old set is worth nothing from here on."""
    kept = await _kept(call)
    if not kept.is_asked:
        raise TwoFactorOff
    made, packed = await new_codes()
    async with call.transaction() as tx:
        if not await queries.update_backup_codes(tx, kept.user_id, packed, call.now):
            raise TwoFactorOff
        await audit.record(tx, call, "identity.backup_codes_replaced", _subject(kept))
    return made


async def prove(call: Call, kept: SecondFactor, code: str) -> Proof | None:
    """Return what a code proves: first as a code of the authenticator, then as a backup code."""
    tidy = codes.tidy(code)
    # A secret that waits to be proved proves nothing itself.
    secret = opened(call, kept) if kept.enabled else None
    step = codes.matching_step(secret, tidy, call.now, kept.last_step) if secret else None
    if step is not None:
        return Proof(step=step)
    if codes.is_backup(tidy):
        for stored in codes.unpacked(kept.backup_codes):
            if await passwords.matches(tidy, stored):
                return Proof(backup=stored)
    return None


async def use_up(tx: Tx, kept: SecondFactor, proof: Proof) -> bool:
    """Accept a proof once; false when it was used meanwhile (step)."""
    if proof.backup:
        return await queries.use_backup_code(tx, kept.user_id, proof.backup)
    return await queries.use_step(tx, kept.user_id, proof.step)


def opened(call: Call, kept: SecondFactor) -> str | None:
    """Return the secret, or ``None`` when there is none that can be opened."""
    if not kept.sealed_secret:
        return None
    try:
        return call.world.box.open(kept.sealed_secret)
    except BadSeal:
        # Another key, or edited by hand: backup codes still work.
        log.warning("second_factor_cannot_be_opened", user_id=kept.user_id)
        return None


async def _kept(call: Call) -> SecondFactor:
    if call.actor.kind != "person":
        raise PersonsOnly
    kept = await queries.find_second_factor(call.db, call.actor.id)
    if kept is None:
        raise PersonMissing
    return kept


async def new_codes() -> tuple[list[str], str]:
    """Return a new set of backup codes, and their hashes as the column keeps them."""
    made = codes.new_backup_codes()
    return made, codes.packed(await asyncio.gather(*(passwords.hashed(code) for code in made)))


async def demand_password(call: Call, password: str) -> None:
    """Demand the asker's password, where they have one; a wrong one counts like one at the sign-in.

    Raises ``WrongPassword`` or ``LockedOut``.
    """
    kept = await _kept(call)
    if kept.has_password:
        await _demand_password(call, kept, password)


async def _demand_password(call: Call, kept: SecondFactor, password: str) -> None:
    found = await queries.find_credentials(call.db, kept.username)
    if found is None:
        raise PersonMissing
    if seconds := rules.locked_seconds(found.locked_until, call.now):
        raise LockedOut(seconds)
    if await passwords.matches(password, found.password_hash):
        return
    decided = await settings.effective(call)
    async with call.transaction() as tx:
        locked_until = call.now + timedelta(minutes=decided.lockout_duration_minutes)
        fading_from = call.now - rules.FAILURES_FADE
        await queries.mark_failure(tx, found.id, call.now, fading_from, decided.max_login_attempts, locked_until)
    raise WrongPassword({"password": WrongPassword.text})


def _subject(kept: SecondFactor) -> Subject:
    return Subject("user", kept.user_id, kept.username)
