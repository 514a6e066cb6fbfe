"""How runs and policies are put into words on pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from server.patching import rules
from server.patching.models import Policy, Status
from server.patching.pages import options as choices
from server.patching.recorded import Line
from server.web.formats import link

State = Literal["good", "attention", "bad", "neutral"]
S = Status

#: The filter's words, in its order; the empty one is everything.
STATUSES: Final = (
    ("", "All"),
    ("active", "Active (queued + running)"),
    ("queued", "Queued"),
    ("pending_validation", "Pending validation"),
    ("pending_approval", "Pending approval"),
    ("validated", "Validated (awaiting approval)"),
    ("approved", "Approved"),
    ("scheduled", "Scheduled"),
    ("running", "Running"),
    ("completed", "Completed"),
    ("failed", "Failed"),
    ("cancelled", "Cancelled"),
)
TYPES: Final = (("", "All"), ("patch_all", "Patch all"), ("patch_package", "Patch package"))
_WORDS: Final[Mapping[Status, tuple[str, State]]] = {
    S.QUEUED: ("Queued", "neutral"),
    S.PENDING_VALIDATION: ("Pending validation", "neutral"),
    S.VALIDATED: ("Validated", "attention"),
    S.PENDING_APPROVAL: ("Pending approval", "attention"),
    S.APPROVED: ("Approved", "good"),
    S.SCHEDULED: ("Scheduled", "neutral"),
    S.RUNNING: ("Running", "neutral"),
    S.COMPLETED: ("Completed", "good"),
    S.DRY_RUN_COMPLETED: ("Dry run completed", "good"),
    S.FAILED: ("Failed", "bad"),
    S.CANCELLED: ("Cancelled", "neutral"),
    S.TIMED_OUT: ("Timed out", "bad"),
    S.AGENT_DISCONNECTED: ("Agent disconnected", "bad"),
}
_MOST_NAMES: Final = 4


def status_word(status: str) -> tuple[str, State]:
    """Return the badge of a status: its word and its colour."""
    return _WORDS[Status(status)]


def type_word(patch_type: str, names: Sequence[str], *, security_only: bool = False) -> str:
    """Return what a run patches: ``Patch all``, or some of the packages' names."""
    if patch_type == "patch_all":
        return "Patch all, security only" if security_only else "Patch all"
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in a list; ``started_word`` says what ``started_at`` is when it is not that."""

    id: str
    name: str
    host_url: str
    url: str
    what: str
    dry_run: bool
    word: str
    state: State
    live: bool
    extra_deps: bool
    initiated_by: str
    error: str
    created_at: datetime
    begun_at: datetime | None
    started_at: datetime
    started_word: str
    completed_at: datetime | None
    can_delete: bool
    can_approve: bool
    can_retry: bool
    can_read: bool

    @property
    def approve_word(self) -> str:
        """What approving it is called: without its dry run it is skipped."""
        return "Skip & Patch" if self.can_retry else "Approve"


def row(line: Line) -> RunRow:
    """Return a run as a list shows it."""
    word, state = status_word(line.status)
    scheduled = line.status == S.SCHEDULED and line.scheduled_at is not None
    return RunRow(
        id=line.id,
        name=line.host_name,
        host_url=f"/hosts/{line.host_id}",
        url=f"/patching/runs/{line.id}",
        what=type_word(line.patch_type, line.package_names, security_only=line.security_only),
        dry_run=line.dry_run,
        word=word,
        state=state,
        live=line.status == S.RUNNING,
        extra_deps=line.extra_deps and line.status == S.VALIDATED,
        initiated_by=line.initiated_by or "",
        error=line.error_message,
        created_at=line.created_at,
        begun_at=line.started_at,
        started_at=(line.scheduled_at if scheduled else None) or line.started_at or line.created_at,
        started_word="Scheduled for" if scheduled else "",
        completed_at=line.completed_at,
        can_delete=line.status in rules.DELETABLE,
        can_approve=line.status in rules.APPROVABLE,
        can_retry=line.status == S.PENDING_VALIDATION and line.dry_run,
        can_read=line.status in rules.OVER,
    )


# ---------------------------------------------------------------- policies


def schedule_word(policy: Mapping[str, Any]) -> str:
    """Return when runs under a policy begin; a fixed time carries its label, whatever zone it fires in."""
    kind = policy["patch_delay_type"]
    if kind == "delayed":
        minutes = policy["delay_minutes"]
        return f"Delayed by {minutes} minute{'' if minutes == 1 else 's'}"
    if kind == "fixed_time":
        return f"Fixed time at {policy['fixed_time_utc']} {policy['timezone'] or 'UTC'}"
    return "Immediate"


def policy_in_effect(snapshot: Mapping[str, Any]) -> str:
    """Return what the run's own copy of its policy says."""
    if not snapshot.get("id"):
        return "Default policy. Runs immediately on trigger."
    whole = {"delay_minutes": None, "fixed_time_utc": None, "timezone": None, "patch_delay_type": "immediate"}
    return f"{snapshot['name']}: {schedule_word({**whole, **snapshot})}" if snapshot.get("name") else ""


