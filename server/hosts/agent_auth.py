"""Checking a host's key, whatever form it was stored in."""

import hmac
from typing import Final

from server.core import passwords
from server.core.call import Call
from server.hosts.check_ins import Directory
from server.hosts.errors import CredentialsNeeded, CredentialsWrong
from server.hosts.models import AgentHost
from server.hosts.queries import agents

_BCRYPT: Final = ("$2a$", "$2b$", "$2y$")
_OURS: Final = "hmac-sha256:"
#: Longer than any key ever issued.
_LONGEST: Final = 256


async def authenticate(call: Call, directory: Directory, api_id: str, api_key: str) -> AgentHost:
    """Return the host these credentials belong to.

    One indexed read, shared by those who come at the same moment. Keys imported as bcrypt or plain text verify once and
    are stored as fast verifiers from then on: ten thousand agents coming back at once are an hour of bcrypt and a
    second
    of HMAC.
    """
    if not api_id or not api_key:
        raise CredentialsNeeded
    if len(api_id) > _LONGEST or len(api_key) > _LONGEST or not (api_id + api_key).isascii():
        raise CredentialsWrong
    host = await directory.find(api_id)
    if host is None:
        raise CredentialsWrong
    if host.api_key.startswith(_OURS):
        if not call.world.box.verifies(api_key, host.api_key):
            raise CredentialsWrong
        return host
    if not await _verifies_imported(api_key, host.api_key):
        raise CredentialsWrong
    await agents.upgrade_key(call.db, host.id, old=host.api_key, new=call.world.box.verifier(api_key))
    return host


async def _verifies_imported(api_key: str, stored: str) -> bool:
    if stored.startswith(_BCRYPT):
        return await passwords.matches(api_key, stored)
    return bool(stored) and hmac.compare_digest(api_key.encode(), stored.encode())
