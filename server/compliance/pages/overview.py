"""The overview of the fleet, and the settings."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.compliance import rules, service
from server.compliance.content import Content
from server.compliance.models import PROFILES, SYSTEMS, Verdicts
from server.compliance.pages import frame
from server.compliance.pages.frame import CRUMB, KINDS, VIEW, Now
from server.hosts import service as hosts
from server.hosts.models import Tab
from server.settings import service as settings
from server.web import charts
from server.web.charts import Bar, Donut
from server.web.formats import link
from server.web.render import Page, render
from server.web.routing import Routes, call, gated

routes: Final = Routes()
APPROVALS: Final = (
    ("anyone", "Anyone who may manage compliance"),
    ("second_person", "Somebody else than who asked for it"),
)
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
    """templates/compliance/overview.html; ``kind`` is the scanner whose analysis is shown, empty for all.

    ``waived`` are how many failing or warning rules are waived, and on how many hosts.
    """

    template: ClassVar[str] = "compliance/overview.html"
    title: ClassVar[str] = "Security Compliance"
    tabs: list[Tab]
    cards: Verdicts
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
    waived_average: str
    waived: tuple[int, int]
    can_manage: bool
    can_export: bool
    groups: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class SettingsPage(Page):
    """templates/compliance/settings.html; ``systems`` is the table of what each profile is offered for."""

    template: ClassVar[str] = "compliance/settings.html"
    title: ClassVar[str] = "Compliance settings"
    tabs: list[Tab]
    cards: Verdicts
    mode: str
    modes: tuple[tuple[str, str], ...]
    interval: int
    intervals: tuple[tuple[int, str], ...]
    approval: str
    approvals: tuple[tuple[str, str], ...]
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
    return render(request, _page(request, board, await frame.now(request), await hosts.list_groups(asked)))


def _page(request: web.Request, board: service.Board, now: Now, groups: list[dict[str, object]]) -> OverviewPage:
    s, kind = board.summary, board.kind
    return OverviewPage(
        tabs=frame.tabs("overview"),
        cards=board.verdicts,
        now=now,
        kind=kind,
        kinds=[
            ("All Scans", "/compliance", not kind),
            *((word, link("/compliance", profile_type=name), name == kind) for name, word in KINDS),
        ],
        is_empty=not s["total_hosts"],
        severities=_severities(board),
        results=_results(board),
        profiles=_profiles(board),
        ages=charts.bars([(word, int(s[name]), "") for name, word in _AGES], "accent"),
        standing=_standing(board.verdicts),
        scores=charts.bars(
            [(word, int(number), "") for word, number in zip(_FIFTHS, s["scores"], strict=True)], "third"
        ),
        sections=_sections(board),
        top=board.top,
        worst=[{**one, "verdict": frame.VERDICTS[rules.verdict(one["score"])]} for one in board.worst],
        average=frame.percent(None if s["average_score"] is None else float(s["average_score"])),
        waived_average=frame.percent(None if s["waived_score"] is None else float(s["waived_score"])),
        waived=(int(s["waived"]), int(s["hosts_waived"])),
        can_manage=frame.may_manage(request),
        can_export=call(request).actor.may("can_export_data"),
        groups=groups,
    )


def _rules(board: service.Board, **narrowed: str) -> str:
    return link("/compliance/rules", {"kind": board.kind or None}, **narrowed)


def _severities(board: service.Board) -> Donut:
    return charts.donut(
        [
            (name.capitalize(), int(number), _rules(board, status="fail", severity=name), _TONES[name])
            for name, number in board.severities
        ]
    )


def _results(board: service.Board) -> Donut:
    s = board.summary
    return charts.donut(
        [
            ("Pass", int(s["passed"]), _rules(board, status="pass"), "good"),
            ("Fail", int(s["failed"]), _rules(board, status="fail"), "bad"),
            ("Warning", int(s["warnings"]), _rules(board, status="warn"), "attention"),
        ]
    )


def _profiles(board: service.Board) -> tuple[Bar, ...]:
    known = dict(KINDS)
    return charts.bars(
        [
            (frame.scanner_word(one), number, link("/compliance", profile_type=one) if one in known else "")
            for one, number in sorted(board.kinds.items(), reverse=True)
        ],
        "second",
    )


def _standing(cards: Verdicts) -> tuple[Bar, ...]:
    numbers = {
        "compliant": cards.compliant,
        "warning": cards.warning,
        "critical": cards.critical,
        "unscanned": cards.unscanned,
    }
    return charts.bars(
        [(frame.VERDICTS[one][0], number, link("/compliance/hosts", status=one)) for one, number in numbers.items()],
        "good",
        "attention",
        "bad",
        "neutral",
    )


def _sections(board: service.Board) -> tuple[Bar, ...]:
    url = link("/compliance/rules", kind="docker-bench", status="warn")
    return charts.bars(
        [(one["section"] or "No section", int(one["warned"]), url) for one in board.sections if one["warned"]],
        "attention",
    )


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
        cards=await service.verdicts(asked),
        mode=found.default_compliance_mode,
        modes=MODES,
        interval=minutes,
        intervals=INTERVALS if minutes in known else (*INTERVALS, (minutes, f"{minutes} minutes")),
        approval=found.compliance_remediation_approval,
        approvals=APPROVALS,
        content=await service.content_here(asked),
        systems=SYSTEMS,
        profiles=[title for _, title, kind in PROFILES if kind == "openscap"],
        can_change=any(asked.actor.may(one) for one in (frame.MANAGE, "can_manage_settings")),
    )
    return render(request, page, breadcrumbs=(CRUMB, ("Settings", "")))
