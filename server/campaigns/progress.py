"""How far a campaign is, and when it may be done."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import quantiles
from typing import Final

from server.campaigns.models import LIVE, OPEN, HostState, Progress, Standing, Status

_NOT_DONE: Final = {HostState.WAITING, *OPEN}
_CHECK_SECONDS: Final = 60.0


def progress_of(at: Standing, counts: Mapping[str, int], durations_seconds: Sequence[float], now: datetime) -> Progress:
    """Return how far a campaign is.

    Args:
        at: where it stands.
        counts: hosts by state, those the asker sees.
        durations_seconds: how long the runs took that are over.
        now: what the expectation counts from.
    """
    total = sum(counts.values())
    done = total - sum(counts.get(state, 0) for state in _NOT_DONE)
    # What begins is something too: a run under way counts half.
    halves = counts.get(HostState.RUNNING, 0)
    percent = int((done + halves / 2) * 100 / total) if total else 0
    return Progress(total, done, percent, dict(counts), _expected_end_at(at, durations_seconds, now))


def _expected_end_at(at: Standing, durations_seconds: Sequence[float], now: datetime) -> datetime | None:
    if at.status not in LIVE or not durations_seconds or not at.waves:
        return None
    # A wave lasts as long as its slowest hosts.
    slow = quantiles(durations_seconds, n=10)[-1] if len(durations_seconds) > 1 else durations_seconds[0]
    run = timedelta(seconds=slow)
    gate = timedelta(minutes=at.plan.soak_minutes, seconds=_CHECK_SECONDS if at.plan.check_playbook else 0)
    wave = at.waves[at.wave - 1]
    left = timedelta()
    if wave.finished_at is None:
        left = max(timedelta(), run - (now - (wave.started_at or now)))
    later = len(at.waves) - at.wave
    if later and wave.finished_at is not None:
        left += max(timedelta(), wave.finished_at + gate - now)
    elif later:
        left += gate
    left += later * run + max(0, later - 1) * gate
    return now + left


def is_open(status: Status) -> bool:
    """Tell whether something may still happen to a campaign by itself."""
    return status in {*LIVE, Status.PAUSED, Status.SCHEDULED, Status.AWAITING_APPROVAL}
