"""Background work of the channel."""

from typing import Final

from server.channel import service
from server.core.call import Call
from server.core.log import get_log
from server.core.queue import Task

log = get_log(__name__)


async def reconcile(call: Call) -> None:
    """Find links that ended without a farewell."""
    if vanished := await service.reconcile(call):
        log.info("links_vanished", hosts=vanished)


TASKS: Final = (
    Task(
        "channel.reconcile",
        reconcile,
        every_seconds=60,
        title="Look for lost links",
        about="Finds agents whose link ended without a farewell and shows them offline.",
        also="host-status-monitor",
    ),
)
