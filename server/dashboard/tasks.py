"""Background work of the dashboard."""

from typing import Final

from server.core.call import Call
from server.core.log import get_log
from server.core.queue import Task
from server.dashboard import board

log = get_log(__name__)


async def sample(call: Call) -> None:
    """Keep what the fleet looks like now."""
    if gone := await board.sample(call):
        log.info("samples_pruned", samples=gone)


TASKS: Final = (
    Task(
        "dashboard.sample_fleet",
        sample,
        every_seconds=1800,
        title="Count the fleet",
        about="Keeps the numbers of hosts and outdated packages for the charts; forgets those older than two years.",
        also="system-statistics",
    ),
)
