"""Two scans beside each other, a host beside a group, and baselines."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.compliance import baselines, comparing, service
from server.compliance.comparing import Beside, Comparison, Difference, GroupComparison
from server.compliance.errors import BadRequest, NeverScanned
from server.compliance.pages import frame
from server.compliance.pages.frame import CRUMB, MANAGE, MODULE, STATE_WORDS, VIEW
from server.core.errors import Problem
from server.web.flash import back
from server.web.forms import page_of, posted
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()
_NOT_LOOKED_AT: Final = ("Not looked at", "neutral")
_MOST: Final = 500
_CHANGES: Final = {
    "worse": ("Worse", "bad"),
    "better": ("Better", "good"),
    "new": ("New", "neutral"),
    "gone": ("Gone", "neutral"),
    "other": ("Different", "neutral"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A rule with its words and their colours."""

    rule: Difference
    change: tuple[str, str]
    before: tuple[str, str]
    after: tuple[str, str]


@dataclass(frozen=True, slots=True)
class ComparePage(Page):
    """templates/compliance/compare.html."""

    template: ClassVar[str] = "compliance/compare.html"
    title: ClassVar[str] = "Compare scans"
    found: Comparison
    lines: list[Line]
    scores: tuple[str, str]


@routes.get("/compliance/compare")
@gated(VIEW)
async def show(request: web.Request) -> web.Response:
    """Show where two scans differ."""
    if not await frame.is_on(request):
        return frame.off(request)
    query = request.query
    found = await comparing.compare(call(request), query.get("first", ""), query.get("second", ""))
    lines = [
        Line(
            one,
            _CHANGES[one.change],
            STATE_WORDS.get(one.before, _NOT_LOOKED_AT),
            STATE_WORDS.get(one.after, _NOT_LOOKED_AT),
        )
        for one in found.differences[:_MOST]
    ]
    scores = frame.percent(found.first["score"]), frame.percent(found.second["score"])
    return render(request, ComparePage(found, lines, scores), breadcrumbs=(CRUMB, ("Compare scans", "")))


_SIDES: Final = {"worse": ("Worse than most", "bad"), "better": ("Better than most", "good")}


@dataclass(frozen=True, slots=True)
class BesideLine:
    """A rule on which the host and most of the group differ, with its words and their colours."""

    rule: Beside
    side: tuple[str, str]
    state: tuple[str, str]


@dataclass(frozen=True, slots=True)
class BesidePage(Page):
    """templates/compliance/beside.html."""

    template: ClassVar[str] = "compliance/beside.html"
    title: ClassVar[str] = "Beside a group"
    found: GroupComparison
    lines: list[BesideLine]
    scores: tuple[str, str]


@routes.get("/compliance/hosts/{host}/beside")
@gated(VIEW)
async def beside(request: web.Request) -> web.Response:
    """Show how a host stands beside the hosts of a group."""
    if not await frame.is_on(request):
        return frame.off(request)
    query, host = request.query, path_text(request, "host")
    try:
        found = await comparing.with_group(call(request), host, query.get("group", ""), query.get("kind") or "openscap")
    except (BadRequest, NeverScanned) as refused:
        return back(request, f"/compliance/hosts/{host}", "attention", str(refused))
    lines = [BesideLine(one, _SIDES[one.side], STATE_WORDS[one.state]) for one in found.lines if one.side in _SIDES]
    scores = frame.percent(found.scan["score"]), frame.percent(found.average)
    crumbs = (CRUMB, (found.scan["host_name"], f"/compliance/hosts/{host}"), (f"Beside {found.group}", ""))
    return render(request, BesidePage(found, lines[:_MOST], scores), breadcrumbs=crumbs)


@routes.post("/compliance/hosts/{host}/baseline")
@gated(MANAGE, module=MODULE)
async def choose(request: web.Request) -> web.Response:
    """Make a scan the host's baseline, or take the baseline of a scanner back."""
    form, host = await posted(request), path_text(request, "host")
    await service.target(call(request), host)
    here = page_of(dict(form), "/compliance", "/hosts/") or f"/compliance/hosts/{host}"
    try:
        if form.get("forget"):
            await baselines.forget(call(request), host, str(form["forget"]))
            return back(request, here, "good", "The baseline was taken back.")
        await baselines.choose(call(request), host, str(form.get("scan", "")))
    except Problem as refused:
        return back(request, here, "bad", str(refused))
    return back(request, here, "good", "Later scans are held against this one.")
