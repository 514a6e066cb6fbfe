"""The tabs of a host that look across rooms: summary, package reports, the agent's queue; and comparing."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from aiohttp import web

from server.core.paging import Page as Part
from server.core.paging import Window
from server.dossier import service
from server.dossier.models import SHOWS, Comparison, Deviation, Difference, Happening, Report
from server.hosts import service as hosts
from server.hosts.models import Action, Group, HostHead, Tab
from server.packages.models import Installed
from server.settings import service as settings
from server.web.forms import query_number
from server.web.navigation import HostTab, host_tabs
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

HOST_TABS: Final = (
    HostTab("reports", "Package reports", 60, "can_view_packages"),
    HostTab("queue", "Agent queue", 70),
)
_LINES: Final = 30
_STATE_ROWS: Final = 100
_DEVIATIONS: Final = 50


@dataclass(frozen=True, slots=True)
class HostPage(Page):
    """The frame of every page about one host: templates/hosts/detail.html."""

    template: ClassVar[str] = "hosts/detail.html"
    title: ClassVar[str] = "Host"
    host: HostHead
    tabs: list[Tab]
    actions: list[Action]


@dataclass(frozen=True, slots=True)
class SummaryPage(HostPage):
    """templates/hosts/summary.html."""

    template: ClassVar[str] = "hosts/summary.html"
    facts: list[tuple[str, str]]
    happenings: list[Happening]
    shows: list[tuple[str, str, int | None]]
    show: str
    older: str
    groups: list[tuple[str, str, bool]]
    can_manage: bool
    fleet_updates: bool
    can_repair: bool


@dataclass(frozen=True, slots=True)
class ReportsPage(HostPage):
    """templates/hosts/reports.html."""

    template: ClassVar[str] = "hosts/reports.html"
    page: Part[Report]
    opened: int
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class ReportPage(HostPage):
    """templates/hosts/report.html."""

    template: ClassVar[str] = "hosts/report.html"
    report: Report
    difference: Difference
    installed: Part[Installed]
    total: int
    search: str


@dataclass(frozen=True, slots=True)
class BetweenPage(HostPage):
    """templates/hosts/between.html."""

    template: ClassVar[str] = "hosts/between.html"
    older: Report
    newer: Report
    difference: Difference


@dataclass(frozen=True, slots=True)
class QueuePage(HostPage):
    """templates/hosts/queue.html."""

    template: ClassVar[str] = "hosts/queue.html"
    queue: service.Queue


@dataclass(frozen=True, slots=True)
class ComparePage(HostPage):
    """templates/hosts/compare.html."""

    template: ClassVar[str] = "hosts/compare.html"
    comparison: Comparison
    other: HostHead | None
    deviations: Part[Deviation]
    counts: list[tuple[str, str, int]]
    only: str
    group: str
    groups: list[Group]


async def _framed(request: web.Request, active: str) -> tuple[HostHead, list[Tab], list[Action]]:
    return await hosts.framed(call(request), path_text(request, "host"), host_tabs(request), active)


def _crumbs(head: HostHead, last: str = "") -> tuple[tuple[str, str], ...]:
    if not last:
        return (("Hosts", "/hosts"), (head.name, ""))
    return (("Hosts", "/hosts"), (head.name, head.url), (last, ""))


@routes.get("/hosts/{host}")
@gated("can_view_hosts")
async def summary(request: web.Request) -> web.Response:
    """Show whether a host is fine, and what happened to it."""
    head, tabs, actions = await _framed(request, "summary")
    asked = call(request)
    told = await hosts.details(asked, head)
    show = request.query.get("show", "")
    found = await service.timeline(asked, head, show, _moment(request.query.get("before", "")), _LINES + 1)
    can_manage = asked.actor.may("can_manage_hosts")
    own = {group.id for group in head.group_rows}
    known = await hosts.list_groups(asked) if can_manage else []
    page = SummaryPage(
        head,
        tabs,
        actions,
        facts=[
            ("Operating system", head.os),
            ("Kernel", told["kernel_version"]),
            ("Architecture", told["architecture"]),
            ("Package manager", told["package_manager"]),
            ("Machine ID", told["machine_id"]),
        ],
        happenings=found[:_LINES],
        shows=[(name, word, None) for name, word, _ in SHOWS],
        show=show,
        older=found[_LINES - 1].at.isoformat() if len(found) > _LINES else "",
        groups=[(str(one["id"]), str(one["name"]), str(one["id"]) in own) for one in known],
        can_manage=can_manage,
        fleet_updates=(await settings.effective(asked)).auto_update,
        can_repair=asked.actor.may("can_manage_patching") or asked.actor.may("can_manage_automation"),
    )
    return render(request, page, breadcrumbs=_crumbs(head))


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    return found if found.tzinfo else None


@routes.get("/hosts/{host}/reports")
@gated("can_view_packages")
async def reports(request: web.Request) -> web.Response:
    """Show a host's reports, one of them with what it changed."""
    head, tabs, actions = await _framed(request, "reports")
    asked = call(request)
    page = await service.reports(asked, head, Window(query_number(request, "page", 1), 10))
    at = _moment(request.query.get("at", ""))
    opened = next(
        (one for one in page.items if str(one.id) == request.query.get("open") or (at and one.at == at)), None
    )
    difference = await service.changed_by(asked, head, opened) if opened else None
    shown = ReportsPage(head, tabs, actions, page, opened.id if opened else 0, difference)
    return render(request, shown, breadcrumbs=_crumbs(head, "Package reports"))


