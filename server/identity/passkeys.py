"""A person's passkeys: adding, naming and removing them, and asking for one after the password."""

from collections.abc import Sequence
from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.bus import announce
from server.core.call import Call
from server.core.db import IntegrityError
from server.core.ids import is_uuid
from server.identity import ceremonies, codes, queries, two_factor
from server.identity.errors import (
    BadPerson,
    LastWayIn,
    PasskeyKnown,
    PasskeyMissing,
    PasskeyNeeded,
    PersonsOnly,
    TooManyPasskeys,
)
from server.identity.events import TwoFactorDisabled
from server.identity.models import Passkey

_NAME_MOST: Final = 60
_MOST: Final = 20


async def mine(call: Call) -> list[Passkey]:
    """Return the asker's passkeys, the oldest first."""
    return await queries.list_passkeys(call.db, call.actor.id)


async def begin(call: Call, here: str, password: str) -> ceremonies.Begun:
    """Begin adding a passkey for the asker, whose password shows that the screen was not just left open.

    Raises ``WrongPassword``, ``LockedOut``, ``TooManyPasskeys`` or ``PasskeysElsewhere``.
    """
    _demand_person(call)
    await two_factor.demand_password(call, password)
    known = await mine(call)
    if len(known) >= _MOST:
        raise TooManyPasskeys
    place = await ceremonies.site(call, here)
    return await ceremonies.begin_registration(call, place, call.actor.id, call.actor.name, known)


async def add(
    call: Call, here: str, ceremony: str, name: str, credential: dict[str, Any], transports: Sequence[str]
) -> Passkey:
    """Keep the passkey that the browser made; raises ``BadPasskey``, ``BadPerson`` or ``PasskeyKnown``."""
    _demand_person(call)
    name = _named(name)
    place = await ceremonies.site(call, here)
    proved = await ceremonies.end_registration(call, place, call.actor.id, ceremony, credential)
    made = Passkey(
        "",
        proved.credential_id,
        proved.sign_count,
        place.rp_id,
        name,
        sorted({one for one in transports if one.isascii() and len(one) <= 20})[:8],  # noqa: PLR2004 (plausible words)
        proved.is_synced,
        call.now,
        None,
    )
    async with call.transaction() as tx:
        try:
            passkey_id = await queries.insert_passkey(tx, call.actor.id, made, proved.public_key)
        except IntegrityError as error:
            raise PasskeyKnown from error
        await audit.record(tx, call, "identity.passkey_added", _me(call), {"passkey": name})
    return Passkey(passkey_id, *[getattr(made, field) for field in Passkey.__dataclass_fields__ if field != "id"])


async def rename(call: Call, passkey_id: str, name: str) -> None:
    """Give one of the asker's passkeys another name; raises ``PasskeyMissing`` or ``BadPerson``."""
    _demand_person(call)
    name = _named(name)
    async with call.transaction() as tx:
        found = is_uuid(passkey_id)
        before = await queries.rename_passkey(tx, call.actor.id, passkey_id, name) if found else None
        if before is None:
            raise PasskeyMissing
        await audit.record(tx, call, "identity.passkey_renamed", _me(call), {"before": before, "after": name})


async def remove(call: Call, passkey_id: str) -> None:
    """Forget one of the asker's passkeys; with the last one goes the step that asks for it.

    Raises ``PasskeyMissing``, or ``LastWayIn`` when nothing else signs the asker in.
    """
    _demand_person(call)
    async with call.transaction() as tx:
        await queries.lock_person(tx, call.actor.id)
        name = await queries.delete_passkey(tx, call.actor.id, passkey_id) if is_uuid(passkey_id) else None
        if name is None:
            raise PasskeyMissing
        left = await queries.list_passkeys(tx, call.actor.id)
        if not left and not await queries.count_other_ways(tx, call.actor.id):
            raise LastWayIn
        await audit.record(tx, call, "identity.passkey_removed", _me(call), {"passkey": name})
        if not left and await queries.update_passkey_step(tx, call.actor.id, None, call.now, on=False):
            await queries.delete_devices(tx, call.actor.id)
            await audit.record(tx, call, "identity.passkey_step_disabled", _me(call))
            tx.after_commit(announce(_told(call)))


async def demand_after_password(call: Call) -> list[str]:
    """Ask for a passkey after the asker's password from now on; return new backup codes, none where there are some.

    Raises ``PasskeyNeeded`` without a passkey.
    """
    found = await two_factor.status(call)
    if not await mine(call):
        raise PasskeyNeeded
    made, packed = await two_factor.new_codes() if not found.backup_codes else ([], None)
    async with call.transaction() as tx:
        if await queries.update_passkey_step(tx, call.actor.id, packed, call.now, on=True):
            await audit.record(tx, call, "identity.passkey_step_enabled", _me(call))
            return made
    return []


async def stop_asking(call: Call, password: str) -> None:
    """Ask for no passkey after the asker's password any more; raises ``WrongPassword`` or ``LockedOut``."""
    await two_factor.demand_password(call, password)
    async with call.transaction() as tx:
        if await queries.update_passkey_step(tx, call.actor.id, None, call.now, on=False):
            await queries.delete_devices(tx, call.actor.id)
            await audit.record(tx, call, "identity.passkey_step_disabled", _me(call))
            tx.after_commit(announce(_told(call)))


def _named(name: str) -> str:
    name = codes.one_line(name)
    if not 1 <= len(name) <= _NAME_MOST:
        raise BadPerson({"name": f"must have 1 to {_NAME_MOST} characters"})
    return name


def _demand_person(call: Call) -> None:
    if call.actor.kind != "person":
        raise PersonsOnly


def _told(call: Call) -> TwoFactorDisabled:
    return TwoFactorDisabled(call.actor.id, call.actor.name, call.actor.address, call.actor.name)


def _me(call: Call) -> Subject:
    return Subject("user", call.actor.id, call.actor.name)
