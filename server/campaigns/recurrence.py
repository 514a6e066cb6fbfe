"""When windows open: their expressions in their time zones, and blackout days."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from typing import Final
from zoneinfo import ZoneInfo

from server.campaigns.models import Blackout, Occurrence, Window
from server.core import recurrence as core
from server.core import zones
from server.core.recurrence import openings

_LONGEST_MINUTES: Final = 10_080
_MOST_NOTICE_HOURS: Final = 720
_LOOKED_AT: Final = 60
_MOST_BLACKOUTS: Final = 200


def occurrences(window: Window, after: datetime, until: datetime) -> Iterator[Occurrence]:
    """Yield the openings of a window after ``after`` and up to ``until``, those on blackout days marked."""
    zone = ZoneInfo(window.timezone)
    for starts_at in openings(window.cron, window.timezone, after):
        if starts_at > until:
            return
        yield _occurrence(window, starts_at, zone)


def next_occurrences(window: Window, now: datetime, count: int) -> list[Occurrence]:
    """Return the next so many openings that are not blacked out, within two years."""
    ahead = occurrences(window, now, now + timedelta(days=731))
    return list(islice((one for one in ahead if not one.blackout), count))


def _occurrence(window: Window, starts_at: datetime, zone: ZoneInfo) -> Occurrence:
    ends_at = starts_at + timedelta(minutes=window.duration_minutes)
    first = starts_at.astimezone(zone).date()
    if (out := _blackout_on(window.blackouts, first)) is not None:
        return Occurrence(starts_at, ends_at, out.name or "Blackout")
    day = first + timedelta(days=1)
    while (midnight := datetime.combine(day, time.min, zone).astimezone(UTC)) < ends_at:
        if _blackout_on(window.blackouts, day) is not None:
            return Occurrence(starts_at, midnight)
        day += timedelta(days=1)
    return Occurrence(starts_at, ends_at)


def _blackout_on(blackouts: Sequence[Blackout], day: date) -> Blackout | None:
    return next((one for one in blackouts if one.first <= day <= one.last), None)


def complaints_of(window: Window, now: datetime) -> dict[str, str]:
    """Return what is wrong with when a window opens, field by field."""
    wrong: dict[str, str] = {}
    if not 1 <= window.duration_minutes <= _LONGEST_MINUTES:
        wrong["duration_minutes"] = f"duration_minutes must be between 1 and {_LONGEST_MINUTES}"
    if not 0 <= window.notice_hours <= _MOST_NOTICE_HOURS:
        wrong["notice_hours"] = f"notice_hours must be between 0 and {_MOST_NOTICE_HOURS}"
    if len(window.blackouts) > _MOST_BLACKOUTS:
        wrong["blackouts"] = f"More than {_MOST_BLACKOUTS} blackouts"
    if any(one.last < one.first for one in window.blackouts):
        wrong["blackouts"] = "A blackout cannot end before it begins"
    if window.timezone not in zones.known():
        return {"timezone": "timezone must be an IANA name, such as Europe/Berlin", **wrong}
    return _complaints_of_cron(window, now) | wrong


def _complaints_of_cron(window: Window, now: datetime) -> dict[str, str]:
    if wrong := core.complaints_of(window.cron, window.timezone, now):
        return wrong
    moments = core.coming(window.cron, window.timezone, now, _LOOKED_AT)
    shortest = min((later - earlier for earlier, later in pairwise(moments)), default=None)
    if shortest is not None and timedelta(minutes=window.duration_minutes) > shortest:
        return {"duration_minutes": "The window would still be open when it opens again"}
    return {}
