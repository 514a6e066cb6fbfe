"""Background work of the hosts room."""

from typing import Final

from server.core.call import Call
from server.core.log import get_log
from server.core.queue import Task
from server.hosts import service

log = get_log(__name__)


async def prune_activity(call: Call) -> None:
    """Forget old lines of the hosts' histories."""
    if gone := await service.prune_activity(call):
        log.info("activity_pruned", lines=gone)


TASKS: Final = (
    Task(
        "hosts.prune_activity",
        prune_activity,
        every_seconds=6 * 3600,
        title="Forget old reports",
        about="Deletes lines of the hosts' report histories beyond their retention.",
        also="agent-reports-cleanup",
    ),
)
