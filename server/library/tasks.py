"""Background work of the library."""

from typing import Final

from server.core.call import Call
from server.core.queue import Task
from server.library import launching, syncing

#: Automation asks it about playbooks that are not built in.
SHELF: Final = launching.Shelf


async def sync(call: Call, project_id: str) -> None:
    """Fetch, check and publish a project."""
    await syncing.sync(call, project_id)


async def hints(call: Call, project_id: str, digest: str) -> None:
    """Look for what could be better."""
    await syncing.hints(call, project_id, digest)


async def tick(call: Call) -> None:
    """Synchronise what is due."""
    await syncing.tick(call)


TASKS: Final = (
    Task(
        syncing.TASK,
        sync,
        title="Publish a project",
        about="Fetches a project of playbooks from git, checks it, and makes its playbooks launchable.",
    ),
    Task(
        syncing.HINTS,
        hints,
        title="Look over a project",
        about="Asks ansible-lint, where it is installed, what could be better in playbooks without mistakes.",
    ),
    Task(
        "library.tick",
        tick,
        every_seconds=30,
        title="Synchronise projects",
        about="Fetches the projects whose time has come, and does what a lost message left behind.",
    ),
)
