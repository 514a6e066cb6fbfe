"""Background work of campaigns."""

from typing import Final

from server.campaigns import advancing, windows
from server.core.call import Call
from server.core.log import get_log
from server.core.queue import Task

log = get_log(__name__)


async def tick(call: Call) -> None:
    """Open windows whose time has come, and let campaigns go on."""
    if opened := await windows.open_due(call):
        log.info("campaigns: openings dealt with", openings=opened)
    await advancing.advance_all(call)


TASKS: Final = (
    Task(
        "campaigns.tick",
        tick,
        every_seconds=5,
        title="Open maintenance windows",
        about="Starts what is due in maintenance windows, announces what comes, and lets campaigns take their waves.",
    ),
)
