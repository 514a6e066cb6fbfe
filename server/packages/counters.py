"""The fleet's packages counted ahead of time, and taking out what no host has any more."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from server.audit import service as audit
from server.core.call import Call
from server.packages.queries import counts

#: Up to so many installed packages are counted while somebody waits; of more, what was counted last is shown.
LIVE_MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Measure:
    """How much the asker sees.

    Attributes:
        hosts_behind: how many hosts have updates.
        live: whether packages are counted anew; otherwise they are those of ``counted_at``.
    """

    hosts_behind: int
    live: bool
    counted_at: datetime | None


async def measure(call: Call, *, one_host: bool = False) -> Measure:
    """Return how the numbers of packages are found for the asker; a fleet that was never counted is counted first.

    The stored numbers are those of the whole fleet: for who is limited to groups, and for one host, all is counted.
    """
    found = await counts.measure(call.db, call.actor.scope)
    if one_host or call.actor.scope is not None or found["installs"] <= LIVE_MOST:
        return Measure(found["hosts_behind"], live=True, counted_at=None)
    counted_at: datetime | None = found["counted_at"]
    if counted_at is None:
        await refresh(call)
        counted_at = call.now
    return Measure(found["hosts_behind"], live=False, counted_at=counted_at)


async def refresh(call: Call) -> None:
    """Count every package and every repository's packages over the whole fleet; readers do not wait."""
    async with call.transaction(long=True) as tx:
        await counts.lock_counts(tx)
        await counts.count_packages(tx)
        await counts.count_sources(tx)
        await counts.note_counted(tx, call.now)


async def remove_unused(call: Call) -> int:
    """Delete the packages that no host has and nothing is remembered of; return how many those were."""
    unused = await counts.list_unused_packages(call.db)
    if not unused:
        return 0
    async with call.transaction() as tx:
        # A report that just looked a package up must not find it gone.
        await counts.lock_packages_of_hosts(tx)
        gone = await counts.delete_unused_packages(tx, unused)
        if gone:
            await audit.record(tx, call, "packages.unused_removed", detail={"packages": gone})
    return gone
