"""One host across rooms: its timeline, its reports and what they changed, its agent's queue, hosts that differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from server.commands import service as commands
from server.core.call import Call
from server.core.paging import Page, Window
from server.dossier import rules
from server.dossier.errors import ReportMissing
from server.dossier.models import SHOWS, Comparison, Deviation, Difference, Happening, Peer, Queued, Report
from server.dossier.queries import comparing, happenings
from server.hosts import service as hosts
from server.hosts.models import HostHead
from server.packages import service as packages
from server.packages.models import Installed

#: More hosts than this say no more about what is usual, but cost more.
COMPARED_MOST: Final = 50
_NEEDS: Final = {"packages": "can_view_packages", "deed": "can_manage_hosts"}
#: How much more is read than shown, so that there is something left after filtering.
_FEED_MORE: Final = 500
_BIGGEST: Final = 9_000_000_000_000_000_000


async def timeline(call: Call, host: HostHead, show: str, before: datetime | None, limit: int) -> list[Happening]:
    """Return what happened to a host, newest first, as far as this person may see it."""
    shown = next((kinds for name, _, kinds in SHOWS if name == show), SHOWS[0][2])
    kinds = [kind for kind in shown if kind not in _NEEDS or call.actor.may(_NEEDS[kind])]
    await commands.settle_host(call, host)
    rows = await happenings.list_happenings(call.db, host.key, host.id, kinds, before or _end(call), limit)
    return [rules.happening(row, host) for row in rows]


def _end(call: Call) -> datetime:
    # A host's clock may be ahead: when it says it was started may lie in the future.
    return call.now.replace(year=call.now.year + 1, month=1, day=1)


async def reports(call: Call, host: HostHead, window: Window) -> Page[Report]:
    """Return a page of a host's reports, newest first."""
    found = await happenings.list_reports(call.db, host.key, window.size, window.offset)
    return Page(found, await happenings.count_reports(call.db, host.key), window)


async def reports_from(call: Call, host: HostHead, limit: int, offset: int) -> Page[Report]:
    """Return some of a host's reports, newest first, from a place in their list."""
    found = await happenings.list_reports(call.db, host.key, limit, offset)
    return Page(found, await happenings.count_reports(call.db, host.key), Window(1, limit))


async def packages_of(call: Call, host: HostHead) -> list[dict[str, Any]]:
    """Return what is installed on a host, what can be newer first."""
    everything = Window(1, 100_000)
    page = await packages.list_packages(call, host.key, "", "", ("state", "asc"), everything)
    return [
        {
            "name": row.name,
            "description": row.description,
            "current_version": row.current_version,
            "available_version": row.available_version or None,
            "needs_update": row.needs_update,
            "is_security_update": row.needs_update and row.security,
            "source_repository": row.repository or None,
        }
        for row in page.items
    ]


@dataclass(frozen=True, slots=True)
class Feed:
    """Which part of the activity of a host is asked for; what is empty does not count."""

    direction: str = ""
    kind: str = ""
    status: str = ""
    search: str = ""
    since: str = ""
    limit: int = 50
    offset: int = 0


async def feed(call: Call, host: HostHead, wanted: Feed) -> tuple[list[Happening], dict[str, int]]:
    """Return what happened to a host, newest first, and how much of it was of which direction and ended how."""
    await commands.settle_host(call, host)
    kinds = [kind for kind in rules.KINDS if kind not in _NEEDS or call.actor.may(_NEEDS[kind])]
    rows = await happenings.list_happenings(
        call.db, host.key, host.id, kinds, _end(call), wanted.limit + wanted.offset + _FEED_MORE
    )
    found = [one for one in (rules.happening(row, host) for row in rows) if rules.matches(one, wanted)]
    return found, rules.feed_stats(found)


async def report(call: Call, host: HostHead, number: str) -> Report:
    """Return one report of a host."""
    whole = int(number) if number.isdecimal() and len(number) < 19 else _BIGGEST  # noqa: PLR2004 (fits bigint)
    found = await happenings.find_report(call.db, host.key, whole)
    if found is None:
        raise ReportMissing
    return found


async def changed_by(call: Call, host: HostHead, one: Report) -> Difference:
    """Return what a report changed: what differs between the report before it and itself."""
    if one.before_at is None:
        return Difference([])
    return Difference(await packages.changes(call, host.key, one.before_at, one.at))


async def between(call: Call, host: HostHead, one: Report, other: Report) -> tuple[Report, Report, Difference]:
    """Return two reports in their order, and what differs between them."""
    older, newer = sorted((one, other), key=lambda report: (report.at, report.id))
    return older, newer, Difference(await packages.changes(call, host.key, older.at, newer.at))


async def state_at(call: Call, host: HostHead, one: Report, search: str, window: Window) -> tuple[Page[Installed], int]:
    """Return a page of what was installed when a report came, and how many packages that were in all."""
    everything = await packages.state(call, host.key, one.at)
    found = [package for package in everything if search.lower() in package.name.lower()] if search else everything
    return Page(found[window.offset : window.offset + window.size], len(found), window), len(everything)


@dataclass(frozen=True, slots=True)
class Queue:
    """What an agent has to do and did."""

    counts: dict[str, int]
    lines: list[Queued]


async def queue(call: Call, host: HostHead, limit: int) -> Queue:
    """Return what waits for a host's agent, what it does and what it did."""
    await commands.settle_host(call, host)
    counts = await happenings.count_queue(call.db, host.key)
    rows = await happenings.list_queue(call.db, host.key, limit)
    return Queue({name: int(number) for name, number in counts.items()}, [rules.queued(row) for row in rows])


async def compare(call: Call, host: HostHead, group: str) -> Comparison:
    """Hold a host against hosts of the same system: what most of them have, and by how much each differs."""
    alike = await comparing.list_alike(call.db, call.actor.scope, host.key, group, "", COMPARED_MOST)
    if not alike:
        return Comparison(0, 0, [], [])
    keys = [row["key"] for row in alike]
    counted = {row["key"]: row for row in await comparing.count_differences(call.db, host.key, keys)}
    deviations = await comparing.list_deviations(call.db, host.key, keys)
    return Comparison(alike[0]["alike"], len(alike), _peers(alike, counted, host.key), deviations)


def _peers(alike: Sequence[dict[str, Any]], counted: dict[int, dict[str, Any]], own: int) -> list[Peer]:
    none = {"theirs": 0, "common": 0, "same": 0}
    ours = counted.get(own, none)["theirs"]
    peers = []
    for row in alike:
        one = counted.get(row["key"], none)
        peers.append(
            Peer(
                str(row["id"]),
                row["name"],
                missing=one["theirs"] - one["common"],
                extra=ours - one["common"],
                other=one["common"] - one["same"],
            )
        )
    return sorted(peers, key=lambda peer: (-peer.total, peer.name.lower()))


async def compare_with(call: Call, host: HostHead, other: str) -> tuple[HostHead, list[Deviation]]:
    """Return another host and every package in which the two differ."""
    head = await hosts.head(call, other)
    return head, await comparing.list_deviations(call.db, host.key, [head.key])
