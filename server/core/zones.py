"""The names of the time zones this machine knows."""

from functools import cache
from zoneinfo import available_timezones


@cache
def known() -> frozenset[str]:
    """Return every name; the first call reads some six hundred files, so it is made before the server listens."""
    return frozenset(available_timezones())


@cache
def offered() -> tuple[str, ...]:
    """Return the names people choose from: UTC, then places in order."""
    return ("UTC", *sorted(one for one in known() if "/" in one))
