"""Background work of patching."""

from typing import Final

from server.core.call import Call
from server.core.log import get_log
from server.core.queue import Task
from server.patching import freshness, native, projection, schedule

log = get_log(__name__)


async def release(call: Call) -> None:
    """Begin the runs whose time has come."""
    if released := await schedule.release_due(call):
        log.info("patching: due runs released", runs=released)


async def sweep(call: Call) -> None:
    """Find what a lost bell left behind."""
    await projection.sweep(call)
    if silent := await native.give_up_silent(call):
        log.info("patching: silent runs given up", runs=silent)


async def look_at_freshness(call: Call) -> None:
    """Announce hosts that have not been patched for too long."""
    stale, fresh = await freshness.look(call)
    if stale or fresh:
        log.info("patching: freshness announced", stale=stale, fresh=fresh)


TASKS: Final = (
    Task(
        "patching.release",
        release,
        every_seconds=5,
        title="Begin scheduled patch runs",
        about="Hands patch runs to their hosts when their time has come; late ones as soon as the server is back.",
    ),
    Task(
        "patching.sweep",
        sweep,
        every_seconds=15,
        title="Follow patch runs",
        about="Moves patch runs whose hosts said something that a lost message did not bring.",
    ),
    Task(
        "patching.freshness",
        look_at_freshness,
        every_seconds=3600,
        title="Look how freshly hosts are patched",
        about="Announces, once, hosts that were not patched for longer than PATCH_STALE_DAYS, and those fresh again.",
    ),
)
