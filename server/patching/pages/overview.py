"""The page of patching and its overview: numbers, what is under way, what comes, what went wrong."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from aiohttp import web

from server.patching import history
from server.patching.pages import policies, runs, words
from server.patching.pages.frame import MANAGE, MODULE, VIEW, is_on, may_manage, off
from server.patching.recorded import Coming, Named
from server.web.flash import back
from server.web.formats import Value, link
from server.web.render import Page, fragment, render
from server.web.routing import Routes, call, gated

routes: Final = Routes()
_SUGGESTED: Final = 20


@dataclass(frozen=True, slots=True)
class CauseRow:
    """Why runs failed, with the newest one it happened to."""

    text: str
    times: int
    hosts: int
    names: list[str]
    url: str
    last_at: datetime


@dataclass(frozen=True, slots=True)
class OverviewPage(Page):
    """templates/patching/overview.html."""

    template: ClassVar[str] = "patching/overview.html"
    title: ClassVar[str] = "Patching"
    counts: dict[str, int]
    active: list[words.RunRow]
    recent: list[words.RunRow]
    coming: list[Coming]
    causes: list[CauseRow]
    waiting: int
    can_manage: bool
    suggestions: list[Named]


@routes.get("/patching")
@gated(VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a tab of patching: the overview, the runs, the policies."""
    if not await is_on(request):
        return off(request)
    tab = request.query.get("tab", "")
    if tab == "runs":
        return await runs.show(request)
    if tab == "policies":
        return await policies.show(request)
    return await _overview(request)


async def _overview(request: web.Request) -> web.Response:
    asked = call(request)
    board = await history.board(asked)
    manages = may_manage(request)
    return render(
        request,
        OverviewPage(
            counts=board.counts,
            active=[words.row(one) for one in board.active],
            recent=[words.row(one) for one in board.recent],
            coming=board.coming,
            causes=[
                CauseRow(one.text, one.times, one.hosts, one.names, f"/patching/runs/{one.run}", one.last_at)
                for one in board.causes
            ],
            waiting=board.counts["validated"] + board.counts["pending_approval"],
            can_manage=manages,
            suggestions=await history.named(asked, "", _SUGGESTED) if manages else [],
        ),
    )


@routes.get("/patching/targets")
@gated(MANAGE, module=MODULE)
async def targets(request: web.Request) -> web.Response:
    """Answer the groups and hosts whose names hold what is typed, as options."""
    found = await history.named(call(request), _typed(request), _SUGGESTED)
    text = fragment(request, "patching/_targets.html", suggestions=found)
    return web.Response(text=text, content_type="text/html")


@routes.get("/patching/start")
@gated(MANAGE, module=MODULE)
async def start(request: web.Request) -> web.Response:
    """Lead to the wizard for the host or group of this name."""
    typed = _typed(request)
    kind: dict[str, Value] = {"type": "patch_all", "security": request.query.get("what") == "security"}
    if not typed:
        return web.Response(status=303, headers={"Location": link("/patching/new", kind)})
    found = await history.named(call(request), typed, 200)
    same = [one for one in found if one.name.lower() == typed.lower()]
    best = same or (found if len(found) == 1 else [])
    if not best:
        said = (
            "Several hosts or groups have that in their names: choose one."
            if found
            else "No host or group has that name."
        )
        return back(request, "/patching", "attention", said)
    return web.Response(status=303, headers={"Location": link("/patching/new", {**kind, best[0].kind: best[0].id})})


def _typed(request: web.Request) -> str:
    return request.query.get("target", "").replace("\0", "").strip()[:200]
