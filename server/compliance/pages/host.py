"""One host: its newest scan rule by rule, how its score went, and what can be done."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Final

from aiohttp import web

from server.compliance import baselines, guides, rules, schemas, service
from server.compliance.baselines import Baseline
from server.compliance.guides import Offer
from server.compliance.models import PROFILES, Sought, Target, Task
from server.compliance.outline import Profile
from server.compliance.pages import frame
from server.compliance.pages.fleet import scan_row, sought
from server.compliance.pages.frame import CRUMB, MANAGE, SEVERITIES, STATE_WORDS, STATES, VIEW
from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import Action, HostHead, Tab
from server.web import charts
from server.web.charts import Series, Trend
from server.web.filters import Filter
from server.web.formats import link
from server.web.navigation import HostTab, host_tabs
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Bulk, Column, Listing, Table, listing, parse, settled

routes: Final = Routes()
#: The pages of a host show it once the host has handed in a scan (``hosts.service.framed``).
HOST_TABS: Final = (HostTab("compliance", "Compliance", 40, VIEW),)
_DAYS: Final = 30
_RECENT: Final = 5

RESULTS: Final = Table(
    name="compliance-results",
    path="/compliance/hosts/{host}",
    noun="rule",
    columns=(
        Column("rule", "Rule", place="title", fixed=True),
        Column("status", "Status", place="state"),
        Column("severity", "Severity"),
        Column("section", "Section", wide_only=True),
        Column("details", "Details", place="prose", fixed=True),
    ),
    filters=(
        Filter("status", "Status", "choice", STATES),
        Filter("severity", "Severity", "choice", SEVERITIES),
        Filter("waived", "Waiver", "choice", (("yes", "Waived"), ("no", "Not waived"))),
        Filter("kind", "Profile type", "choice", frame.KINDS),
    ),
    search="Search rules",
    size=25,
    empty="This scan looked at no rule.",
    empty_icon="checklist",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a host stands, as both of its pages show it.

    Attributes:
        scan: the scan that is shown; ``None`` before the first one.
        chips: word, number, address, whether it is what is shown, and its colour.
        kinds: word, address and whether it is shown, for hosts with several scanners.
        listing: what that scan found; ``None`` without a scan.
        waived_percent: the score in which waived rules do not count; empty where none is waived.
        baseline: the scan that this one is held against; ``groups`` those that the host can be.
        doing: what the host is asked to do now, in words.
    """

    target: Target
    base: str
    connected: bool
    scan: dict[str, Any] | None
    percent: str
    waived_percent: str
    verdict: tuple[str, str]
    is_old: bool
    chips: list[tuple[str, int, str, bool, str]]
    kinds: list[tuple[str, str, bool]]
    listing: Listing | None
    rows: list[dict[str, Any]]
    trend: Trend | None
    history: list[dict[str, Any]]
    baseline: Baseline | None
    groups: list[dict[str, object]]
    tasks: list[Task]
    doing: str
    seconds: int
    can_scan: bool
    can_manage: bool
    can_export: bool
    offers: list[Offer]
    cannot_tailor: bool
    can_choose: bool
    scanners: list[tuple[str, str]]
    ssg: str
    setup: str


@dataclass(frozen=True, slots=True)
class HostPage(Page):
    """templates/compliance/host.html."""

    template: ClassVar[str] = "compliance/host.html"
    title: ClassVar[str] = "Compliance"
    standing: Standing


@dataclass(frozen=True, slots=True)
class HostTabPage(Page):
    """templates/compliance/host_tab.html; without the module ``standing`` is ``None``."""

    template: ClassVar[str] = "compliance/host_tab.html"
    title: ClassVar[str] = "Compliance"
    host: HostHead
    tabs: list[Tab]
    actions: list[Action]
    standing: Standing | None
    can_switch: bool


@routes.get("/compliance/hosts/{host}")
@gated(VIEW)
async def show(request: web.Request) -> web.Response:
    """Show how a host stands."""
    if not await frame.is_on(request):
        return frame.off(request)
    one = await service.target(call(request), path_text(request, "host"))
    standing, headers = await _standing(request, one, f"/compliance/hosts/{one.uuid}")
    crumbs = (CRUMB, ("Hosts", "/compliance/hosts"), (one.name, ""))
    return render(request, HostPage(standing), headers=headers, breadcrumbs=crumbs)


@routes.get("/hosts/{host}/compliance")
@gated(VIEW)
async def show_tab(request: web.Request) -> web.Response:
    """Show the same as a tab of the host's page."""
    asked = call(request)
    head, tabs, actions = await hosts.framed(asked, path_text(request, "host"), host_tabs(request), "compliance")
    crumbs = (("Hosts", "/hosts"), (head.name, head.url), ("Compliance", ""))
    if not await frame.is_on(request):
        switch = asked.actor.may("can_manage_settings")
        page = HostTabPage(head, tabs, actions, None, switch)
        return render(request, page, breadcrumbs=crumbs)
    one = await service.target(asked, head.id)
    standing, headers = await _standing(request, one, f"{head.url}/compliance")
    page = HostTabPage(head, tabs, actions, standing, can_switch=False)
    return render(request, page, headers=headers, breadcrumbs=crumbs)


