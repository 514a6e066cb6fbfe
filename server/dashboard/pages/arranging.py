"""Arranging the overview: one form that needs no script, and can be dragged with one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.dashboard import layouts, rules
from server.dashboard.cards import BY_ID, CHARTS, STATS
from server.dashboard.models import Columns, Layout, Place, Placed
from server.web import flash
from server.web.forms import form_values
from server.web.render import Page, render
from server.web.routing import Routes, call, gated

routes: Final = Routes()
_HERE: Final = "/overview/cards"
_LATER: Final = 30_000


@dataclass(frozen=True, slots=True)
class ArrangingPage(Page):
    """templates/dashboard/cards.html."""

    template: ClassVar[str] = "dashboard/cards.html"
    title: ClassVar[str] = "Arrange the overview"
    parts: list[tuple[str, str, str, list[Place]]]
    columns: Columns
    stats: list[int]
    charts: list[int]


@routes.get(_HERE)
@gated("can_view_dashboard")
async def show(request: web.Request) -> web.Response:
    """Show every card that this person may have."""
    layout = await layouts.mine(call(request))
    page = ArrangingPage(
        parts=[
            ("tile", "Numbers", "They stand in a row on top; each leads to the list behind it.", _of(layout, "tile")),
            ("panel", "Charts and lists", "They stand below, as wide as you want them.", _of(layout, "panel")),
        ],
        columns=layout.columns,
        stats=list(STATS),
        charts=list(CHARTS),
    )
    return render(request, page, breadcrumbs=(("Overview", "/"),))


@routes.post(_HERE)
@gated("can_view_dashboard")
async def save(request: web.Request) -> web.StreamResponse:
    """Keep the form; a button of it may move one card, or bring back what is usual."""
    asked = call(request)
    values = await form_values(request)
    if values.get("deed") == "reset":
        await layouts.reset(asked)
        raise _said(request, "/", "The overview is as it was at first.")
    layout = await layouts.mine(asked)
    placed = read(values, layout)
    card, _, direction = str(values.get("move", "")).partition(":")
    steps = {"up": -1, "down": 1}
    placed = rules.moved(placed, {one.card.id: one.card.kind for one in layout.places}, card, steps.get(direction, 0))
    await layouts.choose_columns(asked, _columns(values, layout.columns))
    await layouts.arrange(asked, placed)
    if direction in steps and card in BY_ID:
        raise web.HTTPSeeOther(f"{_HERE}#card-{card}")
    raise _said(request, "/", "Your overview is kept.")


def read(values: Mapping[str, Any], layout: Layout) -> list[Placed]:
    """Return the cards as a form has them; what it says nothing of stays."""
    shown = _texts(values.get("on"))
    return [
        Placed(
            place.card.id,
            place.card.id in shown,
            _number(values.get(f"order-{place.card.id}"), place.position + _LATER),
            _number(values.get(f"span-{place.card.id}"), place.span),
        )
        for place in layout.places
    ]


def _columns(values: Mapping[str, Any], before: Columns) -> Columns:
    return Columns(
        _number(values.get("stats_columns"), before.stats), _number(values.get("charts_columns"), before.charts)
    )


def _of(layout: Layout, kind: str) -> list[Place]:
    return [one for one in layout.places if one.card.kind == kind]


def _texts(value: object) -> frozenset[str]:
    return frozenset(map(str, value)) if isinstance(value, list) else frozenset({str(value)})


def _number(value: object, default: int) -> int:
    text = str(value)
    return int(text) if text.isdecimal() and text.isascii() and len(text) < len(str(_LATER)) else default


def _said(request: web.Request, url: str, text: str) -> web.HTTPSeeOther:
    answer = web.HTTPSeeOther(url)
    flash.say(answer, request, "good", text)
    return answer
