"""Orders under a key: carried out once, however often they arrive, and answered the same each time."""

import json
from dataclasses import asdict, is_dataclass
from datetime import timedelta
from typing import Any, Final

from server.automation.errors import BadKey, KeyTaken
from server.automation.queries import repeats as rows
from server.core.call import Call
from server.core.db import Tx

_KEPT: Final = timedelta(days=7)
_MOST_LETTERS: Final = 200


async def earlier_in(tx: Tx, call: Call, door: str, key: str, order: object) -> Any:
    """Return what an earlier, equal order under this key was answered, or ``None`` for the first one (step).

    The first one says what it answers with ``answered_in`` in the same transaction. Who comes at the same moment waits
    for the first one's commit. Raises ``KeyTaken`` for another order under the key, ``BadKey`` for what is no key.
    """
    if not 1 <= len(key) <= _MOST_LETTERS or not key.isprintable():
        raise BadKey.of({"idempotency_key": f"must be 1 to {_MOST_LETTERS} printable characters"})
    # An order may hold secrets: what is kept of it can only be compared.
    text = json.dumps(order, sort_keys=True, default=_plain)
    fingerprint = call.world.box.verifier(text)
    if await rows.claim(tx, _actor(call), key, door, fingerprint, call.now):
        return None
    found = await rows.find(tx, _actor(call), key)
    if found is None or found["door"] != door or found["fingerprint"] != fingerprint:
        raise KeyTaken
    return found["answer"]


async def answered_in(tx: Tx, call: Call, key: str, answer: object) -> None:
    """Keep what the order under this key is answered (step)."""
    await rows.keep_answer(tx, _actor(call), key, answer)


async def forget(call: Call) -> int:
    """Let go of old keys."""
    return await rows.delete_old(call.db, call.now - _KEPT)


def _actor(call: Call) -> str:
    return f"{call.actor.kind}:{call.actor.id}"


def _plain(value: object) -> object:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
