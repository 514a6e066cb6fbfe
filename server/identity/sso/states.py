"""Ways to another service that somebody set out on: kept in Redis, found again by one browser, once."""

import hashlib
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Final

import orjson

from server.core.call import Call
from server.core.ids import random_hex
from server.core.log import get_log
from server.core.redis import RedisError, key
from server.identity.sso.errors import SignOnExpired, SignOnNotReady
from server.identity.sso.models import Service, Started

log = get_log(__name__)

_BYTES: Final = 32


async def begin(call: Call, service: Service, started: Started, life_seconds: int) -> tuple[str, str]:
    """Remember a way; return what the browser keeps and what the service gives back."""
    handle, state = random_hex(_BYTES), random_hex(_BYTES)
    sealed = call.world.box.seal(orjson.dumps(asdict(started)).decode())
    try:
        await call.world.redis.set(_name(service, handle, state), sealed, ex=life_seconds)
    except RedisError as error:
        log.warning("OIDC sign-in cannot begin: redis is away", reason=str(error))
        raise SignOnNotReady from error
    return handle, state


async def take(call: Call, service: Service, handle: str, state: str, life_seconds: int) -> Started:
    """Return a way that ends now, once; raises ``SignOnExpired``.

    It is found by both halves together: whoever has one of them only, opens nothing and ends nothing.
    """
    if not handle or not state:
        raise SignOnExpired
    try:
        sealed = await call.world.redis.getdel(_name(service, handle, state))
    except RedisError as error:
        log.warning("OIDC sign-in cannot end: redis is away", reason=str(error))
        raise SignOnNotReady from error
    if sealed is None:
        raise SignOnExpired
    fields = orjson.loads(call.world.box.open(str(sealed)))
    started = replace(Started(**fields), started_at=datetime.fromisoformat(fields["started_at"]))
    if call.now - started.started_at > timedelta(seconds=life_seconds):
        raise SignOnExpired
    return started


def _name(service: Service, handle: str, state: str) -> str:
    text = f"{handle}.{state}".encode(errors="surrogatepass")
    return key("sign-on", service, hashlib.sha256(text).hexdigest())
