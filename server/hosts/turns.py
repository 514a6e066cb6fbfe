"""Whose turn it is to take a new agent, and when the others follow."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

#: A host that was offered a version and does not report it within this time is missing.
PATIENCE: Final = timedelta(minutes=30)
_HUNDRED: Final = 100


@dataclass(frozen=True, slots=True)
class RolloutRule:
    """How many of a hundred hosts take a new agent first, and how long the others wait at least."""

    first_percent: int = 10
    wait_minutes: int = 60


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a new agent file reaches the fleet.

    Attributes:
        state: first (some hosts), everywhere or stopped; ``reason`` says why it stopped.
        offered: hosts that were told to take it; ``back`` run it, ``failed`` took it back, ``overdue`` are missing.
    """

    id: int
    file: str
    version: str
    state: str
    reason: str
    begun_at: datetime
    changed_at: datetime
    offered: int = 0
    back: int = 0
    failed: int = 0
    overdue: int = 0


def comes_first(api_id: str, sha256: str, rule: RolloutRule) -> bool:
    """Say whether a host is one of the first: by chance, another one for every file."""
    drawn = int.from_bytes(hashlib.sha256(f"{sha256} {api_id}".encode()).digest()[:4])
    return drawn % _HUNDRED < rule.first_percent


def next_state(rollout: Rollout, rule: RolloutRule, now: datetime) -> tuple[str, str]:
    """Return how a roll-out goes on, and why it stopped."""
    if rollout.state != "first":
        return rollout.state, rollout.reason
    if rollout.failed:
        return "stopped", f"{_hosts(rollout.failed)} took version {rollout.version} back"
    if rollout.overdue:
        minutes = int(PATIENCE.total_seconds() // 60)
        return "stopped", f"{_hosts(rollout.overdue)} did not come back with it within {minutes} minutes"
    waited = now - rollout.begun_at >= timedelta(minutes=rule.wait_minutes)
    if waited and rollout.offered and rollout.back == rollout.offered:
        return "everywhere", ""
    return "first", ""


def _hosts(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"
