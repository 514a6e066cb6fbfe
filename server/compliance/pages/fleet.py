"""Lists over the fleet: hosts, rules, history."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.compliance import schemas, service
from server.compliance.models import Sought, Verdicts
from server.compliance.pages import frame
from server.compliance.pages.frame import (
    CRUMB,
    KINDS,
    MANAGE,
    SCAN_WORDS,
    SEVERITIES,
    STATES,
    VERDICTS,
    VIEW,
    Now,
)
from server.hosts.models import Tab
from server.web.filters import Filter
from server.web.render import Page, render
from server.web.routing import Routes, call, gated
from server.web.tables import Bulk, Column, Listing, Table, Wanted, listing, parse, settled

routes: Final = Routes()

MODES: Final = {"enabled": "Scheduled", "on-demand": "On-demand", "disabled": "Disabled"}
HOSTS: Final = Table(
    name="compliance-hosts",
    path="/compliance/hosts",
    noun="host",
    columns=(
        Column("host", "Host", sortable=True, place="title", fixed=True),
        Column("status", "Status", place="state"),
        Column("score", "Score", sortable=True, numeric=True, first="asc"),
        Column("waived_score", "With waivers", sortable=True, numeric=True, first="asc"),
        Column("activity", "Last activity", sortable=True, first="desc"),
        Column("passed", "Passed", sortable=True, numeric=True, first="desc"),
        Column("failed", "Failed", sortable=True, numeric=True, first="desc"),
        Column("waived", "Waived", sortable=True, numeric=True, first="desc", wide_only=True),
        Column("skipped", "Skipped", sortable=True, numeric=True, first="desc", wide_only=True),
        Column("scanner", "Scanner status", wide_only=True),
        Column("mode", "Mode", sortable=True, wide_only=True),
        Column("scanners", "Scanners", wide_only=True),
        Column("run", "Run", fixed=True),
    ),
    filters=(
        Filter(
            "status",
            "Status",
            "choice",
            (*((name, word) for name, (word, _) in VERDICTS.items()), ("behind", "Not compliant")),
        ),
        Filter("kind", "Profile type", "choice", KINDS),
        Filter("mode", "Mode", "choice", tuple(MODES.items())),
    ),
    search="Search hosts",
    sort="host",
    bulk=(Bulk("Scan…", "/compliance/choose", "player-play", "primary", permission=MANAGE),),
    empty="No host has compliance switched on. Set a host's mode under Integrations, and apply it.",
    empty_icon="shield",
)
RULES: Final = Table(
    name="compliance-rules",
    path="/compliance/rules",
    noun="rule",
    columns=(
        Column("title", "Rule", sortable=True, place="title", fixed=True),
        Column("severity", "Severity", sortable=True, place="state"),
        Column("section", "Section", sortable=True, wide_only=True),
        Column("kind", "Profile type", wide_only=True),
        Column("failed", "Failed", sortable=True, numeric=True, first="desc"),
        Column("warned", "Warned", sortable=True, numeric=True, first="desc"),
        Column("passed", "Passed", sortable=True, numeric=True, first="desc"),
        Column("total", "Hosts", sortable=True, numeric=True, first="desc"),
    ),
    filters=(
        Filter("status", "Status", "choice", STATES),
        Filter("severity", "Severity", "choice", SEVERITIES),
        Filter("kind", "Profile type", "choice", KINDS),
        Filter("host", "Host", hint="The id of one host"),
    ),
    search="Search rules, references and sections",
    sort="failed",
    direction="desc",
    size=25,
    empty="No host handed in a scan yet.",
    empty_icon="checklist",
)
HISTORY: Final = Table(
    name="compliance-history",
    path="/compliance/history",
    noun="scan",
    columns=(
        Column("host", "Host", place="title", fixed=True),
        Column("status", "Status", place="state"),
        Column("profile", "Profile"),
        Column("started", "Started"),
        Column("duration", "Duration", wide_only=True),
        Column("score", "Score", numeric=True),
        Column("total", "Total", numeric=True, wide_only=True),
        Column("passed", "Passed", numeric=True),
        Column("failed", "Failed", numeric=True),
        Column("warned", "Warnings", numeric=True, wide_only=True),
        Column("skipped", "Skipped", numeric=True, shown=False),
        Column("not_applicable", "N/A", numeric=True, shown=False),
        Column("error", "Error", place="prose"),
    ),
    filters=(
        Filter("status", "Status", "choice", tuple((name, word) for name, (word, _) in SCAN_WORDS.items())),
        Filter("kind", "Profile type", "choice", KINDS),
        Filter("host", "Host", hint="The id of one host"),
    ),
    search="Search hosts and profiles",
    size=25,
    empty="No scan yet. Run one from the Hosts tab, or wait for the schedule.",
    empty_icon="history",
)


@dataclass(frozen=True, slots=True)
class ListPage(Page):
    """templates/compliance/list.html; ``tab`` says what the rows are.

    Attributes:
        words: by state its word and colour.
    """

    template: ClassVar[str] = "compliance/list.html"
    title: ClassVar[str] = "Security Compliance"
    tab: str
    tabs: list[Tab]
    cards: Verdicts
    now: Now
    listing: Listing
    rows: Sequence[dict[str, Any]]
    can_manage: bool


def sought(wanted: Wanted, *, extra: str = "") -> Sought:
    """Return what the address of a list asks for."""
    return Sought(
        status=wanted.value("status"),
        severity=wanted.value("severity"),
        kind=wanted.value("kind"),
        host=wanted.value("host"),
        search=wanted.search,
        sort=wanted.sort,
        direction=wanted.direction,
        limit=wanted.window.size,
        offset=wanted.window.offset,
        extra={extra: wanted.value(extra)} if extra else {},
    )


async def _shown(
    request: web.Request, tab: str, wanted: Wanted, rows: Sequence[dict[str, Any]], total: int
) -> web.Response:
    asked = call(request)
    headers = settled(request, wanted)
    page = ListPage(
        tab=tab,
        tabs=frame.tabs(tab),
        cards=await service.verdicts(asked),
        now=await frame.now(request),
        listing=listing(wanted, total, may=asked.actor.may),
        rows=rows,
        can_manage=frame.may_manage(request),
    )
    title = next(one.title for one in page.tabs if one.active)
    return render(
        request, page, status=400 if wanted.complaints else 200, headers=headers, breadcrumbs=(CRUMB, (title, ""))
    )


@routes.get("/compliance/hosts")
@gated(VIEW)
async def show_hosts(request: web.Request) -> web.Response:
    """Show the hosts that compliance is on for, or that ever scanned."""
    if not await frame.is_on(request):
        return frame.off(request)
    wanted = parse(HOSTS, request.query)
    rows, total = await service.host_list(call(request), sought(wanted, extra="mode"))
    return await _shown(request, "hosts", wanted, [host_row(row) for row in rows], total)


def host_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a host's line with its words."""
    told = schemas.host_view(row)
    scanning = [frame.scanner_word(one) for one in row["task_scanners"] or ()]
    return {
        **row,
        "url": f"/compliance/hosts/{row['id']}",
        "verdict": frame.verdict(row["score"], scanned=row["completed_at"] is not None),
        "percent": frame.percent(row["score"]),
        "waived_percent": frame.percent(told["score_with_waivers"]),
        "scanner_status": told["scanner_status"],
        "mode_word": MODES[row["mode"]],
        "scanners": ", ".join(told["scanners"]) or "-",
        "scanning": told["scanning"],
        "waiting": told["waiting"],
        "scanning_word": scanning[0] if len(scanning) == 1 else "Scanning…",
    }


