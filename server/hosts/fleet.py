"""The list of hosts: pages of it, files of it, its numbers, what it can be narrowed by."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from server.core.call import Call
from server.core.paging import Page, Window
from server.hosts import rules
from server.hosts.listed import Counts, GroupMark, HostRow, Listed, OsCount
from server.hosts.patched import taken
from server.hosts.queries import fleet as rows
from server.settings import service as settings

#: A host that was added longer ago and never joined is forgotten by somebody.
NEVER_JOINED: Final = timedelta(days=1)
_HANDFUL: Final = 1000
_NO_SECTION: Final = {"group": "In no group", "status": "", "os": "Not known yet"}
_NOBODY: Final = -1
_MOST_DAYS: Final = 36_500


async def search(call: Call, asked: Listed, window: Window) -> Page[HostRow]:
    """Return one page of the list."""
    limits = await times(call)
    found = await rows.list_fleet(call.db, call.actor.scope, asked, limits, window.size, window.offset)
    if found:
        total = found[0]["total"]
        return Page(_rows(found, asked, await stale_before(call)), total, window)
    total = await rows.count_fleet(call.db, call.actor.scope, asked, limits) if window.page > 1 else 0
    return Page([], total, window)


async def part(call: Call, asked: Listed, limit: int, offset: int) -> tuple[list[HostRow], int]:
    """Return some lines of the list for programs, and how many there are."""
    limits = await times(call)
    found = await rows.list_fleet(call.db, call.actor.scope, asked, limits, limit, offset)
    if found:
        total = found[0]["total"]
        return _rows(found, asked, await stale_before(call)), total
    return [], await rows.count_fleet(call.db, call.actor.scope, asked, limits)


async def export(call: Call, asked: Listed) -> AsyncIterator[list[HostRow]]:
    """Yield every line of the list, handful by handful; hosts that join meanwhile may be among them or not."""
    offset = 0
    while True:
        found, total = await part(call, asked, _HANDFUL, offset)
        if found:
            yield found
        offset += _HANDFUL
        if offset >= total:
            return


async def ids(call: Call, asked: Listed) -> list[str]:
    """Return the UUIDs of all hosts that match."""
    return await rows.list_ids(call.db, call.actor.scope, asked, await times(call))


async def counts(call: Call) -> Counts:
    """Return how many hosts there are, in which state, and how many need something."""
    return await rows.count_states(call.db, call.actor.scope, (await times(call))[0])


async def systems(call: Call) -> list[OsCount]:
    """Return the operating systems of the hosts, the most common first."""
    return await rows.count_systems(call.db, call.actor.scope)


async def package(call: Call, text: str) -> tuple[int, str]:
    """Return the key and the name of a package given by its id or name; a key no host has for none."""
    found = await rows.find_package(call.db, text)
    return (found["id"], found["name"]) if found else (_NOBODY, text)


async def repository(call: Call, text: str) -> tuple[int, str]:
    """Return the key and the name of a repository given by its id; a key no host has for none."""
    found = await rows.find_repository(call.db, text)
    return (found["id"], found["name"]) if found else (_NOBODY, text)


async def keys_of(call: Call, uuids: Sequence[str]) -> frozenset[int]:
    """Return the keys of those of these hosts that the asker sees."""
    return frozenset(await rows.keys_of(call.db, call.actor.scope, uuids))


async def patched_before(call: Call, need: str, days: str) -> datetime | None:
    """Return the moment that hosts must not have been patched since; ``None`` when nobody asks for that."""
    asked = [call.now - timedelta(days=min(int(days), _MOST_DAYS))] if days else []
    if need == "patchStale":
        asked.append(await stale_before(call))
    return min(asked, default=None)


async def stale_before(call: Call) -> datetime:
    """Return the moment since when a host should have been patched."""
    return call.now - timedelta(days=(await settings.effective(call)).patch_stale_days)


async def times(call: Call) -> tuple[datetime, datetime]:
    """Return the times before which a host's last word makes it inactive, and before which it should have joined."""
    minutes = (await settings.effective(call)).update_interval
    return call.now - rules.silence(minutes), call.now - NEVER_JOINED


def _rows(found: list[dict[str, Any]], asked: Listed, unpatched: datetime) -> list[HostRow]:
    shown = []
    last: str | None = None
    for row in found:
        section = row.pop("section")
        head = "" if not asked.grouping or section == last else _head(asked.grouping, section)
        last = section
        shown.append(_row(row, head, unpatched))
    return shown


def _head(grouping: str, section: str) -> str:
    return section.capitalize() if grouping == "status" else section or _NO_SECTION[grouping]


def _row(row: dict[str, Any], head: str, unpatched: datetime) -> HostRow:
    groups = tuple(GroupMark(**one) for one in row.pop("groups"))
    tags = tuple((key, value) for key, value in row.pop("tags"))
    state = rules.STATUS_COLOURS[row["status"]]
    patched, unfinished = taken(row, unpatched, joined=row["status"] != "pending"), tuple(row.pop("unfinished"))
    rest = {name: value for name, value in row.items() if name != "total"}
    return HostRow(**rest, state=state, groups=groups, tags=tags, patched=patched, unfinished=unfinished, section=head)
