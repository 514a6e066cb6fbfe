"""The only place that asks what time it is."""

from collections.abc import Callable
from datetime import UTC, datetime

_source: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731 (replaced whole by fixed clocks)


def now() -> datetime:
    """Return the present moment, aware and in UTC."""
    return _source()


def set_source(source: Callable[[], datetime] | None) -> None:
    """Replace the clock (tests, time travel); ``None`` brings the real one back."""
    global _source  # noqa: PLW0603 (one clock per process is the point)
    _source = source or (lambda: datetime.now(UTC))
