"""When the next check-in is due, and whether it is a full report."""

from __future__ import annotations

_FULL_EVERY = 24
_SECONDS_PER_MINUTE = 60


def next_at(now: float, interval_minutes: int, offset_seconds: int) -> float:
    """Return the next moment, in seconds since the epoch, that is ``offset`` into an interval.

    Intervals are counted on the clock, not from this process's start: a fleet that starts at one moment still spreads.
    """
    interval = interval_minutes * _SECONDS_PER_MINUTE
    begun = now - (now - offset_seconds) % interval
    return begun + interval


def is_full(tick: int) -> bool:
    """Say whether this tick (counted from 1) sends everything whatever the hashes say."""
    return tick % _FULL_EVERY == 0
