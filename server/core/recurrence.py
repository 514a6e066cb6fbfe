"""When cron expressions are due: read in their time zones, also on the days clocks change."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from server.core import zones

_FIELDS: Final = 5
_MINUTE: Final = timedelta(minutes=1)


def openings(cron: str, timezone: str, after: datetime) -> Iterator[datetime]:
    """Yield the moments after ``after``, in UTC, at which a cron expression is due in a time zone.

    An hour that the clock skips in spring is made up for at the first minute behind the gap; an hour it repeats in
    autumn counts once. An expression with ``*`` for the hour means every hour that passes, so nothing is moved there.
    """
    zone = ZoneInfo(timezone)
    if cron.split()[1].startswith("*"):
        yield from (moment.astimezone(UTC) for moment in CronSim(cron, after.astimezone(zone)))
        return
    last = after
    # A day earlier: while an hour is repeated the wall clock alone cannot say what is already past.
    for local in CronSim(cron, after.astimezone(zone).replace(tzinfo=None) - timedelta(days=1)):
        moment = _existing(local, zone)
        if moment > last:
            last = moment
            yield moment


def _existing(local: datetime, zone: ZoneInfo) -> datetime:
    found = local.replace(tzinfo=zone)
    while found.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != found.replace(tzinfo=None):
        found += _MINUTE
    return found.astimezone(UTC)


def coming(cron: str, timezone: str, now: datetime, count: int) -> list[datetime]:
    """Return the next so many moments."""
    return list(islice(openings(cron, timezone, now), count))


def complaints_of(cron: str, timezone: str, now: datetime) -> dict[str, str]:
    """Return what is wrong with an expression (``cron``) or a zone (``timezone``); nothing when both can be used."""
    if timezone not in zones.known():
        return {"timezone": "timezone must be an IANA name, such as Europe/Berlin"}
    if len(cron.split()) != _FIELDS:
        return {"cron": "cron must have five fields: minute, hour, day of month, month, day of week"}
    try:
        found = coming(cron, timezone, now, 1)
    except CronSimError as error:
        return {"cron": f"cron must be minute, hour, day of month, month, day of week: {error}"}
    return {} if found else {"cron": "This never comes"}
