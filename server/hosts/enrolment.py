"""From a host's credentials to an installed agent: one-time tokens and the files that are handed out."""

from typing import Final

import orjson

from server.core.call import Call
from server.core.ids import random_hex
from server.core.redis import RedisError, key
from server.core.secretbox import BadSeal, Secret
from server.hosts.errors import BootstrapDown, BootstrapTokenNeeded, BootstrapTokenWrong

TOKEN_SECONDS: Final = 300


async def issue_token(call: Call, api_id: str, api_key: Secret[str]) -> str:
    """Return a token that can be exchanged for the credentials once, within five minutes."""
    token = random_hex(32)
    sealed = call.world.box.seal(orjson.dumps([api_id, api_key.reveal()]).decode())
    try:
        await call.world.redis.set(key("bootstrap", token), sealed, ex=TOKEN_SECONDS)
    except RedisError as error:
        raise BootstrapDown from error
    return token


async def exchange(call: Call, token: str) -> tuple[str, Secret[str]]:
    """Return the credentials behind a token and forget the token."""
    if not token:
        raise BootstrapTokenNeeded
    try:
        # Reading and forgetting is one step: of two who come with the same token only one gets anything.
        sealed = await call.world.redis.getdel(key("bootstrap", token[:256]))
    except RedisError as error:
        raise BootstrapDown from error
    if sealed is None:
        raise BootstrapTokenWrong
    try:
        api_id, api_key = orjson.loads(call.world.box.open(str(sealed)))
    except BadSeal as error:
        raise BootstrapTokenWrong from error
    return api_id, Secret(api_key)
