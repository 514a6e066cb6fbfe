"""How times, durations, numbers and links are written on pages; the filters and functions that templates may use."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from markupsafe import Markup

from server.core import clock
from server.core.words import counted, number, plural
from server.web.ansi import to_html
from server.web.assets import asset

MINUTE_SECONDS: Final = 60
HOUR_SECONDS: Final = 3600
DAY_SECONDS: Final = 86400
TENTHS_BELOW_SECONDS: Final = 10
SHORTEST_SECONDS: Final = 0.05

# Above this many days the date says more than a count of days.
RELATIVE_DAYS: Final = 60

Value = str | int | bool | None | Sequence[str]


def ago(at: datetime | None) -> str:
    """Return a moment in words relative to now: ``3 min ago``, ``in 2 h``, ``never`` for none."""
    if at is None:
        return "never"
    seconds = (clock.now() - at).total_seconds()
    amount = abs(seconds)
    if amount < TENTHS_BELOW_SECONDS:
        return "just now"
    if amount >= RELATIVE_DAYS * DAY_SECONDS:
        return at.strftime("%Y-%m-%d")
    text = _largest_unit(amount)
    return f"{text} ago" if seconds >= 0 else f"in {text}"


def _largest_unit(seconds: float) -> str:
    for size, unit in ((DAY_SECONDS, "d"), (HOUR_SECONDS, "h"), (MINUTE_SECONDS, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def exact(at: datetime | None) -> str:
    """Return the moment to the second, in UTC."""
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(at: datetime | None) -> str:
    """Return the moment as machines read it."""
    return "" if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def duration(seconds: float | None) -> str:
    """Return how long something took: ``< 0.1 s``, ``1.2 s``, ``42 s``, ``3 min 05 s``, ``2 h 04 min``."""
    if seconds is None:
        return ""
    if seconds < SHORTEST_SECONDS:
        return "< 0.1 s"
    if seconds < TENTHS_BELOW_SECONDS:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < MINUTE_SECONDS:
        return f"{whole} s"
    if whole < HOUR_SECONDS:
        return f"{whole // MINUTE_SECONDS} min {whole % MINUTE_SECONDS:02d} s"
    return f"{whole // HOUR_SECONDS} h {whole % HOUR_SECONDS // MINUTE_SECONDS:02d} min"


def stopwatch(seconds: float | None) -> str:
    """Return a running time as a stopwatch shows it: ``0:42``, ``12:03``, ``1:02:03``."""
    if seconds is None:
        return ""
    whole = int(seconds)
    minutes, rest = whole // MINUTE_SECONDS, whole % MINUTE_SECONDS
    if minutes < MINUTE_SECONDS:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // MINUTE_SECONDS}:{minutes % MINUTE_SECONDS:02d}:{rest:02d}"


def link(path: str, parameters: Mapping[str, Value] | None = None, /, **changes: Value) -> str:
    """Return ``path`` with the parameters that have a value; ``changes`` win over ``parameters``.

    Empty text, ``None`` and ``False`` are left out, so that a page without filters has a plain address.
    """
    merged = {**(parameters or {}), **changes}
    kept = {key: _query_value(value) for key, value in merged.items() if value or (value == 0 and value is not False)}
    if not kept:
        return path
    return f"{path}{'&' if '?' in path else '?'}{urlencode(kept, doseq=True)}"


def _query_value(value: Value) -> str | list[str]:
    if isinstance(value, str | bool | int) or value is None:
        return "1" if value is True else str(value)
    return [str(one) for one in value]


def origin(text: str) -> tuple[str, str]:
    """Return where a package comes from as (the part that tells, the place); the place may be empty.

    ``http://deb.debian.org/debian bookworm/main`` is ``bookworm/main`` at ``deb.debian.org``; a bare name is itself.
    """
    address, _, rest = text.strip().partition(" ")
    scheme, colon, path = address.partition(":")
    if not colon or not path.startswith("/"):
        return text.strip(), ""
    place = f"/{path.lstrip('/')}" if scheme == "file" else path.lstrip("/").partition("/")[0]
    return (rest, place) if rest else (place, "")


def ansi(text: str) -> Markup:
    """Return terminal output as safe HTML, colours as classes."""
    return Markup(to_html(text))  # noqa: S704 (to_html escapes every character that came in)


FILTERS: Final[dict[str, Callable[..., str]]] = {
    "ago": ago,
    "exact": exact,
    "iso": iso,
    "duration": duration,
    "stopwatch": stopwatch,
    "number": number,
    "counted": counted,
    "plural": plural,
    "ansi": ansi,
}

FUNCTIONS: Final[dict[str, Callable[..., str | tuple[str, str]]]] = {"link": link, "origin": origin, "asset": asset}
