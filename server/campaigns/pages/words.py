"""How campaigns, their hosts and their windows are put into words on pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from server.campaigns import rules
from server.campaigns.models import LIVE, HostState, Row, Status
from server.campaigns.rules import Happening

State = Literal["good", "attention", "bad", "neutral"]
S = Status
H = HostState
P = Happening

_STATUS: Final[Mapping[Status, tuple[str, State]]] = {
    S.DRAFT: ("Draft", "neutral"),
    S.AWAITING_APPROVAL: ("Awaiting approval", "attention"),
    S.SCHEDULED: ("Scheduled", "neutral"),
    S.RUNNING: ("Running", "neutral"),
    S.SOAKING: ("Soaking", "neutral"),
    S.CHECKING: ("Checking", "neutral"),
    S.PAUSED: ("Paused", "attention"),
    S.STOPPED: ("Stopped", "bad"),
    S.COMPLETED: ("Completed", "good"),
    S.ABANDONED: ("Abandoned", "neutral"),
    S.MISSED: ("Missed", "bad"),
    S.EXPIRED: ("Window over", "attention"),
}
STATUSES: Final = (("active", "Active"), *((str(status), word) for status, (word, _) in _STATUS.items()))
#: Host states in the order of a bar: what is done first, what is left last.
HOST_STATES: Final[Mapping[HostState, tuple[str, State]]] = {
    H.SUCCEEDED: ("succeeded", "good"),
    H.FAILED: ("failed", "bad"),
    H.CANCELLED: ("stopped", "bad"),
    H.RUNNING: ("running", "attention"),
    H.QUEUED: ("queued", "neutral"),
    H.WITHDRAWN: ("withdrawn", "neutral"),
    H.SKIPPED: ("skipped", "neutral"),
    H.WAITING: ("waiting", "neutral"),
}
_CHECKS: Final[Mapping[str, tuple[str, State]]] = {
    "running": ("Check is running", "neutral"),
    "passed": ("Check passed", "good"),
    "failed": ("Check failed", "bad"),
    "overruled": ("Check overruled", "attention"),
}
_OPTIONS: Final = (
    ("security_only", "Security updates only"),
    ("full_upgrade", "Full upgrade"),
    ("snapshot", "Snapshot before"),
    ("reboot", "Restart"),
    ("hold_patterns", "Held back"),
    ("allow_patterns", "Only packages like"),
    ("pre_playbook", "Playbook before"),
    ("post_playbook", "Playbook after"),
)
_REBOOTS: Final = {"never": "never", "if_required": "if the updates need one", "always": "always"}
_MOST_NAMES: Final = 4


def status_word(status: str) -> tuple[str, State]:
    """Return the badge of a campaign's state: its word and its colour."""
    return _STATUS[Status(status)]


def counts(found: Mapping[str, int]) -> list[tuple[str, int, State]]:
    """Return how many hosts are where as (word, number, colour), as the bar shows them."""
    return [(word, found.get(state, 0), colour) for state, (word, colour) in HOST_STATES.items()]


def check_word(status: str) -> tuple[str, State] | None:
    """Return the badge of what was checked after a wave, if anything was."""
    return _CHECKS.get(status)


def what(plan: Mapping[str, Any]) -> str:
    """Return what is done on every host."""
    work = plan["work"]
    names = work["package_names"]
    if work["patch_type"] == "patch_all":
        return "Security updates" if work["options"]["security_only"] else "All updates"
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def waves(plan: Mapping[str, Any]) -> str:
    """Return the plan of waves as it is typed: ``1, 10%, rest``."""
    return ", ".join(_share(one) for one in plan["waves"])


def _share(one: Mapping[str, Any]) -> str:
    if one["host_ids"]:
        return f"{len(one['host_ids'])} named"
    return f"{one['percent']}%" if one["percent"] is not None else str(one["hosts"] or "rest")


def facts(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return how a campaign goes about it, as (label, text); what is not said is each host's policy's."""
    told = [
        ("What", what(plan)),
        ("Waves", waves(plan) or "all at once"),
        ("Soak between waves", f"{plan['soak_minutes']} min" if plan["soak_minutes"] else "none"),
        ("Stops above", f"{plan['max_failure_percent']} % failures in a wave"),
        ("Check between waves", plan["check_playbook"] or "none"),
    ]
    options = plan["work"]["options"]
    return [*told, *((label, _value(key, options[key])) for key, label in _OPTIONS[1:] if options[key])]


def _value(key: str, value: object) -> str:
    if key == "reboot":
        return _REBOOTS.get(str(value), str(value))
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "yes" if value is True else str(value)


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign in a list."""

    id: str
    url: str
    name: str
    what: str
    dry_run: bool
    word: str
    state: State
    live: bool
    reason: str
    counts: list[tuple[str, int, State]]
    hosts: int
    done: int
    wave: int
    waves: int
    window: str
    by: str
    at: datetime
    finished_at: datetime | None


def row(found: Row) -> CampaignRow:
    """Return a campaign as a list shows it."""
    word, state = status_word(found["status"])
    numbers = found["counts"]
    open_ones = sum(numbers.get(one, 0) for one in (H.WAITING, H.QUEUED, H.RUNNING))
    total = sum(numbers.values())
    return CampaignRow(
        id=str(found["id"]),
        url=f"/patching/campaigns/{found['id']}",
        name=found["name"],
        what=what(found["plan"]),
        dry_run=found["dry_run"],
        word=word,
        state=state,
        live=found["status"] in LIVE,
        reason=found["reason"],
        counts=counts(numbers),
        hosts=total,
        done=total - open_ones,
        wave=found["wave"],
        waves=found["waves"],
        window=found["window_name"] or "",
        by=found["created_by"] or "",
        at=found["started_at"] or found["starts_at"] or found["created_at"],
        finished_at=found["finished_at"],
    )


def may(status: str, happening: Happening) -> bool:
    """Tell whether this can happen to a campaign in this state."""
    return rules.after(Status(status), happening) is not None


def joined(values: Sequence[str]) -> str:
    """Return lines as a text field takes them."""
    return "\n".join(values)
