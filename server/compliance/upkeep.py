"""Forgetting what no scan needs any more."""

from datetime import datetime, timedelta
from typing import Final

from server.compliance.queries import storage, tasks
from server.core.call import Call

#: A layout that was just made may belong to a report that is being stored.
_FRESH: Final = timedelta(days=1)


async def forget(call: Call, before: datetime) -> None:
    """Forget tasks that ended before a moment, and orders of rules that nothing follows."""
    async with call.transaction() as tx:
        await tasks.delete_old(tx, before)
        await storage.delete_unused(tx, call.now - _FRESH)
