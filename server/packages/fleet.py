"""Packages over all hosts that somebody sees: lists, one package, who has it and what happened to it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.call import Call
from server.core.paging import Page, Window
from server.packages import counters
from server.packages.errors import PackageMissing, PackageShared
from server.packages.models import VersionChange
from server.packages.queries import fleet, package
from server.packages.views import Asked, FleetCounts, PackageHead, PackageHost, PackageLine, Passed, Source, Words

#: Hosts that are behind are counted one by one while the packages asked for are outdated no more often than this.
_COUNTED_MOST: Final = 100_000
#: Further back than this nobody pages through what happened to a package.
ACTIVITY_MOST: Final = 1000
_HANDFUL: Final = 1000


async def page_of(call: Call, asked: Asked) -> tuple[Page[PackageLine], FleetCounts]:
    """Return a page of packages, and the numbers of everything that matches."""
    measure = await counters.measure(call, one_host=asked.host_id is not None)
    rows = await fleet.list_packages(call.db, call.actor.scope, asked, live=measure.live)
    totals = rows[0]
    lines = await _lines(call, asked, rows, live=measure.live)
    hosts, at_most = await _hosts_behind(call, asked, measure, totals)
    numbers = FleetCounts(
        packages=totals["total"],
        installs=totals["all_installs"],
        outdated=totals["all_outdated"],
        security=totals["all_security"],
        hosts=hosts,
        hosts_at_most=at_most,
        counted_at=measure.counted_at,
    )
    return Page(lines, numbers.packages, asked.window), numbers


async def lines_of(call: Call, asked: Asked) -> Page[PackageLine]:
    """Return a page of packages without the numbers above the list: hosts that are behind cost most to count."""
    measure = await counters.measure(call, one_host=asked.host_id is not None)
    rows = await fleet.list_packages(call.db, call.actor.scope, asked, live=measure.live)
    return Page(await _lines(call, asked, rows, live=measure.live), rows[0]["total"], asked.window)


async def _lines(call: Call, asked: Asked, rows: Sequence[dict[str, Any]], *, live: bool) -> list[PackageLine]:
    shown = [row for row in rows if row["id"] is not None]
    keys = [row["id"] for row in shown]
    sources: dict[int, list[Source]] = {}
    if keys:
        for row in await fleet.list_sources(call.db, call.actor.scope, keys, asked.host_id, live=live):
            sources.setdefault(row.pop("package_id"), []).append(Source(**row))
    return [
        PackageLine(
            id=str(row["id"]),
            sources=tuple(sources.get(row["id"], ())),
            **{name: row[name] for name in _COLUMNS},
        )
        for row in shown
    ]


_COLUMNS: Final = ("name", "description", "category", "latest_version", "installs", "outdated", "security")


async def _hosts_behind(
    call: Call, asked: Asked, measure: counters.Measure, totals: dict[str, Any]
) -> tuple[int, bool]:
    if not totals["all_outdated"]:
        return 0, False
    if not replace(asked, state="").narrowed and asked.state in {"", "outdated"}:
        return measure.hosts_behind, False
    if measure.live or totals["all_behind"] <= _COUNTED_MOST:
        return await fleet.count_hosts_behind(call.db, call.actor.scope, asked, live=measure.live), False
    return min(measure.hosts_behind, totals["all_behind"]), True


async def export(call: Call, asked: Asked) -> AsyncIterator[list[PackageLine]]:
    """Return everything that matches, handful by handful."""
    live = (await counters.measure(call, one_host=asked.host_id is not None)).live
    number = 1
    while True:
        part = replace(asked, window=Window(number, _HANDFUL))
        lines = await _lines(
            call, part, await fleet.list_packages(call.db, call.actor.scope, part, live=live), live=live
        )
        yield lines
        if len(lines) < _HANDFUL:
            return
        number += 1


async def categories(call: Call) -> list[str]:
    """Return the categories there are."""
    return await fleet.list_categories(call.db, call.actor.scope)


async def head(call: Call, package_id: str) -> PackageHead:
    """Return one package. Raises ``PackageMissing``, also for what none of the asker's hosts has."""
    row = await package.find_package(call.db, call.actor.scope, key_of(package_id))
    if row is None or (call.actor.scope is not None and not row["installs"]):
        raise PackageMissing
    live = (await counters.measure(call)).live
    sources = await fleet.list_sources(call.db, call.actor.scope, [row["key"]], None, live=live)
    for source in sources:
        del source["package_id"]
    return PackageHead(**row, sources=tuple(Source(**source) for source in sources))


