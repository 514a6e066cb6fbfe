"""The overview, and what the bar on top of every page posts to."""

from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import urlencode

from aiohttp import web

from server.core.errors import Missing
from server.dashboard import service
from server.dashboard.models import JobSummary, Tile
from server.dashboard.styleguide import styleguide
from server.identity import service as people
from server.web.handler_code import documented
from server.web.navigation import Action, Entry
from server.web.render import Page, fragment, render
from server.web.routing import API_DOCS, Routes, call, gated, open_to_all
from server.web.searching import SEARCH, hits
from server.web.tables import settled

routes: Final = Routes()
ENTRIES: Final = (
    Entry("", "Overview", "/", "layout-dashboard", order=1, permission="can_view_dashboard"),
    Entry("Settings", "API", f"{API_DOCS}/", "terminal-2", order=95, group="Integrations"),
)

#: Until the rooms have actions of their own, those that everybody looks for.
ACTIONS: Final = (
    Action("Add a host", "/hosts/new", "plus", "can_manage_hosts", "enrol new server agent install"),
    Action("Run a playbook", "/playbooks", "player-play", "can_view_hosts", "launch job patch ansible start"),
    Action("Make an API token", "/settings/tokens", "key", words="new personal key"),
    Action("My profile", "/settings/profile", "user", words="password account me"),
)

_LOOKS: Final = {"theme": frozenset({"light", "dark", "auto"}), "density": frozenset({"comfortable", "compact"})}
_YEAR_SECONDS: Final = 365 * 86400


@dataclass(frozen=True, slots=True)
class OverviewPage(Page):
    """templates/dashboard/overview.html."""

    template: ClassVar[str] = "dashboard/overview.html"
    title: ClassVar[str] = "Overview"
    tiles: list[Tile]
    jobs: list[JobSummary]
    can_see_jobs: bool
    can_add_hosts: bool
    is_empty: bool


@routes.get("/")
@gated()
async def overview(request: web.Request) -> web.StreamResponse:
    """Show the fleet in numbers and what ran last; who may not see that goes to what they may see."""
    asked = call(request)
    if not asked.actor.may("can_view_dashboard"):
        raise web.HTTPSeeOther("/hosts" if asked.actor.may("can_view_hosts") else "/settings/profile")
    tiles = await service.tiles(asked)
    page = OverviewPage(
        tiles=tiles,
        jobs=await service.recent_jobs(asked),
        can_see_jobs=asked.actor.may("can_view_hosts"),
        can_add_hosts=asked.actor.may("can_manage_hosts"),
        is_empty=tiles[0].value == 0,
    )
    return render(request, page)


@routes.get("/search")
@gated("can_view_hosts")
async def search(request: web.Request) -> web.StreamResponse:
    """Look for what was typed among the hosts."""
    raise web.HTTPSeeOther("/hosts?" + urlencode({"search": request.query.get("q", "").strip()}))


@dataclass(frozen=True, slots=True)
class ApiDocsPage(Page):
    """templates/dashboard/api_docs.html."""

    template: ClassVar[str] = "dashboard/api_docs.html"
    title: ClassVar[str] = "API"


@routes.get(API_DOCS)
@gated()
async def to_api_docs(_request: web.Request) -> web.Response:
    """Lead to the page that shows the description of the API."""
    return web.Response(status=301, headers={"Location": f"{API_DOCS}/"})


@routes.get(f"{API_DOCS}/")
@documented(answers={200: "text/html"})
@gated()
async def api_docs(request: web.Request) -> web.Response:
    """Show the description of the API, and let people try it with their own session."""
    return render(request, ApiDocsPage())


@routes.post("/theme")
@open_to_all("light or dark is a matter of this browser, and of who is signed in there")
async def theme(request: web.Request) -> web.StreamResponse:
    """Remember theme and density, for browsers without scripts."""
    posted = await request.post()
    answer = web.HTTPSeeOther(_inside(str(posted.get("return_to", "/"))))
    for name, known in _LOOKS.items():
        if posted.get(name) in known:
            answer.set_cookie(name, str(posted[name]), max_age=_YEAR_SECONDS, samesite="Lax")
            if name == "theme" and call(request).actor.kind == "person":
                await people.choose_theme(call(request), str(posted[name]))
    raise answer


@routes.get("/palette")
@gated()
async def palette(request: web.Request) -> web.Response:
    """Answer what the words find, as the palette shows it; only what this person may see."""
    words = request.query.get("q", "")
    searchers = request.config_dict[SEARCH]
    found = await hits(call(request), searchers, words)
    html = fragment(request, "parts/_hits.html", found=found, words=words)
    return web.Response(text=html, content_type="text/html", headers={"Cache-Control": "no-store"})


@routes.get("/styleguide")
@gated()
async def parts(request: web.Request) -> web.Response:
    """Show the parts pages are made of, where pages are built (``PATCHMON_DEVELOPMENT``)."""
    asked = call(request)
    if not asked.world.env.development:
        raise Missing
    page = styleguide(request.query, asked.now)
    return render(request, page, headers=settled(request, page.listing.wanted))


def _inside(target: str) -> str:
    fine = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if fine else "/"
