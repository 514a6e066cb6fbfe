"""Two scans beside each other."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.compliance import comparing
from server.compliance.comparing import Comparison, Difference
from server.compliance.pages import frame
from server.compliance.pages.frame import CRUMB, STATE_WORDS, VIEW
from server.web.render import Page, render
from server.web.routing import Routes, call, gated

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