@routes.get("/compliance/rules")
@gated(VIEW)
async def show_rules(request: web.Request) -> web.Response:
    """Show every rule that any host was held against."""
    if not await frame.is_on(request):
        return frame.off(request)
    wanted = parse(RULES, request.query)
    rows, total = await service.rule_list(call(request), sought(wanted))
    # Lists make a heading of a row's ``section``.
    shown = [{**row, "url": f"/compliance/rules/{row['id']}", "part": row["section"], "section": ""} for row in rows]
    return await _shown(request, "rules", wanted, shown, total)


@routes.get("/compliance/history")
@gated(VIEW)
async def show_history(request: web.Request) -> web.Response:
    """Show all scans ever, newest first."""
    if not await frame.is_on(request):
        return frame.off(request)
    wanted = parse(HISTORY, request.query)
    rows, total = await service.history(call(request), sought(wanted))
    return await _shown(request, "history", wanted, [scan_row(row) for row in rows], total)


def scan_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a scan's line with its words."""
    return {
        **row,
        "url": f"/compliance/hosts/{row['host_id']}",
        "state": SCAN_WORDS[row["status"]],
        "percent": frame.percent(row["score"]),
        "seconds": (row["completed_at"] - row["started_at"]).total_seconds() if row["completed_at"] else None,
    }
