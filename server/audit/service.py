"""Recording who did what, in the same transaction as the deed."""

from collections.abc import Mapping

from server.audit import queries, rules
from server.audit.models import Entry, Subject
from server.core.call import Call
from server.core.db import Tx

NOTHING = Subject("")


async def record(
    tx: Tx, call: Call, action: str, subject: Subject = NOTHING, detail: Mapping[str, object] | None = None
) -> None:
    """Record a deed; it is kept exactly when the transaction commits.

    Args:
        tx: the transaction that does the deed.
        call: who does it.
        action: ``room.what_happened``, in the past tense.
        subject: what it is done to.
        detail: facts a reader needs; JSON values, never a secret.
    """
    await queries.insert_entry(tx, call, action, subject, rules.presentable(detail or {}))


async def newest(call: Call, limit: int = 50) -> list[Entry]:
    """Return the newest entries, newest first."""
    return await queries.list_newest(call.db, limit)


async def of_subject(call: Call, subject: Subject, limit: int = 50) -> list[Entry]:
    """Return what happened to one thing, newest first."""
    return await queries.list_of_subject(call.db, subject.kind, subject.id, limit)