async def _standing(request: web.Request, one: Target, base: str) -> tuple[Standing, dict[str, str]]:
    asked = call(request)
    wanted = parse(replace(RESULTS, path=base, bulk=_bulk(one)), request.query)
    found = await service.latest(asked, one.uuid)
    kind = wanted.value("kind")
    scan = next((row for row in found if not kind or row["kind"] == kind), None)
    rows, total = await service.results(asked, scan["id"], sought(wanted, extra="waived")) if scan else ([], 0)
    tasks = await service.tasks_of(asked, one)
    open_tasks = [task for task in tasks if task.status in rules.OPEN]
    manages, connected = frame.may_manage(request), await service.is_connected(asked, one)
    offered = await guides.offers(asked, [one.uuid])
    standing = Standing(
        target=one,
        base=base,
        connected=connected,
        scan=scan_row(scan) if scan else None,
        **_score(asked, scan),
        chips=_chips(wanted.value("status"), base, kind, scan) if scan else [],
        kinds=[(frame.scanner_word(row["kind"]), link(base, kind=row["kind"]), row is scan) for row in found],
        listing=listing(wanted, total, may=asked.actor.may) if scan else None,
        rows=[_result(row) for row in rows],
        trend=_trend(await service.trend(asked, one.uuid, _DAYS), asked.now.date()),
        history=await _history(asked, one),
        baseline=await baselines.fetch(asked, one.uuid, scan["kind"], scan["id"]) if scan else None,
        groups=await hosts.list_groups(asked),
        tasks=tasks[:_RECENT],
        doing=_doing(open_tasks),
        seconds=5 if open_tasks else frame.IDLE_SECONDS,
        can_scan=manages and connected and one.mode != "disabled" and not any(t.kind == "scan" for t in open_tasks),
        can_manage=manages,
        can_export=asked.actor.may("can_export_data"),
        offers=_offers(one, offered),
        cannot_tailor=one.native and any(offer.tailored for offer in offered),
        can_choose=asked.actor.may("can_manage_hosts"),
        scanners=[(name, frame.scanner_word(name)) for name in one.enabled],
        ssg=_ssg(one),
        setup=str((one.told or {}).get("status") or ""),
    )
    return standing, settled(request, wanted)


def _score(asked: Call, scan: dict[str, Any] | None) -> dict[str, Any]:
    score = scan["score"] if scan else None
    return {
        "percent": frame.percent(score),
        "waived_percent": frame.percent(rules.waived_score(scan)) if scan and scan["waived"] else "",
        "verdict": frame.verdict(score, scanned=scan is not None),
        "is_old": scan is not None and service.is_old(scan["completed_at"], asked.now),
    }


def _offers(one: Target, offered: Sequence[Offer]) -> list[Offer]:
    """Return what is offered for a host: what its agent can take, and behind it what only its agent knows."""
    known = [offer for offer in offered if not (one.native and offer.tailored)]
    names = {each.id for offer in known for each in offer.profiles} | {name for name, _, _ in PROFILES}
    told = [
        Profile(each["id"], each["name"])
        for each in schemas.profiles(schemas.told_profiles(one))
        if each["type"] == "openscap" and each["id"] not in names
    ]
    return [*known, Offer("As its agent says", tuple(told))] if told else known


def _ssg(one: Target) -> str:
    info = (one.told or {}).get("scanner_info") or {}
    return str(info.get("ssg_version") or "") if isinstance(info, dict) else ""


async def _history(asked: Call, one: Target) -> list[dict[str, Any]]:
    rows, _ = await service.history(asked, Sought(host=one.uuid, limit=_RECENT))
    return [scan_row(row) for row in rows]


def _doing(tasks: Sequence[Task]) -> str:
    words = {
        "scan": "Scanning…",
        "remediate": "Remediating…",
        "install": "Installing the scanner…",
        "upgrade": "Upgrading SSG…",
    }
    for task in tasks:
        return words[task.kind] if task.started_at is not None or task.kind != "scan" else "Triggering…"
    return ""


def _chips(status: str, base: str, kind: str, scan: dict[str, Any]) -> list[tuple[str, int, str, bool, str]]:
    shown = (
        ("pass", "Passed", "passed", "good"), ("fail", "Failed", "failed", "bad"),
        ("warn", "Warning", "warned", "attention"), ("notapplicable", "N/A", "not_applicable", "neutral"),
    )  # fmt: skip
    return [
        (
            word,
            scan[column],
            link(base, kind=kind or None, status=None if status == name else name),
            status == name,
            tone,
        )
        for name, word, column, tone in shown
    ]


def _bulk(one: Target) -> tuple[Bulk, ...]:
    """Return what can be done with chosen rules; an existing agent fixes one at a time."""
    if one.native:
        return ()
    return (Bulk("Remediate…", f"/compliance/hosts/{one.uuid}/remedy", "tool", "primary", permission=MANAGE),)


def _result(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "part": row["section"],
        "section": "",
        "url": f"/compliance/rules/{row['rule_id']}",
        "id": row["ref"],
        "name": row["title"],
        "word": STATE_WORDS[row["state"]],
        "why": rules.why(row["finding"] or []),
        "can_waive": row["state"] in rules.WAIVABLE and row["waived_until"] is None,
        "can_remediate": row["kind"] == "openscap" and row["state"] == "f",
    }


def _trend(rows: Sequence[dict[str, Any]], today: date) -> Trend | None:
    """Return the last score of each day by each scanner; a day without a scan keeps the one before."""
    if len(rows) < 2:  # noqa: PLR2004 (a line has two ends)
        return None
    days = [today - timedelta(days=back) for back in range(_DAYS, -1, -1)]
    tones: dict[str, charts.Tone] = {"openscap": "accent", "docker-bench": "second"}
    series = []
    for kind, tone in tones.items():
        at: dict[date, int] = {
            _day(row["completed_at"]): round(row["score"]) for row in rows if row["profile_type"] == kind
        }
        if not at:
            continue
        values: list[int | None] = []
        for day in days:
            values.append(at.get(day, values[-1] if values else None))
        series.append(Series(frame.scanner_word(kind), tuple(values), tone))
    return charts.trend(days, series) if series else None


def _day(at: datetime) -> date:
    return at.date()