async def say(call: Call, package_id: str, words: Words) -> PackageHead:
    """Change what is said of a package: reports leave it alone, and fill in only what nobody says.

    Raises ``PackageMissing`` or ``PackageShared``: it is said for everybody.
    """
    before = await head(call, package_id)
    if call.actor.scope is not None:
        raise PackageShared
    wanted = {"description": words.description, "category": words.category}
    changed = {
        name: {"from": getattr(before, name), "to": value}
        for name, value in wanted.items()
        if value is not None and value != getattr(before, name)
    }
    if changed:
        async with call.transaction() as tx:
            await package.update_words(tx, before.key, words)
            await audit.record(
                tx, call, "packages.package_changed", Subject("package", package_id, before.name), changed
            )
    return await head(call, package_id)


async def systems(call: Call, key: int) -> list[tuple[str, str, int]]:
    """Return what a package is installed on: operating system, version and number of hosts."""
    return await package.list_systems(call.db, call.actor.scope, key)


async def hosts_of(
    call: Call, of: PackageHead, search: str, order: tuple[str, str], window: Window, *, pending: bool
) -> Page[PackageHost]:
    """Return a page of the hosts that have a package; order: name, state, installed, since or seen, and direction."""
    scope, behind = call.actor.scope, True if pending else None
    part = slice(window.offset, window.offset + window.size)
    total = of.outdated if pending else of.installs
    if search:
        total = await package.count_hosts(call.db, scope, of.key, search, behind=behind)
    if not search and not pending and order == ("state", "desc"):
        rows = await _those_behind_first(call, of, part)
    else:
        rows = await package.list_hosts(call.db, scope, of.key, search, order, part, behind=behind)
    return Page([_host(row) for row in rows], total, window)


async def _those_behind_first(call: Call, of: PackageHead, part: slice) -> list[dict[str, Any]]:
    """Read what an index has in order: those that are behind, then the others by name; nobody else is sorted."""
    rows: list[dict[str, Any]] = []
    first = slice(part.start, min(part.stop, of.outdated))
    if first.start < first.stop:
        rows += await package.list_hosts(call.db, call.actor.scope, of.key, "", ("state", "desc"), first, behind=True)
    rest = slice(max(part.start - of.outdated, 0), part.stop - of.outdated)
    if rest.start < rest.stop:
        rows += await package.list_hosts(call.db, call.actor.scope, of.key, "", ("name", "asc"), rest, behind=False)
    return rows


def _host(row: dict[str, Any]) -> PackageHost:
    source = None
    if row["source_id"] is not None:
        source = Source(row["source_id"], row["source_name"], row["source_url"], row["source_secure"])
    return PackageHost(
        **{name: row[name] for name in _HOST_COLUMNS},
        os=f"{row['os_type']} {row['os_version']}".strip(),
        source=source,
        patchable=row["expected_platform"] != "windows" and row["needs_update"],
    )


_HOST_COLUMNS: Final = (
    "id",
    "name",
    "hostname",
    "current_version",
    "available_version",
    "needs_update",
    "security",
    "repository",
    "outdated_since",
    "kb",
    "severity",
    "seen_at",
)


async def activity_of(call: Call, key: int, limit: int, offset: int) -> list[Passed]:
    """Return what happened to a package, newest first."""
    rows = await package.list_activity(call.db, call.actor.scope, key, limit, offset)
    return [
        Passed(kind=VersionChange("", row["from_version"], row["to_version"], row["security"]).kind, **row)
        for row in rows
    ]


async def count_activity(call: Call, key: int) -> int:
    """Return how often something happened to a package, counted up to ``ACTIVITY_MOST``."""
    return await package.count_activity(call.db, call.actor.scope, key, ACTIVITY_MOST)


async def patchable(call: Call, key: int, host_ids: Sequence[str]) -> list[str]:
    """Return which of these hosts have an update of a package that can be installed from here."""
    return await package.find_hosts_of(call.db, call.actor.scope, key, list(host_ids))


def key_of(package_id: str) -> int:
    """Return the key behind an id, or raise ``PackageMissing`` for what cannot be one."""
    if not (package_id.isascii() and package_id.isdecimal() and len(package_id) < 10):  # noqa: PLR2004 (fits an int4)
        raise PackageMissing
    return int(package_id)