@routes.get("/hosts/{host}/reports/between")
@gated("can_view_packages")
async def between(request: web.Request) -> web.Response:
    """Show what differs between two reports."""
    head, tabs, actions = await _framed(request, "reports")
    asked = call(request)
    one = await service.report(asked, head, request.query.get("from", ""))
    other = await service.report(asked, head, request.query.get("to", ""))
    page = BetweenPage(head, tabs, actions, *(await service.between(asked, head, one, other)))
    return render(request, page, breadcrumbs=_crumbs(head, "Two reports"))


@routes.get("/hosts/{host}/reports/{report}")
@gated("can_view_packages")
async def report(request: web.Request) -> web.Response:
    """Show what was installed when a report came, and what it changed."""
    head, tabs, actions = await _framed(request, "reports")
    asked = call(request)
    one = await service.report(asked, head, path_text(request, "report"))
    search = request.query.get("search", "")[:200].replace("\0", "")
    window = Window(query_number(request, "page", 1), _STATE_ROWS)
    found, total = await service.state_at(asked, head, one, search, window)
    page = ReportPage(head, tabs, actions, one, await service.changed_by(asked, head, one), found, total, search)
    return render(request, page, breadcrumbs=_crumbs(head, "Package report"))


@routes.get("/hosts/{host}/queue")
@gated("can_view_hosts")
async def queue(request: web.Request) -> web.Response:
    """Show what the agent has to do, does and did."""
    head, tabs, actions = await _framed(request, "queue")
    found = await service.queue(call(request), head, query_number(request, "limit", 50, most=500))
    return render(request, QueuePage(head, tabs, actions, found), breadcrumbs=_crumbs(head, "Agent queue"))


@routes.get("/hosts/{host}/compare")
@gated("can_view_packages")
async def compare(request: web.Request) -> web.Response:
    """Show how a host differs from hosts like it, or from one of them."""
    head, tabs, actions = await _framed(request, "")
    asked = call(request)
    group = request.query.get("group", "")[:36].replace("\0", "")
    group = group if any(one.id == group for one in head.group_rows) else ""
    other, comparison = None, Comparison(0, 0, [], [])
    if request.query.get("with"):
        other, found = await service.compare_with(asked, head, request.query["with"])
    else:
        comparison = await service.compare(asked, head, group)
        found = comparison.deviations
    kinds = [one.kind for one in found]
    counts = [("missing", "Missing here", kinds.count("missing")), ("extra", "Only here", kinds.count("extra")),
              ("other", "Other version", kinds.count("other"))]  # fmt: skip
    only = request.query.get("only", "") if request.query.get("only") in {"missing", "extra", "other"} else ""
    chosen = [one for one in found if not only or one.kind == only]
    window = Window(query_number(request, "page", 1), _DEVIATIONS)
    part = Part(chosen[window.offset : window.offset + window.size], len(chosen), window)
    page = ComparePage(head, tabs, actions, comparison, other, part, counts, only, group, groups=list(head.group_rows))
    return render(request, page, breadcrumbs=_crumbs(head, "Compare"))
