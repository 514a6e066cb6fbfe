"""The overview of the fleet, and the settings."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.compliance import rules, service
from server.compliance.content import Content
from server.compliance.models import PROFILES, SYSTEMS
from server.compliance.pages import frame
from server.compliance.pages.frame import CRUMB, KINDS, VIEW, Cards, Now
from server.hosts.models import Tab
from server.settings import service as settings
from server.web import charts
from server.web.charts import Bar, Donut
from server.web.formats import link
from server.web.render import Page, render
from server.web.routing import Routes, call, gated

routes: Final = Routes()
INTERVALS: Final = (
    (360, "6 hours"), (720, "12 hours"), (1440, "24 hours"), (2880, "48 hours"), (4320, "3 days"), (10_080, "7 days"),
)  # fmt: skip
MODES: Final = (("disabled", "Disabled"), ("on-demand", "On-Demand"), ("enabled", "Enabled"))
_TONES: Final[dict[str, charts.Tone]] = {
    "critical": "bad",
    "high": "attention",
    "medium": "second",
    "low": "third",
    "unknown": "neutral",
}
_FIFTHS: Final = ("0 to 20", "20 to 40", "40 to 60", "60 to 80", "80 to 100")
_AGES: Final = (("today", "Today"), ("week", "This week"), ("month", "This month"), ("older", "Older"))


@dataclass(frozen=True, slots=True)
class OverviewPage(Page):
    """templates/compliance/overview.html; ``kind`` is the scanner whose analysis is shown, empty for all."""

    template: ClassVar[str] = "compliance/overview.html"
    title: ClassVar[str] = "Security Compliance"
    tabs: list[Tab]
    cards: Cards
    now: Now
    kind: str
    kinds: list[tuple[str, str, bool]]
    is_empty: bool
    severities: Donut
    results: Donut
    profiles: tuple[Bar, ...]
    ages: tuple[Bar, ...]
    standing: tuple[Bar, ...]
    scores: tuple[Bar, ...]
    sections: tuple[Bar, ...]
    top: list[dict[str, Any]]
    worst: list[dict[str, Any]]
    average: str
    can_manage: bool


@dataclass(frozen=True, slots=True)
class SettingsPage(Page):
    """templates/compliance/settings.html; ``systems`` is the table of what each profile is offered for."""

    template: ClassVar[str] = "compliance/settings.html"
    title: ClassVar[str] = "Compliance settings"
    tabs: list[Tab]
    cards: Cards
    mode: str
    modes: tuple[tuple[str, str], ...]
    interval: int
    intervals: tuple[tuple[int, str], ...]
    content: Content
    systems: tuple[str, ...]
    profiles: list[str]
    can_change: bool


@routes.get("/compliance")
@gated(VIEW)
async def show(request: web.Request) -> web.Response:
    """Show how the fleet stands."""
    if not await frame.is_on(request):
        return frame.off(request)
    kind = request.query.get("profile_type", "")
    kind = kind if kind in dict(KINDS) else ""
    asked = call(request)
    board = await service.fleet(asked, kind)
    page = _page(
        board,
        await frame.now(request),
        cards=frame.cards(board if not kind else await service.fleet(asked)),
        can_manage=frame.may_manage(request),
    )
    return render(request, page)


def _page(board: service.Board, now: Now, *, cards: Cards, can_manage: bool) -> OverviewPage:
    s, kind = board.summary, board.kind
    of_kind = {"kind": kind} if kind else {}
    return OverviewPage(
        tabs=frame.tabs("overview"),
        cards=cards,
        now=now,
        kind=kind,
        kinds=[
            ("All Scans", "/compliance", not kind),
            *((word, link("/compliance", profile_type=name), name == kind) for name, word in KINDS),
        ],
        is_empty=not s["total_hosts"],
        severities=charts.donut(
            [
                (name.capitalize(), int(n), link("/compliance/rules", {**of_kind, "status": "fail", "severity": name}),
                 _TONES[name])
                for name, n in board.severities
            ]
        ),
        results=charts.donut(
            [
                ("Pass", int(s["passed"]), link("/compliance/rules", {**of_kind, "status": "pass"}), "good"),
                ("Fail", int(s["failed"]), link("/compliance/rules", {**of_kind, "status": "fail"}), "bad"),
                ("Warning", int(s["warnings"]), link("/compliance/rules", {**of_kind, "status": "warn"}), "attention"),
            ]
        ),
        profiles=charts.bars(
            [
                (frame.scanner_word(one), n, link("/compliance", profile_type=one) if one in dict(KINDS) else "")
                for one, n in sorted(board.kinds.items(), reverse=True)
            ],
            "second",
        ),
        ages=charts.bars([(word, int(s[name]), "") for name, word in _AGES], "accent"),
        standing=charts.bars(
            [
                (word, number, link("/compliance/hosts", status=name))
                for name, word, number in (
                    ("compliant", "Compliant", cards.compliant),
                    ("warning", "Warning", cards.warning),
                    ("critical", "Critical", cards.critical),
                    ("unscanned", "Never scanned", cards.unscanned),
                )
            ],
            "good",
        ),
        scores=charts.bars(
            [
                (word, int(n), "")
                for word, n in zip(_FIFTHS, s["scores"], strict=True)
            ],
            "third",
        ),
        sections=charts.bars(
            [
                (one["section"] or "No section", int(one["warned"]),
                 link("/compliance/rules", kind="docker-bench", status="warn"))
                for one in board.sections
                if one["warned"]
            ],
            "attention",
        ),
        top=board.top,
        worst=[{**one, "verdict": frame.VERDICTS[rules.verdict(one["score"])]} for one in board.worst],
        average=frame.percent(None if s["average_score"] is None else float(s["average_score"])),
        can_manage=can_manage,
    )  # fmt: skip


@routes.get("/compliance/settings")
@gated(VIEW)
async def show_settings(request: web.Request) -> web.Response:
    """Show what the fleet scans by, and the content that hosts get."""
    if not await frame.is_on(request):
        return frame.off(request)
    asked = call(request)
    found = await settings.effective(asked)
    minutes = found.compliance_scan_interval
    known = dict(INTERVALS)
    page = SettingsPage(
        tabs=frame.tabs("settings"),
        cards=frame.cards(await service.fleet(asked)),
        mode=found.default_compliance_mode,
        modes=MODES,
        interval=minutes,
        intervals=INTERVALS if minutes in known else (*INTERVALS, (minutes, f"{minutes} minutes")),
        content=await service.content_here(asked),
        systems=SYSTEMS,
        profiles=[title for _, title, kind in PROFILES if kind == "openscap"],
        can_change=any(asked.actor.may(one) for one in (frame.MANAGE, "can_manage_settings")),
    )
    return render(request, page, breadcrumbs=(CRUMB, ("Settings", "")))
