"""What the packages room does by the clock."""

from typing import Final

from server.core.call import Call
from server.core.log import get_log
from server.core.queue import Task
from server.packages import history

log = get_log(__name__)


async def prune_changes(call: Call) -> None:
    """Forget old changes of packages."""
    if gone := await history.prune(call):
        log.info("package_changes_pruned", lines=gone)


TASKS: Final = (
    Task(
        "packages.prune_changes",
        prune_changes,
        every_seconds=24 * 3600,
        title="Forget old package changes",
        about="Deletes what is kept about installed, changed and removed packages beyond its retention.",
    ),
)
