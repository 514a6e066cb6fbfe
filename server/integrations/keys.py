"""Who a program is: the two orders in which a token's key, secret, state and address are looked at."""

from typing import Final

from server.core import passwords
from server.core.call import Actor, Call
from server.core.log import get_log
from server.integrations import errors, rules
from server.integrations.models import READERS, Caller, Token
from server.integrations.queries import tokens
from server.settings import service as settings

log = get_log(__name__)

#: Longer than any key or secret ever issued.
_LONGEST: Final = 256


async def admit(call: Call, caller: Caller, *, from_address: bool = True) -> Token:
    """Return the token of who wants to enrol hosts; ``from_address`` also holds against its addresses."""
    token = await _find(call, caller.key)
    if token is None or not token.is_active:
        raise errors.TokenUnusable
    if not await _is_secret(call, token, caller):
        raise errors.WrongSecret
    if rules.is_over(token.expires_at, call.now):
        raise errors.TokenExpired
    if from_address and not rules.address_allowed(caller.address, token.allowed_ip_ranges):
        log.warning("integration_address_refused", token=token.id, address=caller.address)
        raise errors.WrongAddress
    if token.usage in READERS:
        raise errors.WrongTokenType
    return token


async def recognise(call: Call, caller: Caller, usage: str) -> Token:
    """Return the token of who asks the scoped API or wants a dashboard's card, and note its use."""
    token = await _find(call, caller.key)
    if token is None:
        raise errors.UnknownKey
    if not token.is_active:
        raise errors.KeyDisabled
    if rules.is_over(token.expires_at, call.now):
        raise errors.KeyExpired
    if token.usage != usage:
        raise errors.WrongKeyType
    if not await _is_secret(call, token, caller):
        raise errors.WrongKeySecret
    if not rules.address_allowed(caller.address, token.allowed_ip_ranges):
        log.warning("integration_address_refused", token=token.id, address=caller.address)
        raise errors.AddressRefused
    await tokens.mark_used(call.db, token.id, call.now)
    return token


def acting(call: Call, token: Token, address: str) -> Call:
    """Return the call as one of this token, which sees the whole fleet."""
    return call.acting_as(Actor("token", id=token.id, name=token.token_name, via=token.id, address=address))


async def _find(call: Call, key: str) -> Token | None:
    if not key or len(key) > _LONGEST or not key.isascii() or not key.isprintable():
        return None
    where = rules.zone((await settings.effective(call)).timezone)
    return await tokens.find_by_key(call.db, key, rules.today(call.now, where))


async def _is_secret(call: Call, token: Token, caller: Caller) -> bool:
    secret = caller.secret.reveal()
    if not secret or len(secret) > _LONGEST or not secret.isascii():
        return False
    stored = await tokens.fetch_keyring(call.db, token.id)
    if stored is None:
        return False
    if stored.verifier is not None:
        # As quick for a wrong secret as for the right one: guessing costs the server next to nothing.
        return call.world.box.verifies(secret, stored.verifier)
    if not await passwords.matches(secret, stored.secret):
        return False
    await tokens.store_verifier(call.db, token.id, call.world.box.verifier(secret))
    return True
