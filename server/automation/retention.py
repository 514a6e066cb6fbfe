"""How long jobs and what happened in them are kept; what is older goes in pieces that hold nobody up."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Final

from server.automation.queries import retention as rows
from server.core.call import Call
from server.core.db import DatabaseError, is_away
from server.core.log import get_log
from server.settings import service as settings

log = get_log(__name__)

_HANDFUL: Final = 500
_STRAYS: Final = 5000
#: What is left after so many is for the next time.
_MOST_PIECES: Final = 400


async def forget(call: Call) -> None:
    """Delete events and jobs beyond their retention, then archives and result files that nobody needs any more."""
    decided = await settings.effective(call)
    months = events = jobs = 0
    if decided.job_event_retention_days:
        oldest_kept = (call.now - timedelta(days=decided.job_event_retention_days)).date()
        months = await _drop_months(call, oldest_kept)
        events = await _all(lambda: rows.delete_stray_events(call.db, oldest_kept, _STRAYS))
    if days := decided.job_days:
        before = call.now - timedelta(days=days)
        jobs = await _all(lambda: rows.delete_jobs(call.db, before, _HANDFUL))
    projects = await rows.delete_orphaned_projects(call.db)
    blobs = await rows.delete_orphaned_blobs(call.db)
    found = {"months": months, "events": events, "jobs": jobs, "projects": projects, "blobs": blobs}
    log.info("automation_tidied", **{name: count for name, count in found.items() if count})


async def _drop_months(call: Call, oldest_kept: date) -> int:
    dropped = 0
    try:
        while await rows.drop_partition(call.db, oldest_kept):
            dropped += 1
    except DatabaseError as error:
        if is_away(error):
            raise
        # Somebody reads for long: the next time will do.
        log.info("job_events_in_use", reason=str(error).strip())
    return dropped


async def _all(piece: Callable[[], Awaitable[int]]) -> int:
    """Do one piece after the other until there is nothing left."""
    total = 0
    for _ in range(_MOST_PIECES):
        done = await piece()
        if not done:
            break
        total += done
    return total
