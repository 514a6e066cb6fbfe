"""Storing a host's inventory as differences, and reading it back."""

from collections.abc import Sequence

from server.core.call import Call
from server.core.db import Tx
from server.core.paging import Page, Window
from server.packages import queries, rules
from server.packages.models import Counts, PackageRow, ReportedPackage, ReportedRepository, RepositoryRow
from server.packages.rules import packages_hash, repositories_hash

__all__ = ["list_packages", "list_repositories", "packages_hash", "repositories_hash", "store_inventory"]


async def store_inventory(
    tx: Tx,
    call: Call,
    host_id: int,
    packages: Sequence[ReportedPackage] | None,
    repositories: Sequence[ReportedRepository] | None,
) -> Counts | None:
    """Make these the host's packages and repositories; ``None`` leaves a part as it is.

    Returns the counts of the packages when they were given. The statements are as many for one package as for ten
    thousand.
    """
    await queries.lock_inventory(tx, host_id, call.now)
    used = None
    if repositories is not None:
        used = await queries.write_repositories(tx, host_id, rules.clean_repositories(repositories), call.now)
    if packages is None:
        return None
    if used is None:
        used = await queries.list_host_repositories(tx, host_id)
    wanted = rules.marked(packages, rules.Resolver(used))
    counts = rules.counts_of(wanted)
    stored = await queries.take_stock(tx, host_id, counts)
    change = rules.difference(stored, wanted)
    if change.written or change.gone:
        await queries.write_packages(tx, host_id, change.written, change.gone, call.now)
    return counts


async def list_packages(
    call: Call, host_id: int, search: str, only: str, order: tuple[str, str], window: Window
) -> Page[PackageRow]:
    """Return one page of a host's packages; ``only`` is updates, security or empty."""
    rows = await queries.list_packages(call.db, host_id, search, only, order, window.size, window.offset)
    total = rows[0]["total"] if rows else 0
    return Page([PackageRow(*(row[name] for name in PackageRow._fields)) for row in rows], total, window)


async def list_repositories(call: Call, host_id: int) -> list[RepositoryRow]:
    """Return a host's repositories."""
    return await queries.list_repositories(call.db, host_id)
