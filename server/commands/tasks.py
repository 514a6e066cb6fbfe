"""Background work of the commands room."""

from typing import Final

from server.commands import service
from server.core.call import Call
from server.core.log import get_log
from server.core.queue import Task

log = get_log(__name__)


async def settle(call: Call) -> None:
    """Find out how commands went that nobody looks at."""
    if closed := await service.settle(call):
        log.info("commands_settled", commands=closed)


TASKS: Final = (
    Task(
        "commands.settle",
        settle,
        every_seconds=60,
        title="Close agents' commands",
        about="Marks what agents were asked as done or failed, and forgets what is older than a month.",
    ),
)
