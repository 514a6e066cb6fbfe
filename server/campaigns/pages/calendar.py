"""The calendar of what will run when: a month or a week, in the time zone of who looks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from aiohttp import web

from server.campaigns import calendar
from server.campaigns.calendar import Blackedout, Calendar, Conflict, Entry
from server.campaigns.models import Status
from server.campaigns.pages import words
from server.campaigns.pages.frame import CRUMB, MODULE, VIEW, may_manage, may_plan
from server.core import zones
from server.web.formats import link
from server.web.render import Page, render
from server.web.routing import Routes, call, gated

routes: Final = Routes()

_HERE: Final = "/patching/calendar"
#: js/calendar.js keeps the browser's time zone there.
_COOKIE: Final = "zone"
_DAY: Final = timedelta(days=1)
_WEEK: Final = 7
_MOST_OF_A_DAY: Final = 5
_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Mark:
    """Something on a day: ``left`` and ``width`` are percent of the day."""

    title: str
    url: str
    hours: str
    word: str
    state: str
    hosts: int
    left: float
    width: float
    conflict: bool


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the grid."""

    date: date
    beside: bool
    today: bool
    marks: list[Mark]
    more: int
    blackouts: list[str]


@dataclass(frozen=True, slots=True)
class Clash:
    """Two windows that get in each other's way, so many times; the next time and its hosts."""

    titles: str
    times: int
    starts_at: datetime
    hosts: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CalendarPage(Page):
    """templates/campaigns/calendar.html.

    Attributes:
        view: month or week.
        heading: what is shown, as people say it.
        earlier, now, later, other: addresses.
        policies: the daily times of policies, which start nothing by themselves.
    """

    template: ClassVar[str] = "campaigns/calendar.html"
    title: ClassVar[str] = "Calendar"
    view: str
    heading: str
    earlier: str
    now: str
    later: str
    other: str
    zone: str
    zones: Sequence[str]
    shown: str
    weeks: list[tuple[Day, ...]]
    clashes: list[Clash]
    policies: list[tuple[str, str]]
    can_manage: bool
    can_plan: bool


@routes.get("/patching/calendar")
@gated(VIEW, module=MODULE)
async def show(request: web.Request) -> web.Response:
    """Show a month (``month=2026-11``) or the week of a day (``week=2026-11-23``)."""
    asked = call(request)
    zone = _zone(request)
    today = asked.now.astimezone(zone).date()
    week = _day(request.query.get("week", ""))
    month = (_day(f"{request.query.get('month', '')}-01") or today).replace(day=1)
    first, last = _span(week, month)
    since, until = _midnight(first, zone), _midnight(last + _DAY, zone)
    found = await calendar.between(asked, since, until)
    days = [first + n * _DAY for n in range((last - first).days + 1)]
    shown_month = None if week is not None else month.month
    page = CalendarPage(
        view="month" if week is None else "week",
        heading=f"{month:%B %Y}" if week is None else f"{first.day} {first:%B} \u2013 {last.day} {last:%B %Y}",
        earlier=_month(month - _DAY) if week is None else _week(first - _WEEK * _DAY),
        now=_HERE if week is None else _week(today),
        later=_month(month + 31 * _DAY) if week is None else _week(first + _WEEK * _DAY),
        other=_week(today if month == today.replace(day=1) else month) if week is None else _month(first),
        zone=zone.key,
        zones=zones.offered(),
        shown=f"{month:%Y-%m}" if week is None else first.isoformat(),
        weeks=_weeks([_on(one, found, zone, today, shown_month) for one in days]),
        clashes=_clashes(found.conflicts, asked.now),
        policies=_policies(found),
        can_manage=may_manage(request),
        can_plan=may_plan(request),
    )  # fmt: skip
    return render(request, page, breadcrumbs=(CRUMB, ("Calendar", "")))


def _clashes(conflicts: Sequence[Conflict], now: datetime) -> list[Clash]:
    pairs: dict[frozenset[str], list[Conflict]] = {}
    for one in conflicts:
        if one.ends_at > now:
            pairs.setdefault(frozenset((one.first, one.second)), []).append(one)
    return [
        Clash(
            f"{first.first_title} and {first.second_title}", len(all_), first.starts_at, first.hosts, first.host_names
        )
        for all_ in pairs.values()
        for first in all_[:1]
    ]


