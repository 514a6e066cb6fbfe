"""The list of hosts."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Final
from urllib.parse import urlsplit

from aiohttp import web

from server.core.call import Call
from server.hosts import bulk, fleet, table
from server.hosts.events import HostCreated, HostDeleted, HostReported, HostsChanged, HostsSeen
from server.hosts.listed import Counts, HostRow
from server.lists import service as lists
from server.web.live import Happening, sse
from server.web.navigation import Entry
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, is_fragment
from server.web.tables import Listing, Wanted, listing, parse, settled

routes: Final = Routes()

ENTRIES: Final = (Entry("Fleet", "Hosts", "/hosts", "server-2", 10, "can_view_hosts"),)

_FLEET: Final = (HostCreated.name, HostDeleted.name, HostsChanged.name)
_WATCHED: Final = (HostsSeen.name, HostReported.name, *_FLEET)
#: Numbers of the whole fleet cost a look at all of it.
_COUNT_SECONDS: Final = 5.0
#: However much happens, a browser is told at most this often.
_REST_SECONDS: Final = 1.0
_MOST_ROWS: Final = 200
#: Then the browser comes back by itself, and through the gate: who may see what may have changed.
_STREAM_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class HostsPage(Page):
    """templates/hosts/list.html."""

    template: ClassVar[str] = "hosts/list.html"
    title: ClassVar[str] = "Hosts"
    listing: Listing
    rows: list[HostRow]
    counts: Counts
    note: str
    can_manage: bool


@routes.get("/hosts")
@gated("can_view_hosts")
async def show_list(request: web.Request) -> web.Response:
    """Show the list as the address says; without one, as it opens for the asker."""
    asked = call(request)
    kept = await lists.choice(asked, table.TABLE.name)
    if _begins(request) and kept.query:
        raise web.HTTPSeeOther(f"/hosts?{kept.query}")
    wanted = parse(await table.described(asked, request.query), table.known(request.query), kept=kept.columns)
    headers = settled(request, wanted)
    found, counts = await asyncio.gather(
        fleet.search(asked, await table.listed(asked, wanted), wanted.window), fleet.counts(asked)
    )
    shown = HostsPage(
        listing=_listing(wanted, found.total, asked, await lists.links(asked, "/hosts")),
        rows=found.items,
        counts=counts,
        note=table.note(wanted) if found.total else "",
        can_manage=asked.actor.may("can_manage_hosts"),
    )
    return render(request, shown, status=400 if wanted.complaints else 200, headers=headers)


def _listing(wanted: Wanted, total: int, asked: Call, views: list[tuple[str, str]]) -> Listing:
    exports = wanted.table.exports if asked.actor.may("can_export_data") else ()
    return listing(
        replace(wanted, table=replace(wanted.table, exports=exports)), total, may=asked.actor.may, views=views
    )


def _begins(request: web.Request) -> bool:
    """Tell whether somebody comes to the list from elsewhere, rather than clearing its filters."""
    return not request.query_string and not is_fragment(request) and came_from(request)[0] != "/hosts"


def came_from(request: web.Request) -> tuple[str, str]:
    """Return the path and the query of the page that led here, as far as the browser says so."""
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return "", ""
    return parts.path, parts.query


@routes.get("/hosts/live", name="hosts.stream")
@gated("can_view_hosts")
async def follow(request: web.Request) -> web.StreamResponse:
    """Say when to look again: ``rows`` when something is new about the hosts in ``rows``, ``counts`` as they are."""
    shown = [one for one in request.query.get("rows", "").split(",") if one][:_MOST_ROWS]
    keys = await fleet.keys_of(call(request), bulk.ids_of(shown))
    return await sse(request, _news(call(request), keys))


async def _news(asked: Call, keys: frozenset[int]) -> AsyncIterator[Happening | None]:
    told, counted_at, until = None, -_COUNT_SECONDS, time.monotonic() + _STREAM_SECONDS
    async with asked.world.bus.following(*_WATCHED) as bell:
        while time.monotonic() < until:
            if time.monotonic() - counted_at >= _COUNT_SECONDS:
                counts, counted_at = await fleet.counts(asked), time.monotonic()
                if counts != told:
                    told = counts
                    yield Happening("counts", {**asdict(counts), "offline": counts.offline})
            news = await bell.ring(within=_COUNT_SECONDS)
            if any(_concerns(one, keys) for one in news):
                yield Happening("rows", {"all": any(one["event"] in _FLEET for one in news)})
            elif not news:
                yield None
            await asyncio.sleep(_REST_SECONDS)


def _concerns(news: dict[str, object], keys: frozenset[int]) -> bool:
    if news["event"] in _FLEET:
        return True
    ids = news.get("host_ids", [news.get("host_id")])
    return isinstance(ids, list) and not keys.isdisjoint(ids)
