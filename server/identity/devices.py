"""Browsers a person trusts: their password is enough there."""

from datetime import timedelta
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.call import Call
from server.core.db import Tx
from server.core.ids import is_uuid, random_hex
from server.identity import queries
from server.identity.errors import DeviceMissing, PersonsOnly
from server.identity.models import Browser, Trust, TrustedDevice, User
from server.settings.models import Settings

_PREFIX: Final = "pmd_"
_AGENT_TEXT: Final = 300


async def trust(tx: Tx, call: Call, user: User, browser: Browser, decided: Settings) -> Trust:
    """Trust this browser from now on; one too many drops the oldest (step)."""
    token = _PREFIX + random_hex(32)
    expires_at = call.now + timedelta(days=decided.tfa_remember_days)
    verifier = call.world.box.verifier(token)
    agent = browser.user_agent[:_AGENT_TEXT]
    device_id = await queries.insert_device(tx, user.id, verifier, agent, browser.address, call.now, expires_at)
    await queries.trim_devices(tx, user.id, decided.tfa_max_remember_sessions)
    subject = Subject("user", user.id, user.username)
    await audit.record(tx, call, "identity.device_trusted", subject, {"device_id": device_id})
    return Trust(token, expires_at)


async def is_trusted(call: Call, user_id: str, token: str, browser: Browser) -> bool:
    """Tell whether this person trusts the browser that keeps ``token``, from any address and in any version."""
    if not token:
        return False
    async with call.transaction() as tx:
        verifier = call.world.box.verifier(token)
        return await queries.mark_device_used(tx, user_id, verifier, browser.address, call.now)


async def mine(call: Call, token: str) -> list[TrustedDevice]:
    """Return the browsers the asker trusts; ``token`` is what the asking one keeps."""
    here = call.world.box.verifier(token) if token else ""
    return await queries.list_devices(call.db, call.actor.id, here, call.now)


async def forget(call: Call, device_id: str, token: str) -> bool:
    """Trust one of the asker's browsers no longer; tell whether it is the asking one."""
    _demand_person(call)
    async with call.transaction() as tx:
        verifier = await queries.delete_device(tx, call.actor.id, device_id) if is_uuid(device_id) else None
        if verifier is None:
            raise DeviceMissing
        await audit.record(tx, call, "identity.device_forgotten", _me(call), {"device_id": device_id})
    return bool(token) and call.world.box.verifies(token, verifier)


async def forget_all(call: Call) -> int:
    """Trust none of the asker's browsers any longer; return how many there were."""
    _demand_person(call)
    async with call.transaction() as tx:
        forgotten = await queries.delete_devices(tx, call.actor.id)
        await audit.record(tx, call, "identity.all_devices_forgotten", _me(call), {"forgotten": forgotten})
    return forgotten


def _demand_person(call: Call) -> None:
    if call.actor.kind != "person":
        raise PersonsOnly


def _me(call: Call) -> Subject:
    return Subject("user", call.actor.id, call.actor.name)
