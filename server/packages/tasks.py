"""What the packages room does by the clock."""

from typing import Final

from server.core.call import Call
from server.core.log import get_log
from server.core.queue import Task
from server.packages import counters, history, sources

log = get_log(__name__)


async def prune_changes(call: Call) -> None:
    """Forget old changes of packages."""
    if gone := await history.prune(call):
        log.info("package_changes_pruned", lines=gone)


async def refresh_counts(call: Call) -> None:
    """Count the fleet's packages."""
    await counters.refresh(call)


async def remove_unused_packages(call: Call) -> None:
    """Take out packages that no host has."""
    if gone := await counters.remove_unused(call):
        log.info("unused_packages_removed", packages=gone)


async def remove_unused_repositories(call: Call) -> None:
    """Take out repositories that no host uses."""
    if gone := await sources.remove_unused(call):
        log.info("unused_repositories_removed", repositories=len(gone))


TASKS: Final = (
    Task(
        "packages.prune_changes",
        prune_changes,
        every_seconds=24 * 3600,
        title="Forget old package changes",
        about="Deletes what is kept about installed, changed and removed packages beyond its retention.",
    ),
    Task(
        "packages.refresh_counts",
        refresh_counts,
        every_seconds=120,
        title="Count packages",
        about="Counts on how many hosts each package is installed and outdated, for the lists of large fleets.",
        also="package-stats-refresh",
    ),
    Task(
        "packages.remove_unused_packages",
        remove_unused_packages,
        every_seconds=24 * 3600,
        title="Remove unused packages",
        about="Deletes packages that no host has any more and whose history has run out.",
        also="orphaned-package-cleanup",
    ),
    Task(
        "packages.remove_unused_repositories",
        remove_unused_repositories,
        title="Remove unused repositories",
        about="Deletes repositories that no host uses. Nothing does this by itself: they are kept as inactive.",
        also="orphaned-repo-cleanup",
    ),
)
