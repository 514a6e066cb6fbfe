"""What the bar on top of every page posts to, and pages for those who build on this."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.core.errors import Missing
from server.dashboard.styleguide import styleguide
from server.identity import service as people
from server.web.handler_code import documented
from server.web.navigation import Entry
from server.web.render import Page, render
from server.web.routing import API_DOCS, Routes, call, gated, open_to_all
from server.web.tables import settled

routes: Final = Routes()
ENTRIES: Final = (Entry("Settings", "API", f"{API_DOCS}/", "terminal-2", order=95, group="Integrations"),)

_LOOKS: Final = {"theme": frozenset({"light", "dark", "auto"}), "density": frozenset({"comfortable", "compact"})}
_YEAR_SECONDS: Final = 365 * 86400


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
