"""Making and changing tokens of programs, and enrolling hosts with them.

The tokens reach every host; who is limited to groups of hosts holds none of the permissions to hand them out.
"""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core import passwords
from server.core.call import Call
from server.core.db import DatabaseError
from server.core.errors import Problem
from server.core.ids import is_uuid, random_hex
from server.core.log import get_log
from server.core.secretbox import Secret
from server.hosts import service as hosts
from server.hosts.models import NewHost
from server.integrations import rules
from server.integrations.errors import BadToken, DailyLimit, TokenMissing
from server.integrations.keys import acting, admit, recognise
from server.integrations.models import Change, Enrolled, Keyring, Made, NewToken, NotEnrolled, Stored, Token, Wanted
from server.integrations.queries import tokens
from server.integrations.showing import (
    agent_queue,
    count_packages,
    figures,
    find_host,
    list_hosts,
    list_inventory,
    list_packages,
    list_reports,
)
from server.settings import service as settings

log = get_log(__name__)

KEY_PREFIX: Final = "patchmon_ae_"
_MOST_PER_DAY: Final = 1000


# ------------------------------------------------------------------------------------------------ administration


async def zone(call: Call) -> tzinfo:
    """Return the zone in which the server's days end."""
    return rules.zone((await settings.effective(call)).timezone)


async def make(call: Call, new: NewToken) -> Made:
    """Make a token; the only time its secret is seen. Raises ``BadToken``."""
    rules.demand_name(new.token_name, "Token name is required (max 255 characters)")
    _demand_limit(new.max_hosts_per_day)
    if new.usage == "api" and new.scopes is None:
        raise BadToken.of({"scopes": "At least one scope is required for API tokens"})
    secret = random_hex(32)
    keyring = Keyring(await passwords.hashed(secret), call.world.box.verifier(secret))
    creator = call.actor.id if call.actor.kind in {"person", "token"} else None
    stored = Stored(KEY_PREFIX + random_hex(16), keyring, creator, call.now)
    async with call.transaction() as tx:
        if new.default_host_group_id is not None and not await tokens.group_exists(tx, new.default_host_group_id):
            raise BadToken.of({"default_host_group_id": "Host group not found"})
        token_id = await tokens.insert_token(tx, new, stored)
        made = await tokens.find_token(tx, token_id, rules.today(call.now, await zone(call)))
        assert made is not None
        subject = Subject("integration_token", token_id, new.token_name)
        await audit.record(tx, call, "integrations.token_created", subject, _told(made))
    log.info("integration_token_created", token=token_id, name=new.token_name, usage=new.usage, by=call.actor.name)
    return Made(made, Secret(secret))


async def change(call: Call, token_id: str, wanted: Change) -> Token:
    """Change what is given of a token; hosts it enrolled are left alone."""
    before = await find(call, token_id)
    if "token_name" in wanted.given:
        rules.demand_name(wanted.token_name, "Token name must be between 1 and 255 characters")
    if "max_hosts_per_day" in wanted.given:
        _demand_limit(wanted.max_hosts_per_day)
    if "scopes" in wanted.given and before.usage != "api":
        raise BadToken.of({"scopes": "Scopes can only be updated for API integration tokens"})
    group = wanted.default_host_group_id if "default_host_group_id" in wanted.given else None
    async with call.transaction() as tx:
        if not await tokens.lock_token(tx, token_id):
            raise TokenMissing
        if group is not None and not await tokens.group_exists(tx, group):
            raise BadToken.of({"default_host_group_id": "Host group not found"})
        await tokens.update_token(tx, token_id, wanted, call.now)
        after = await tokens.find_token(tx, token_id, rules.today(call.now, await zone(call)))
        assert after is not None
        subject = Subject("integration_token", token_id, after.token_name)
        detail = {"before": _told(before), "after": _told(after)}
        await audit.record(tx, call, "integrations.token_changed", subject, detail)
    return after


