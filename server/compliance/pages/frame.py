"""What stands around the pages of compliance: whether the module is on, tabs, the five cards."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.compliance import models, rules, service
from server.compliance.models import SCANNERS, TITLES
from server.hosts.models import Tab
from server.identity import service as identity
from server.web.render import Page, render
from server.web.routing import call

VIEW: Final = "can_view_reports"
MANAGE: Final = "can_manage_compliance"
MODULE: Final = "compliance"
CRUMB: Final = ("Security Compliance", "/compliance")
KINDS: Final = tuple((one, TITLES[one]) for one in SCANNERS)
SEVERITIES: Final = tuple((one, one.capitalize()) for one in models.SEVERITIES)
STATES: Final = (
    ("fail", "Fail"),
    ("warn", "Warning"),
    ("pass", "Pass"),
    ("error", "Error"),
    ("skipped", "Skipped"),
    ("notapplicable", "N/A"),
)
#: By letter: the word, and its colour.
STATE_WORDS: Final = {
    "p": ("Pass", "good"),
    "f": ("Fail", "bad"),
    "w": ("Warning", "attention"),
    "s": ("Skipped", "neutral"),
    "n": ("N/A", "neutral"),
    "e": ("Error", "attention"),
}
SCAN_WORDS: Final = {
    "running": ("Running", "neutral"),
    "completed": ("Completed", "good"),
    "failed": ("Failed", "bad"),
    "cancelled": ("Cancelled", "neutral"),
}
VERDICTS: Final = {
    "compliant": ("Compliant", "good"),
    "warning": ("Warning", "attention"),
    "critical": ("Critical", "bad"),
    "unscanned": ("Never scanned", "neutral"),
}
_TABS: Final = (
    ("overview", "Overview", "/compliance"),
    ("hosts", "Hosts", "/compliance/hosts"),
    ("rules", "Scan Results", "/compliance/rules"),
    ("history", "History", "/compliance/history"),
    ("waivers", "Waivers", "/compliance/waivers"),
    ("remedies", "Remediations", "/compliance/remedies"),
    ("benchmarks", "Benchmarks", "/compliance/benchmarks"),
    ("settings", "Settings", "/compliance/settings"),
)
BUSY_SECONDS: Final = 30
IDLE_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class OffPage(Page):
    """templates/compliance/off.html."""

    template: ClassVar[str] = "compliance/off.html"
    title: ClassVar[str] = "Security Compliance"
    can_switch: bool


@dataclass(frozen=True, slots=True)
class Now:
    """What goes on: scans that run, hosts that were asked and did not begin, and how soon to look again."""

    active: list[dict[str, Any]]
    waiting: list[dict[str, Any]]
    stalled: list[dict[str, Any]]
    seconds: int


def tabs(active: str) -> list[Tab]:
    """Return the tabs of the page."""
    return [Tab(name, title, url, name == active) for name, title, url in _TABS]


async def now(request: web.Request) -> Now:
    """Return what goes on."""
    asked = call(request)
    active, waiting = await service.active(asked), await service.waiting(asked)
    limit = asked.now - rules.STALLED_AFTER
    # Who was just asked is shown at once, and no longer than a minute once the host had time to say that it began.
    return Now(
        active,
        waiting,
        [row for row in active if row["started_at"] < limit],
        5 if waiting else BUSY_SECONDS if active else IDLE_SECONDS,
    )


async def is_on(request: web.Request) -> bool:
    """Tell whether the module is switched on."""
    return MODULE in await identity.modules(call(request))


def off(request: web.Request) -> web.Response:
    """Show that compliance is switched off."""
    return render(request, OffPage(call(request).actor.may("can_manage_settings")))


def may_manage(request: web.Request) -> bool:
    """Tell whether this person triggers, cancels, installs and remediates."""
    return call(request).actor.may(MANAGE)


def verdict(score: float | None, *, scanned: bool) -> tuple[str, str]:
    """Return how a host stands, as word and colour; a scan none of whose rules applies says nothing about it."""
    return ("No rule applies", "attention") if scanned and score is None else VERDICTS[rules.verdict(score)]


def percent(score: float | None) -> str:
    """Return a score for people."""
    return "-" if score is None else f"{score:.1f} %".replace(".0 %", " %")


def scanner_word(kind: str) -> str:
    """Return what people call a scanner."""
    return TITLES.get(kind, kind)
