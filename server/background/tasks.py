"""What looks after the record of background work."""

from typing import Final

from server.background import service
from server.core.call import Call
from server.core.log import get_log
from server.core.queue import Task

log = get_log(__name__)


async def tidy_runs(call: Call) -> None:
    """Close what nobody works on any more, and forget what is old."""
    if gone := await service.tidy(call):
        log.info("task_runs_pruned", runs=gone)


TASKS: Final = (
    Task(
        "background.tidy_runs",
        tidy_runs,
        every_seconds=600,
        title="Tidy up background jobs",
        about="Closes runs whose worker died and forgets those older than a week.",
    ),
)
