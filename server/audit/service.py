"""Recording who did what, in the same transaction as the deed."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Final

from server.audit import queries, rules
from server.audit.models import Entry, Filter, Mark, Subject
from server.core.call import Call
from server.core.db import Tx
from server.core.paging import Page, Window

NOTHING: Final = Subject("")
#: Pages reach this far back; who looks further narrows the filter or exports.
LISTED_MOST: Final = 10_000
_EXPORT_ROWS: Final = 1000
_PRUNE_ROWS: Final = 5000


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


async def search(call: Call, wanted: Filter, window: Window) -> Page[Entry]:
    """Return a page of the entries that match, newest first; ``total`` is counted up to ``LISTED_MOST``."""
    total = await queries.count_matching(call.db, wanted, LISTED_MOST)
    offset = min(window.offset, LISTED_MOST)
    return Page(await queries.list_matching(call.db, wanted, window.size, offset), total, window)


async def export(call: Call, wanted: Filter) -> AsyncIterator[list[Entry]]:
    """Yield every entry that matches, newest first, in handfuls; nothing stays open between two of them."""
    mark: Mark | None = None
    while handful := await queries.list_before(call.db, wanted, mark, _EXPORT_ROWS):
        yield handful
        mark = Mark(handful[-1].at, handful[-1].id)


async def known_actions(call: Call) -> list[str]:
    """Return the actions that occurred lately, for the filter."""
    return await queries.list_actions(call.db, LISTED_MOST)


async def prune(call: Call, keep_days: int) -> int:
    """Delete entries older than this and return how many those were; the deletion is itself an entry."""
    before, gone = call.now - timedelta(days=keep_days), 0
    while True:
        async with call.transaction() as tx:
            some = await queries.delete_older(tx, before, _PRUNE_ROWS)
        gone += some
        if some < _PRUNE_ROWS:
            break
    if gone:
        async with call.transaction() as tx:
            await record(tx, call, "audit.pruned", NOTHING, {"entries": gone, "older_than_days": keep_days})
    return gone
