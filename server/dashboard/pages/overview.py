"""The overview: the fleet in numbers and charts, arranged as each person likes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from aiohttp import web

from server.core.call import Call
from server.dashboard import board, rules
from server.dashboard.models import Asked, Board, Day, Fleet, Place, SystemCount, Tile
from server.web import charts
from server.web.formats import link
from server.web.navigation import Action, Entry
from server.web.render import Page, render
from server.web.routing import Routes, call, gated

routes: Final = Routes()
ENTRIES: Final = (Entry("", "Overview", "/", "layout-dashboard", order=1, permission="can_view_dashboard"),)
#: Those that everybody looks for.
ACTIONS: Final = (
    Action("Add a host", "/hosts/new", "plus", "can_manage_hosts", "enrol new server agent install"),
    Action("Run a playbook", "/playbooks", "player-play", "can_view_hosts", "launch job patch ansible start"),
    Action("Make an API token", "/settings/tokens", "key", words="new personal key"),
    Action("My profile", "/settings/profile", "user", words="password account me"),
    Action(
        "Arrange the overview",
        "/overview/cards",
        "adjustments",
        "can_view_dashboard",
        "dashboard cards tiles",
    ),
)

#: Over how many days the chart may go.
PERIODS: Final = (7, 30, 90)
_SYSTEMS: Final = 7
#: A line needs two ends.
_FEWEST_DAYS: Final = 2


@dataclass(frozen=True, slots=True)
class OverviewPage(Page):
    """templates/dashboard/overview.html."""

    template: ClassVar[str] = "dashboard/overview.html"
    title: ClassVar[str] = "Overview"
    board: Board
    tiles: list[Tile]
    panels: list[Place]
    status: charts.Donut
    systems: tuple[charts.Bar, ...]
    trend: charts.Trend | None
    newest: Day | None
    periods: list[tuple[int, str]]
    group_query: str
    group_name: str
    can_add_hosts: bool
    can_see_hosts: bool


@routes.get("/")
@gated()
async def overview(request: web.Request) -> web.StreamResponse:
    """Show the fleet in numbers and what ran last; who may not see that goes to what they may see."""
    asked = call(request)
    if not asked.actor.may("can_view_dashboard"):
        raise web.HTTPSeeOther("/hosts" if asked.actor.may("can_view_hosts") else "/settings/profile")
    found = await board.of(asked, wanted(request))
    return render(request, page_of(asked, found))


def wanted(request: web.Request) -> Asked:
    """Return what the address asks for; nonsense counts as nothing."""
    days = request.query.get("days", "")
    chosen = next((one for one in PERIODS if str(one) == days), Asked().days)
    return Asked(request.query.get("group", "").lower(), chosen)


def page_of(asked: Call, found: Board) -> OverviewPage:
    """Return the page."""
    group = found.asked.group
    may_see = asked.actor.may("can_view_hosts")
    return OverviewPage(
        board=found,
        tiles=rules.tiles(found),
        panels=found.layout.shown("panel"),
        status=status(found.fleet, group),
        systems=systems(found.systems, group),
        trend=trend(found),
        newest=found.days[-1] if found.days else None,
        periods=[(one, link("/", {"group": group, "days": None if one == Asked().days else one})) for one in PERIODS],
        group_query=f"&group={group}" if group else "",
        group_name=dict(found.groups).get(group, ""),
        can_add_hosts=asked.actor.may("can_manage_hosts"),
        can_see_hosts=may_see,
    )


def status(fleet: Fleet, group: str) -> charts.Donut:
    """Return the hosts by what they wait for."""

    def url(**parameters: str) -> str:
        return link("/hosts", {"group": group, **parameters})

    return charts.donut(
        [
            ("Up to date", fleet.up_to_date, url(status="active", sort="updates"), "good"),
            ("Other updates wait", fleet.need_updates - fleet.need_security_updates, "", "attention"),
            ("Security updates wait", fleet.need_security_updates, url(filter="security"), "bad"),
            ("Never reported", fleet.never_reported, url(status="pending"), "neutral"),
        ]
    )


def systems(counted: Sequence[SystemCount], group: str) -> tuple[charts.Bar, ...]:
    """Return the most frequent operating systems; the others as one."""
    shown = [
        (one.name, one.hosts, link("/hosts", {"group": group, "os": one.kind, "osVersion": one.version}))
        for one in counted[:_SYSTEMS]
    ]
    if rest := sum(one.hosts for one in counted[_SYSTEMS:]):
        shown.append((f"{len(counted) - _SYSTEMS} others", rest, ""))
    return charts.bars(shown)


def trend(found: Board) -> charts.Trend | None:
    """Return the lines over the days asked for; days without a sample are gaps."""
    if len(found.days or ()) < _FEWEST_DAYS:
        return None
    known = {one.day: one for one in found.days or ()}
    last = found.at.date()
    days = [last - timedelta(days=ago) for ago in range(found.asked.days - 1, -1, -1)]
    outdated = tuple(known[day].outdated if day in known else None for day in days)
    security = tuple(known[day].security if day in known else None for day in days)
    return charts.trend(
        days,
        (charts.Series("Outdated packages", outdated), charts.Series("With a security update", security, "bad")),
    )
