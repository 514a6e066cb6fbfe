"""Background work of workflows."""

from typing import Final

from server.core.call import Call
from server.core.queue import Task
from server.workflows import advancing, schedules


async def tick(call: Call) -> None:
    """Start schedules whose time has come, and let runs go on."""
    await schedules.start_due(call)
    await advancing.advance_all(call)


TASKS: Final = (
    Task(
        "workflows.tick",
        tick,
        every_seconds=5,
        title="Start schedules",
        about="Starts playbooks and workflows at their times, and lets workflows take their steps.",
    ),
)