def is_default(snapshot: Mapping[str, Any]) -> bool:
    """Tell whether no policy held."""
    return not snapshot.get("id")


def policy_of(fields: Mapping[str, Any], policy_id: str = "") -> Policy:
    """Return the policy that a form describes; what is no number counts as none."""
    minutes = str(fields.get("delay_minutes") or "").strip()
    kind = str(fields.get("patch_delay_type") or "immediate")
    return Policy(
        policy_id,
        str(fields.get("name") or "").strip(),
        kind,  # type: ignore[arg-type]
        int(minutes) if minutes.isdecimal() and len(minutes) < 10 else None,  # noqa: PLR2004 (keeps int() small)
        str(fields.get("fixed_time_utc") or "").strip() or None,
        str(fields.get("timezone") or "").strip() or None,
        str(fields.get("description") or "").strip(),
        choices.read(fields),
    )


# ---------------------------------------------------------------- sentences


def outcome(word: str, done: int, failed: Sequence[str]) -> tuple[str, str]:
    """Return what became of many as (kind, sentence): ``Deleted 5, 1 failed: …``."""
    text = f"{word} {done}"
    if failed:
        text += f", {len(failed)} failed: {failed[0]}"
    return "good" if not failed else "attention" if done else "bad", text


def changes(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the packages of a transaction as templates/automation/_changes.html takes them."""
    return [
        {
            "name": str(one["name"]),
            "from_version": str(one.get("from") or ""),
            "to_version": str(one.get("to") or ""),
            "repository": str(one.get("repository") or ""),
            "security": bool(one.get("security")),
            "requested": one.get("requested") is not False,
            "action": str(one.get("action") or ""),
        }
        for one in rows
        if isinstance(one, Mapping) and one.get("name")
    ]


#: What else may be asked of a run: its key, what it is called, and what its values are called.
_OPTIONS: Final[Sequence[tuple[str, str]]] = (
    ("security_only", "Security only"),
    ("allow_patterns", "Only packages like"),
    ("hold_patterns", "Held back"),
    ("full_upgrade", "Full upgrade"),
    ("reboot", "Restart"),
    ("snapshot", "Snapshot before"),
    ("pre_playbook", "Playbook before"),
    ("post_playbook", "Playbook after"),
)
_REBOOT: Final = {"if_required": "if the updates need one", "always": "always", "never": ""}


def options(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what else was asked of a run or a policy, as (label, text); what is as usual is left out."""
    told = []
    for key, label in _OPTIONS:
        value = found.get(key)
        if not value:
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else "yes" if value is True else str(value)
        text = _REBOOT.get(text, text) if key == "reboot" else text
        if text:
            told.append((label, text))
    return told


def again_url(row: Mapping[str, Any]) -> str:
    """Return where a run that is over can be asked for again."""
    return link(
        "/patching/new",
        {
            "type": row["patch_type"],
            "host": str(row["host_id"]),
            "package": list(row["package_names"]),
            "security": bool(row["security_only"]),
        },
    )
