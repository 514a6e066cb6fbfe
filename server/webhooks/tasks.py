"""Background work of webhooks."""

from typing import Final

from server.core.call import Call
from server.core.queue import Task
from server.webhooks import service


async def deliver(call: Call) -> None:
    """Tell what happened."""
    await service.work(call)


async def tidy(call: Call) -> None:
    """Forget what was told long ago."""
    await service.forget(call)


TASKS: Final = (
    Task(
        "webhooks.deliver",
        deliver,
        every_seconds=5,
        title="Send webhooks",
        about="Tells other programs what happened to jobs, patch runs, campaigns and workflows, until it arrives.",
    ),
    Task(
        "webhooks.tidy",
        tidy,
        every_seconds=24 * 3600,
        title="Tidy up after webhooks",
        about="Deletes the record of messages that were sent long ago.",
    ),
)
