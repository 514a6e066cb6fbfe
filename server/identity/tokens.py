"""Personal API tokens: they act as their owner, with those of the owner's permissions of the moment that they name."""

from datetime import timedelta
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.call import Actor, Call
from server.core.ids import is_uuid, random_hex
from server.identity import permissions, queries, rules
from server.identity.errors import BadPerson, BadToken, PersonsOnly, SessionEnded, TokenMissing
from server.identity.models import ApiToken, Known, NewToken, User
from server.identity.sessions import actor_of

#: Looking at hosts, packages, jobs and reports, changing nothing.
READ: Final = permissions.BUILT_IN["readonly"]
PREFIX: Final = "pmt_"
#: What a new token may be at a click: key, words, permissions (``None``: all of its owner's, now and later).
PRESETS: Final = (
    ("all", "Everything I may do", None),
    ("read", "Read only", READ),
    ("run", "Read, and run jobs (for CI)", READ | {"can_manage_patching", "can_manage_automation"}),
)
_DAYS_MOST: Final = 3650
_NAME_MOST: Final = 100
_SHOWN: Final = 10


def preset(key: str) -> frozenset[str] | None:
    """Return the scopes of a preset; raises ``KeyError`` for a key that is none."""
    return {name: held for name, _, held in PRESETS}[key]


async def create(call: Call, owner: User, wanted: NewToken) -> tuple[ApiToken, str]:
    """Make a token and return it with its secret, which nobody can read again.

    A token cannot make tokens: what leaked for a week must not live for ever.
    """
    _demand_person(call)
    wanted = _checked(wanted)
    secret = PREFIX + random_hex(32)
    expires_at = call.now + timedelta(days=wanted.days) if wanted.days is not None else None
    async with call.transaction() as tx:
        token = await queries.insert_token(
            tx, owner.id, wanted, call.world.box.verifier(secret), secret[:_SHOWN], call.now, expires_at
        )
        detail = {
            "owner": owner.username,
            "expires_at": expires_at.isoformat() if expires_at else None,
            "scopes": token.scopes,
        }
        await audit.record(tx, call, "identity.token_created", _subject(token.id, token.name), detail)
    return token, secret


async def mine(call: Call) -> list[ApiToken]:
    """Return the asker's tokens that were not revoked, newest first."""
    return await queries.list_tokens(call.db, call.actor.id)


async def revoke(call: Call, token_id: str) -> None:
    """Make one of the asker's tokens worthless from its next request on."""
    _demand_person(call)
    async with call.transaction() as tx:
        name = await queries.mark_token_revoked(tx, call.actor.id, token_id, call.now) if is_uuid(token_id) else None
        if name is None:
            raise TokenMissing
        await audit.record(tx, call, "identity.token_revoked", _subject(token_id, name))


async def recognise(call: Call, secret: str) -> Actor:
    """Return whom a token acts for, from one query; its use is noted every few minutes.

    Raises ``BadToken`` or ``SessionEnded``.
    """
    known = _demand_good(call, await queries.find_token(call.db, call.world.box.verifier(secret)))
    if rules.token_use_worth_marking(known.last_active_at, call.now):
        await queries.mark_token_used(call.db, known.id, call.actor.address, call.now)
    return actor_of(known, "token", call.actor.address)


async def again(call: Call) -> Actor:
    """Return whom the token of this call acts for now: for what stays open longer than a request. Raises as above."""
    known = _demand_good(call, await queries.find_token_again(call.db, call.actor.via))
    return actor_of(known, "token", call.actor.address)


def _demand_good(call: Call, known: Known | None) -> Known:
    if known is None or not known.is_active:
        raise BadToken
    if known.expires_at is not None and known.expires_at <= call.now:
        raise SessionEnded
    return known


def _checked(wanted: NewToken) -> NewToken:
    name = wanted.name.strip()
    wrong = {}
    if not 1 <= len(name) <= _NAME_MOST or not name.isprintable():
        wrong["name"] = f"must have 1 to {_NAME_MOST} characters"
    if wanted.days is not None and not 1 <= wanted.days <= _DAYS_MOST:
        wrong["days"] = f"must be 1 to {_DAYS_MOST} days"
    if wanted.scopes is not None and not wanted.scopes:
        wrong["scopes"] = "Choose at least one permission"
    elif unknown := (wanted.scopes or frozenset()) - permissions.KEYS:
        wrong["scopes"] = f"There is no permission {min(unknown)}"
    if wrong:
        raise BadPerson(wrong)
    return NewToken(name, wanted.days, wanted.scopes)


def _demand_person(call: Call) -> None:
    # The command line of the server itself is trusted with everything.
    if call.actor.kind not in {"person", "system"}:
        raise PersonsOnly


def _subject(token_id: str, name: str) -> Subject:
    return Subject("api_token", token_id, name)