async def remove(call: Call, token_id: str) -> dict[str, str]:
    """Remove a token and return its id and name; hosts it enrolled stay."""
    async with call.transaction() as tx:
        gone = await tokens.delete_token(tx, token_id) if is_uuid(token_id) else None
        if gone is None:
            raise TokenMissing
        subject = Subject("integration_token", gone["id"], gone["token_name"])
        await audit.record(tx, call, "integrations.token_deleted", subject)
    log.info("integration_token_deleted", token=gone["id"], name=gone["token_name"], by=call.actor.name)
    return gone


async def everything(call: Call) -> list[Token]:
    """Return every token, newest first."""
    return await tokens.list_tokens(call.db, rules.today(call.now, await zone(call)))


async def find(call: Call, token_id: str) -> Token:
    """Return one token."""
    day = rules.today(call.now, await zone(call))
    found = await tokens.find_token(call.db, token_id, day) if is_uuid(token_id) else None
    if found is None:
        raise TokenMissing
    return found


def _demand_limit(most: int) -> None:
    if not 1 <= most <= _MOST_PER_DAY:
        raise BadToken.of({"max_hosts_per_day": "Max hosts per day must be between 1 and 1000"})


def _told(token: Token) -> dict[str, object]:
    """Return what the audit log keeps of a token."""
    return {
        "name": token.token_name,
        "usage": token.usage,
        "active": token.is_active,
        "max_hosts_per_day": token.max_hosts_per_day,
        "allowed_ip_ranges": token.allowed_ip_ranges,
        "host_group": token.default_host_group_id,
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
        "scopes": token.scopes,
    }


# ------------------------------------------------------------------------------------------------ enrolment


async def demand_room(call: Call, token: Token, count: int = 1) -> None:
    """Raise ``DailyLimit`` unless the token may still make that many hosts today."""
    quota = rules.quota(token, call.now, await zone(call))
    if quota.left < count:
        text = f"Only {quota.left} hosts remaining in daily quota"
        raise DailyLimit(quota.ends_in_seconds, message=text if count > 1 else _LIMIT)


_LIMIT: Final = "Maximum hosts per day allowed for this token"


async def enrol(call: Call, token: Token, wanted: Wanted) -> Enrolled:
    """Add a host for who holds this token, counted in the same transaction."""
    quota = rules.quota(token, call.now, await zone(call))
    group = token.default_host_group_id
    new = NewHost(
        wanted.friendly_name,
        (group,) if group else (),
        machine_id=wanted.machine_id,
        notes=rules.note_of(token, call.now),
    )
    async with call.transaction() as tx:
        if not await tokens.count_host(tx, token.id, quota.day, call.now):
            raise DailyLimit(quota.ends_in_seconds, message=_LIMIT)
        made = await hosts.add(tx, call, new)
    log.info("host_enrolled", host=made.uuid, name=made.friendly_name, token=token.id)
    found = next(iter(made.groups), None)
    told = {"id": found.id, "name": found.name, "color": found.color} if found is not None else None
    return Enrolled(made.uuid, made.friendly_name, made.api_id, made.api_key, told)


async def enrol_all(
    call: Call, token: Token, wanted: Sequence[Wanted | NotEnrolled]
) -> tuple[list[Enrolled], list[NotEnrolled]]:
    """Add hosts one by one; what is wrong with one stops none of the others."""
    await demand_room(call, token, len(wanted))
    made, failed = [], []
    for one in wanted:
        if isinstance(one, NotEnrolled):
            failed.append(one)
            continue
        try:
            made.append(await enrol(call, token, one))
        except Problem as refused:
            failed.append(NotEnrolled(one.friendly_name, str(refused)))
        except DatabaseError:
            log.exception("host_not_enrolled", token=token.id)
            failed.append(NotEnrolled(one.friendly_name, "Failed to enroll host"))
    return made, failed


__all__ = [
    "acting",
    "admit",
    "agent_queue",
    "change",
    "count_packages",
    "demand_room",
    "enrol",
    "enrol_all",
    "everything",
    "figures",
    "find",
    "find_host",
    "list_hosts",
    "list_inventory",
    "list_packages",
    "list_reports",
    "make",
    "recognise",
    "remove",
    "zone",
]
