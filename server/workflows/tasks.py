"""Background work of workflows."""

from typing import Final

from server.core.call import Call
from server.core.queue import Task
from server.workflows import advancing, schedules, service


async def tick(call: Call) -> None:
    """Start schedules whose time has come, and let runs go on."""
    await schedules.start_due(call)
    await advancing.advance_all(call)


async def tidy(call: Call) -> None:
    """Forget runs that are kept no longer."""
    await service.forget(call)


TASKS: Final = (
    Task(
        "workflows.tick",
        tick,
        every_seconds=5,
        title="Start schedules",
        about="Starts playbooks and workflows at their times, and lets workflows take their steps.",
    ),
    Task(
        "workflows.tidy",
        tidy,
        every_seconds=24 * 3600,
        title="Tidy up after workflows",
        about="Deletes runs of workflows that are as old as the jobs that are forgotten.",
    ),
)
