"""How freshly a host is patched, as lists and pages show it; the room patching keeps it up to date."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

#: What the columns are called in statements that join ``host_patching f``.
COLUMNS: Final = """f.last_success_at as patched_at, coalesce(f.last_status, '') as patch_status,
           coalesce(f.consecutive_failures, 0) as patch_failures, coalesce(f.cause, '') as patch_cause,
           coalesce(f.last_error, '') as patch_error, f.last_run as patch_run"""
_NAMES: Final = ("patched_at", "patch_status", "patch_failures", "patch_cause", "patch_error", "patch_run")
_WORDS: Final = {
    "completed": ("Patched", "good"),
    "failed": ("Failed", "bad"),
    "timed_out": ("Took too long", "bad"),
    "agent_disconnected": ("Agent disconnected", "bad"),
    "cancelled": ("Stopped", "neutral"),
}


@dataclass(frozen=True, slots=True)
class Patched:
    """What the patch runs of a host amount to; checking in is not patching.

    Attributes:
        at: the end of the last real run that succeeded; ``None`` for never.
        status: how the last real run ended, which is ``run``.
        failures: failed runs in a row since; ``cause`` in few words, ``error`` as the last of them said it.
        stale: not patched for longer than it should be; a host that never was has as long from when it was added.
    """

    at: datetime | None = None
    status: str = ""
    failures: int = 0
    cause: str = ""
    error: str = ""
    run: str | None = None
    stale: bool = False

    @property
    def word(self) -> str:
        """What people call how the last run ended."""
        return _WORDS.get(self.status, ("", ""))[0]

    @property
    def state(self) -> str:
        """The colour of it."""
        return _WORDS.get(self.status, ("", "neutral"))[1]

    @property
    def failing(self) -> str:
        """How often it failed and why, in one line; empty when it does not."""
        times = f"{self.failures} times in a row" if self.failures > 1 else "the last time"
        return f"Patching failed {times}: {self.cause}" if self.failures else ""


#: A host that was never patched, and need not have been.
NOT_YET: Final = Patched()


def taken(row: dict[str, Any], stale_before: datetime, *, joined: bool) -> Patched:
    """Take what ``COLUMNS`` named out of a row that also has ``created_at``."""
    at, status, failures, cause, error, run = (row.pop(name) for name in _NAMES)
    return Patched(at, status, failures, cause, error, run, joined and (at or row["created_at"]) < stale_before)


def as_json(found: Patched) -> Mapping[str, object]:
    """Return it as programs get it."""
    return {
        "last_patched_at": found.at,
        "last_patch_status": found.status or None,
        "patch_failures": found.failures,
        "patch_failure_cause": found.cause or None,
        "patch_stale": found.stale,
    }