def _policies(found: Calendar) -> list[tuple[str, str]]:
    daily = (one for one in found.entries if one.kind == "policy")
    return sorted({(one.title, f"{one.starts_at.astimezone(UTC):%H:%M} UTC") for one in daily})


def _weeks(days: list[Day]) -> list[tuple[Day, ...]]:
    return [tuple(days[start : start + _WEEK]) for start in range(0, len(days), _WEEK)]


def _zone(request: web.Request) -> ZoneInfo:
    wanted = request.query.get("zone") or request.cookies.get(_COOKIE, "")
    return ZoneInfo(wanted if wanted in zones.known() else "UTC")


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    # Room for the weeks before and after.
    return found if 1970 <= found.year <= 9000 else None  # noqa: PLR2004 (years)


def _span(week: date | None, month: date) -> tuple[date, date]:
    """Return the first and last day of the grid: whole weeks from Monday."""
    first = week or month
    last = first if week is not None else (month + 31 * _DAY).replace(day=1) - _DAY
    first -= first.weekday() * _DAY
    return first, last + (_WEEK - 1 - last.weekday()) * _DAY


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _month(day: date) -> str:
    return link(_HERE, month=f"{day:%Y-%m}")


def _week(day: date) -> str:
    return link(_HERE, week=(day - day.weekday() * _DAY).isoformat())


def _on(day: date, found: Calendar, zone: ZoneInfo, today: date, month: int | None) -> Day:
    begins, ends = _midnight(day, zone), _midnight(day + _DAY, zone)
    there = [
        _mark(one, begins, ends, zone, found.conflicts)
        for one in found.entries
        if one.kind != "policy" and one.starts_at < ends and (one.ends_at or one.starts_at + _DAY / _MINUTES) > begins
    ]
    most = _MOST_OF_A_DAY if month is not None else len(there)
    return Day(
        day, month is not None and day.month != month, day == today, there[:most], max(0, len(there) - most),
        [_out(one) for one in found.blackouts if one.first <= day.isoformat() <= one.last],
    )  # fmt: skip


def _out(one: Blackedout) -> str:
    return f"{one.name or 'Blackout'} ({one.title})"


def _mark(one: Entry, begins: datetime, ends: datetime, zone: ZoneInfo, conflicts: Sequence[Conflict]) -> Mark:
    starts, stops = max(one.starts_at, begins), min(one.ends_at or one.starts_at, ends)
    left = (starts - begins) / (ends - begins) * 100
    word, state = _status(one)
    return Mark(
        title=one.title,
        url=_url(one),
        hours=_hours(one, zone),
        word=word,
        state=state,
        hosts=one.hosts,
        left=round(left, 2),
        width=round(max(1.5, (stops - starts) / (ends - begins) * 100), 2),
        conflict=any(one.id in {c.first, c.second} and c.starts_at < ends and c.ends_at > begins and
                     one.starts_at < c.ends_at and (one.ends_at or one.starts_at) > c.starts_at for c in conflicts),
    )  # fmt: skip


def _hours(one: Entry, zone: ZoneInfo) -> str:
    starts = f"{one.starts_at.astimezone(zone):%H:%M}"
    return f"{starts}\u2013{one.ends_at.astimezone(zone):%H:%M}" if one.ends_at is not None else starts


def _status(one: Entry) -> tuple[str, str]:
    if one.status == "planned":
        return "Window", "planned"
    if one.status == "blackout":
        return f"Closed: {one.note}", "out"
    if one.kind == "run":
        return f"Scheduled runs{f', {one.note}' if one.note else ''}", "neutral"
    word, state = words.status_word(Status(one.status))
    return (f"{word}, {one.note.lower()}" if one.note else word), state


def _url(one: Entry) -> str:
    if one.campaign is not None:
        return f"/patching/campaigns/{one.campaign}"
    if one.kind == "run":
        return link("/patching", tab="runs", batch=one.id)
    return "/patching/windows"
