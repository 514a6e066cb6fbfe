"""Finding things across rooms: as the palette does while somebody types, and as a page that needs no script."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.web import navigation
from server.web.navigation import Destinations
from server.web.render import Page, fragment, render
from server.web.routing import Routes, call, gated
from server.web.searching import LEAST_LETTERS, SEARCH, Found, hits

routes: Final = Routes()


@dataclass(frozen=True, slots=True)
class SearchPage(Page):
    """templates/dashboard/search.html."""

    template: ClassVar[str] = "dashboard/search.html"
    title: ClassVar[str] = "Search"
    words: str
    found: Found
    places: list[Destinations]
    kinds: list[str]
    is_too_short: bool


@routes.get("/search")
@gated()
async def search(request: web.Request) -> web.StreamResponse:
    """Show everything that the words find and this person may see."""
    asked = call(request)
    words = " ".join(request.query.get("q", "").replace("\x00", "").split())
    searchers = request.config_dict[SEARCH]
    page = SearchPage(
        words=words,
        found=await hits(asked, searchers, words),
        places=_places(navigation.palette(navigation.menu(request), asked.actor), words),
        kinds=[one.title.lower() for one in searchers if asked.actor.may(one.permission)],
        is_too_short=len(words) < LEAST_LETTERS,
    )
    return render(request, page)


@routes.get("/palette")
@gated()
async def palette(request: web.Request) -> web.Response:
    """Answer what the words find, as the palette shows it; only what this person may see."""
    words = request.query.get("q", "")
    searchers = request.config_dict[SEARCH]
    found = await hits(call(request), searchers, words)
    html = fragment(request, "parts/_hits.html", found=found, words=words)
    return web.Response(text=html, content_type="text/html", headers={"Cache-Control": "no-store"})


def _places(groups: list[Destinations], words: str) -> list[Destinations]:
    if not words:
        return []
    wanted = words.lower().split()
    found = [
        Destinations(
            group.title, [one for one in group.destinations if all(word in one.words.lower() for word in wanted)]
        )
        for group in groups
    ]
    return [group for group in found if group.destinations]
