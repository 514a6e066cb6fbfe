"""Storing a host's inventory as differences, and reading it back."""

from collections.abc import Sequence

from server.core.call import Call, Effect, World
from server.core.db import Tx
from server.core.paging import Page, Window
from server.packages import rules, versions
from server.packages.history import changes, state
from server.packages.models import Counts, PackageRow, ReportedRepository, RepositoryRow
from server.packages.queries import of_host, storage
from server.packages.rules import Inventory, repositories_hash
from server.packages.windows import approved_updates, forget_updates_in, note_update_in

__all__ = [
    "Inventory",
    "approved_updates",
    "changes",
    "forget_updates_in",
    "list_packages",
    "list_repositories",
    "note_update_in",
    "repositories_hash",
    "state",
    "store_inventory",
]


async def store_inventory(
    tx: Tx,
    call: Call,
    host_id: int,
    inventory: Inventory | None,
    repositories: Sequence[ReportedRepository] | None,
) -> Counts | None:
    """Make these the host's packages and repositories; ``None`` leaves a part as it is.

    Returns the counts of the packages when they were given. The statements are as many for one as for thousands.
    """
    counts = inventory.counts() if inventory is not None else None
    await storage.lock_inventory(tx, host_id, counts, call.now)
    used = None
    if repositories is not None:
        used = await storage.write_repositories(tx, host_id, rules.clean_repositories(repositories), call.now)
    if inventory is None:
        return None
    stored = await storage.fetch_stored(tx, host_id)
    wanted = inventory.marked(rules.Resolver(stored.repositories if used is None else used))
    change = rules.difference(stored, wanted)
    if change.written or change.gone:
        # Everything of a first inventory is new: that is no news.
        noting = bool(stored.package_ids)
        told = await storage.write_packages(tx, host_id, change.written, change.gone, call.now, noting=noting)
        if newer := {name: (known, version) for name, known, version in told if versions.is_newer(version, known)}:
            tx.after_commit(_raising(newer))
    return counts


def _raising(newer: dict[str, tuple[str, str]]) -> Effect:
    async def raise_them(world: World, /) -> None:
        # On its own, so that two hosts that report at once cannot hold what the other one waits for.
        await storage.raise_latest(world.db, newer)

    return raise_them


async def list_packages(
    call: Call, host_id: int, search: str, only: str, order: tuple[str, str], window: Window
) -> Page[PackageRow]:
    """Return one page of a host's packages; ``only`` is updates, security or empty."""
    rows = await of_host.list_packages(call.db, host_id, search, only, order, window.size, window.offset)
    total = rows[0]["total"] if rows else 0
    return Page([PackageRow(*(row[name] for name in PackageRow._fields)) for row in rows], total, window)


async def list_repositories(call: Call, host_id: int) -> list[RepositoryRow]:
    """Return a host's repositories."""
    return await of_host.list_repositories(call.db, host_id)
