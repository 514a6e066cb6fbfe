"""Background work of automation."""

from typing import Final

from server.automation import native, progress, relay_runs
from server.core.call import Call
from server.core.queue import Task

SWEEP_SECONDS: Final = 15


async def sweep(call: Call) -> None:
    """Find what a lost bell left behind."""
    await progress.sweep(call)
    await native.sweep(call)
    await relay_runs.sweep(call)


async def tidy(call: Call) -> None:
    """Look after partitions and files."""
    await progress.tidy(call)


TASKS: Final = (
    Task(
        "automation.relay",
        relay_runs.begin,
        title="Begin relayed plays",
        about="Runs plays on this worker for hosts that cannot do so themselves, or when a job asks for it.",
    ),
    Task(
        "automation.sweep",
        sweep,
        every_seconds=SWEEP_SECONDS,
        title="Mend jobs",
        about="Finds hosts of jobs whose agent is gone, and what a lost message left behind.",
    ),
    Task(
        "automation.tidy",
        tidy,
        every_seconds=6 * 3600,
        title="Tidy up after jobs",
        about="Prepares room for new events, and deletes old events, old jobs and files that no job needs.",
    ),
)
