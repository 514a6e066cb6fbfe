"""What the docker room does by the clock."""

from typing import Final

from server.core.call import Call
from server.core.log import get_log
from server.core.queue import Task
from server.docker import deleting, updates

log = get_log(__name__)


async def check_updates(call: Call) -> None:
    """Ask registries whether something newer exists."""
    if answered := await updates.check_due(call):
        log.info("image_updates_checked", references=answered)


async def tidy(call: Call) -> None:
    """Forget images that no host has."""
    images, references = await deleting.tidy(call)
    if images or references:
        log.info("docker_inventory_tidied", images=images, references=references)


TASKS: Final = (
    Task(
        "docker.check_updates",
        check_updates,
        every_seconds=600,
        title="Check for newer images",
        about="Asks registries whether the images of hosts exist in newer builds or versions, each every six hours.",
    ),
    Task(
        "docker.tidy",
        tidy,
        every_seconds=24 * 3600,
        title="Tidy the Docker inventory",
        about="Deletes images that no host has any more, and what registries said of names nobody uses.",
        also="docker-inventory-cleanup",
    ),
)
