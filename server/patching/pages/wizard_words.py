"""What the patch wizard says: what will happen where and when, in one sentence per step."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from server.core.words import counted
from server.patching.choosing import Planned, Tried, When, together
from server.patching.models import RunOptions, Status, Target, Work
from server.patching.pages.wizard_state import State
from server.patching.pages.words import type_word

_MOST_NAMES = 3


def _some(names: Sequence[str]) -> str:
    if len(names) <= _MOST_NAMES:
        return " and ".join(part for part in (", ".join(names[:-1]), names[-1] if names else "") if part)
    return f"{', '.join(names[:_MOST_NAMES])} and {len(names) - _MOST_NAMES} more"


def what(state: State) -> str:
    """Return what is updated, as the middle of a sentence."""
    if state.what == "packages":
        return _some(state.packages) if state.packages else "the chosen packages"
    return {"all": "all updates", "security": "all security updates"}.get(state.what, "updates")


def where(targets: Sequence[Target]) -> str:
    """Return on which hosts."""
    return targets[0].name if len(targets) == 1 else counted(len(targets), "host")


def title(state: State, targets: Sequence[Target]) -> str:
    """Return the heading: what it is about as far as that is known."""
    if state.approving:
        return f"Approve & Patch: {where(targets)}" if targets else "Approve & Patch"
    there = f" on {where(targets)}" if targets else ""
    if state.what == "packages":
        return f"Update {what(state)}{there}"
    security = ", security updates only" if state.what == "security" else ""
    return f"Patch {where(targets) if targets else 'hosts'}{security}"


def does(state: State, targets: Sequence[Target]) -> str:
    """Return what the runs will do, as a sentence without its end."""
    verb = "updates" if state.what == "packages" else "installs"
    return f"This {verb} {what(state)} on {where(targets)}"


def begins(when: When | Planned, now: datetime) -> str:
    """Return when hosts begin, and by which policy."""
    if when.overridden:
        return f"Runs immediately, without waiting for {when.policy}"
    if when.due_at is None:
        return f"Runs immediately via {when.policy}"
    at = when.due_at.astimezone(UTC)
    far = when.due_at - now >= timedelta(days=1)
    return f"Runs at {at.strftime('%Y-%m-%d %H:%M' if far else '%H:%M')} UTC via {when.policy}"


def times(found: Sequence[When], now: datetime) -> str:
    """Return when everything begins, as one sentence."""
    if len(found) == 1:
        return f"{begins(found[0], now)}."
    said = "; ".join(f"{_lower(begins(one, now))} ({where(one.hosts)})" for one in found)
    return f"{said[:1].upper()}{said[1:]}."


def tried(found: Sequence[Tried]) -> str:
    """Return how the dry runs stand."""
    over = [one for one in found if not one.alive]
    good = sum(one.status == Status.VALIDATED for one in over)
    nothing = sum(one.status == Status.DRY_RUN_COMPLETED for one in over)
    failed = sum(one.failed for one in over)
    parts = [
        *([f"{good} validated"] if good else []),
        *([f"{nothing} with nothing to update"] if nothing else []),
        *([f"{failed} failed"] if failed else []),
    ]
    said = f": {', '.join(parts)}" if parts else ""
    return f"{len(over)} of {counted(len(found), 'host')} tried{said}. Nothing has been changed on any host."


def fires(state: State, found: Sequence[Tried]) -> str:
    """Return what the last button is called."""
    if state.later:
        return "Submit for approval"
    if state.approving:
        skipped = all(one.status == Status.PENDING_VALIDATION for one in found)
        return "Skip & Patch" if skipped else "Approve & Patch"
    return "Approve & Patch" if state.batches else "Queue & patch"


def what_of(work: Work, options: RunOptions) -> str:
    """Return what a host's run patches, in few words."""
    return type_word(work.patch_type, work.package_names, security_only=bool(options.security_only))


def extras(options: RunOptions) -> list[str]:
    """Return how far a run goes beyond that, in few words each."""
    found = [
        (options.full_upgrade, "full upgrade"),
        (options.hold_patterns, f"without {' '.join(options.hold_patterns or ())}"),
        (options.allow_patterns, f"only {' '.join(options.allow_patterns or ())}"),
        (options.snapshot, "snapshot first"),
        (options.pre_playbook, f"{options.pre_playbook} before"),
        (options.reboot == "if_required", "restarts if required"),
        (options.reboot == "always", "restarts afterwards"),
        (options.post_playbook, f"{options.post_playbook} after"),
    ]
    return [words for said, words in found if said]


def end(state: State, found: Sequence[Planned], now: datetime) -> str:
    """Return what the last button does."""
    targets = [one.target for one in found]
    if state.later:
        whose = "Its dry run waits" if len(targets) == 1 else "Their dry runs wait"
        if state.batches:
            return f"Nothing is installed yet. {whose} until somebody approves."
        return f"Nothing is sent to {where(targets)} until somebody approves."
    begin = times(together(found), now)
    if state.approving:
        return f"{counted(len(targets), 'run')} {'is' if len(targets) == 1 else 'are'} approved. {begin}"
    return f"{does(state, targets)}. {begin}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
