"""Statements about what was asked for under a key."""

from datetime import datetime
from typing import Any

from server.core.db import Database, Tx, as_json


async def claim(tx: Tx, actor: str, key: str, door: str, fingerprint: str, now: datetime) -> bool:
    """Take a key; False when it is taken. Waits for whoever is about to take the same one."""
    return bool(
        await tx.value(
            """
            insert into repeats (actor, key, door, fingerprint, created_at)
            values (%(actor)s, %(key)s, %(door)s, %(fingerprint)s, %(now)s)
                on conflict (actor, key) do nothing
            returning true
            """,
            actor=actor,
            key=key,
            door=door,
            fingerprint=fingerprint,
            now=now,
        )
    )


async def find(tx: Tx, actor: str, key: str) -> dict[str, Any] | None:
    """Return what was asked for under a key (``door``, ``fingerprint``), and its ``answer``."""
    return await tx.one(
        "select door, fingerprint, answer from repeats where actor = %(actor)s and key = %(key)s",
        actor=actor,
        key=key,
    )


async def keep_answer(tx: Tx, actor: str, key: str, answer: object) -> None:
    """Write what the next one with this key is answered."""
    await tx.execute(
        "update repeats set answer = %(answer)s::jsonb where actor = %(actor)s and key = %(key)s",
        answer=as_json(answer),
        actor=actor,
        key=key,
    )


async def delete_old(db: Database, before: datetime) -> int:
    """Forget keys that were taken before this moment."""
    return await db.execute("delete from repeats where created_at < %(before)s", before=before)
