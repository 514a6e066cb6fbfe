"""Pure decisions about runs: the state machine, the effective policy, when a run begins, what a host's word means."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from server.patching.models import (
    DEFAULT,
    PLAIN,
    Assignment,
    Outcome,
    Policy,
    Run,
    RunOptions,
    Status,
    Target,
    Wanted,
    Word,
    Work,
)

S = Status


class Happening(StrEnum):
    """What can happen to a run."""

    RELEASE = "release"
    START = "start"
    VALIDATE = "validate"
    FIND_NOTHING = "find_nothing"
    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"
    TIME_OUT = "time_out"
    LOSE = "lose"
    APPROVE = "approve"
    RETRY = "retry"


H = Happening

_ENDS: Final = {
    H.VALIDATE: S.VALIDATED,
    H.FIND_NOTHING: S.DRY_RUN_COMPLETED,
    H.COMPLETE: S.COMPLETED,
    H.FAIL: S.FAILED,
    H.CANCEL: S.CANCELLED,
    H.TIME_OUT: S.TIMED_OUT,
    H.LOSE: S.AGENT_DISCONNECTED,
}
_ON_HOST: Final = {H.START: S.RUNNING, **_ENDS}
_APPROVE: Final = {H.APPROVE: S.APPROVED}

#: The whole life of a run. What a host says about a run that was approved meanwhile, or deleted, changes nothing. Time
#: running out and a lost agent are our own guesses: the host's later word corrects them.
MOVES: Final[Mapping[Status, Mapping[Happening, Status]]] = {
    S.SCHEDULED: {H.RELEASE: S.QUEUED, H.FAIL: S.FAILED},
    S.QUEUED: _ON_HOST,
    S.PENDING_VALIDATION: {**_ON_HOST, **_APPROVE, H.RETRY: S.PENDING_VALIDATION},
    S.PENDING_APPROVAL: _APPROVE,
    S.VALIDATED: _APPROVE,
    S.RUNNING: _ENDS,
    S.TIMED_OUT: {h: s for h, s in _ON_HOST.items() if h is not H.TIME_OUT},
    S.AGENT_DISCONNECTED: {h: s for h, s in _ON_HOST.items() if h is not H.LOSE},
    **{status: {} for status in (S.APPROVED, S.COMPLETED, S.DRY_RUN_COMPLETED, S.FAILED, S.CANCELLED)},
}

DELETABLE: Final = frozenset({S.QUEUED, S.PENDING_VALIDATION, S.PENDING_APPROVAL, S.VALIDATED, S.APPROVED, S.SCHEDULED})
APPROVABLE: Final = frozenset({S.VALIDATED, S.PENDING_VALIDATION, S.PENDING_APPROVAL})
STOPPABLE: Final = frozenset({S.RUNNING})
#: What ends a run for who watches it.
OVER: Final = frozenset(
    {
        S.VALIDATED,
        S.APPROVED,
        S.COMPLETED,
        S.DRY_RUN_COMPLETED,
        S.FAILED,
        S.CANCELLED,
        S.TIMED_OUT,
        S.AGENT_DISCONNECTED,
    }
)
#: Over for good as far as stopping and deleting go.
FINISHED: Final = OVER - {S.VALIDATED, S.APPROVED}
FAILED_KINDS: Final = (S.FAILED, S.TIMED_OUT, S.AGENT_DISCONNECTED)

#: So long a host may stay away before its run is given up.
DEADLINE: Final = timedelta(days=30)
#: A result file that was named and has not arrived is waited for this long.
RESULT_PATIENCE: Final = timedelta(seconds=30)
OUTPUT_BYTES: Final = 16 * 1024**2
CUT: Final = "\n--- Output cut here: it is longer than 16 MiB. The job keeps what was printed. ---\n"
_MOST_PACKAGES: Final = 1000
#: Names of every package manager we know (with architecture, epoch or repository), update identifiers of Windows too.
_PACKAGE: Final = re.compile(r"[A-Za-z0-9{][A-Za-z0-9+._:@~/{}-]{0,254}")
_PATTERN: Final = re.compile(r"[A-Za-z0-9*?\[][A-Za-z0-9+._:@~*?\[\]-]{0,254}")
_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
#: A built-in one, or one of a project: the project, a slash and the file without its ending.
_PLAYBOOK: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}|[a-z0-9][a-z0-9_-]{0,39}/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
#: These change the host by themselves; before or after a run they would do what the run is there for.
_NO_HOOKS: Final = frozenset({"patch", "reboot", "repair", "rollback"})
_MOST_PATTERNS: Final = 100
EXEMPT: Final = "The host is exempt from restarts: it will not be restarted."


def after(status: Status, happening: Happening) -> Status | None:
    """Return where a run goes; ``None`` when this changes nothing for a run in this state."""
    return MOVES[Status(status)].get(happening)


# ---------------------------------------------------------------- policies


def effective(
    assignments: Sequence[Assignment], excluded: Collection[str], policies: Mapping[str, Policy], *, on: bool = True
) -> Policy:
    """Return the policy that holds for a host.

    Args:
        assignments: those to the host itself and to its groups, oldest first.
        excluded: the policies that leave this host out, as far as it inherits them.
        policies: by id.
        on: whether policies are switched on at all.
    """
    if not on:
        return DEFAULT
    direct = next((one for one in assignments if one.direct), None)
    found = direct or next((one for one in assignments if one.policy_id not in excluded), None)
    return policies[found.policy_id] if found is not None else DEFAULT


def run_at(policy: Policy, now: datetime) -> datetime | None:
    """Return when a run under this policy begins; ``None`` is at once. Fixed times are UTC, whatever the label says."""
    if policy.patch_delay_type == "delayed":
        return now + timedelta(minutes=policy.delay_minutes or 0)
    if policy.patch_delay_type == "fixed_time" and (found := _TIME.fullmatch(policy.fixed_time_utc or "")):
        today = now.astimezone(UTC).replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
        return today if today > now else today + timedelta(days=1)
    return None


def complaints_of_policy(policy: Policy, zones: Collection[str]) -> dict[str, str]:
    """Return what is wrong with a policy, field by field."""
    wrong: dict[str, str] = {}
    if not 1 <= len(policy.name.strip()) <= 255:  # noqa: PLR2004 (said in the sentence)
        wrong["name"] = "Name is required (max 255 characters)"
    if policy.patch_delay_type not in {"immediate", "delayed", "fixed_time"}:
        wrong["patch_delay_type"] = "patch_delay_type must be immediate, delayed or fixed_time"
    if policy.patch_delay_type == "delayed" and not 1 <= (policy.delay_minutes or 0) <= 525_600:  # noqa: PLR2004 (a year)
        wrong["delay_minutes"] = "delay_minutes must be between 1 and 525600"
    if policy.patch_delay_type == "fixed_time" and not _TIME.fullmatch(policy.fixed_time_utc or ""):
        wrong["fixed_time_utc"] = "fixed_time_utc must be HH:MM"
    if policy.timezone and policy.timezone not in zones:
        wrong["timezone"] = "timezone must be an IANA name"
    return wrong | complaints_of_options(policy.options)


# ---------------------------------------------------------------- triggering


def complaints_of(wanted: Wanted) -> dict[str, str]:
    """Return what is wrong with what was asked for, field by field."""
    work = wanted.work
    wrong: dict[str, str] = {}
    if work.patch_type not in {"patch_all", "patch_package"}:
        wrong["patch_type"] = "patch_type must be patch_all or patch_package"
    if not wanted.hosts and not wanted.groups:
        wrong["host_id"] = "host_id is required"
    wrong |= _complaints_of_packages(work)
    if wanted.submit and work.dry_run:
        wrong["submit_for_approval"] = "A dry run needs no approval"
    if wanted.validate_only and not work.dry_run:
        wrong["validate_only"] = "validate_only is for dry runs"
    return wrong | complaints_of_options(work.options)


def complaints_of_options(options: RunOptions) -> dict[str, str]:
    """Return what is wrong with a run's or a policy's options, field by field."""
    wrong: dict[str, str] = {}
    for name in ("hold_patterns", "allow_patterns"):
        patterns = getattr(options, name) or ()
        if len(patterns) > _MOST_PATTERNS:
            wrong[name] = f"More than {_MOST_PATTERNS} patterns"
        elif bad := [one for one in patterns if not is_pattern(one)]:
            wrong[name] = f"Invalid pattern: {bad[0][:60]}"
    if options.security_only and options.full_upgrade:
        wrong["full_upgrade"] = "full_upgrade and security_only exclude each other"
    for name in ("pre_playbook", "post_playbook"):
        playbook = getattr(options, name)
        if playbook and (playbook in _NO_HOOKS or not _PLAYBOOK.fullmatch(playbook)):
            wrong[name] = f"{name} cannot be {playbook[:60]}"
    return wrong


def is_pattern(text: str) -> bool:
    """Tell whether a text is a pattern for names of packages."""
    return _PATTERN.fullmatch(text) is not None


def _complaints_of_packages(work: Work) -> dict[str, str]:
    names = work.package_names
    if work.patch_type == "patch_package" and not names:
        return {"package_names": "package_name or package_names is required for patch_package"}
    if work.patch_type == "patch_all" and names:
        return {"package_names": "patch_all takes no package names"}
    for field in ("security_only", "full_upgrade"):
        if work.patch_type == "patch_package" and getattr(work.options, field):
            return {field: f"{field} is for patch_all"}
    if len(names) > _MOST_PACKAGES:
        return {"package_names": f"More than {_MOST_PACKAGES} packages"}
    if bad := [name for name in names if not _PACKAGE.fullmatch(name)]:
        return {"package_names": f"Invalid package name: {bad[0][:60]}"}
    return {}


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a new run begins: its first state, when it is due (``None``: not by itself, or now), and whether now."""

    status: Status
    scheduled_at: datetime | None = None
    now: bool = False


def beginning(
    work: Work, policy: Policy, now: datetime, *, submit: bool = False, immediately: bool = False
) -> Beginning:
    """Return how a new run begins. A dry run waits for no policy; nothing that waits for approval has a time."""
    if submit:
        return Beginning(S.PENDING_APPROVAL)
    if work.dry_run:
        return Beginning(S.PENDING_VALIDATION, now=True)
    due_at = None if immediately else run_at(policy, now)
    return Beginning(S.QUEUED, now=True) if due_at is None else Beginning(S.SCHEDULED, due_at)


def work_for(work: Work, policy: Policy, target: Target) -> tuple[Work, tuple[str, ...]]:
    """Return what a run does to this host, every option said, and in sentences where that is not what was asked for.

    What the call says wins over the policy; what holds for the host holds in any case.
    """
    asked, notes = work.options, []
    found = asked.over(policy.options).over(PLAIN)
    if work.patch_type == "patch_package":
        found = replace(found, security_only=False, full_upgrade=False)
    elif found.security_only and found.full_upgrade:
        if asked.full_upgrade:
            notes.append(f"No full upgrade: the policy {policy.name} is for security updates only.")
        found = replace(found, full_upgrade=False)
    if target.reboot_exempt and found.reboot != "never":
        notes.append(EXEMPT)
        found = replace(found, reboot="never")
    held = dict.fromkeys((*(found.hold_patterns or ()), *target.hold_patterns))
    return replace(work, options=replace(found, hold_patterns=tuple(held))), tuple(notes)


def variables(work: Work) -> dict[str, Any]:
    """Return the variables of the playbook."""
    options = work.options
    scope = "packages" if work.patch_type == "patch_package" else "security" if options.security_only else "all"
    found: dict[str, Any] = {
        "patch_packages": list(work.package_names),
        "patch_hold_patterns": list(options.hold_patterns or ()),
        "patch_allow_patterns": list(options.allow_patterns or ()),
        "patch_full_upgrade": options.full_upgrade or None,
        "patch_reboot": None if options.reboot == "never" else options.reboot,
    }
    return {"patch_scope": scope, **{name: value for name, value in found.items() if value}}


def around(work: Work) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the playbooks that run before and after; a dry run touches nothing, so nothing is around it."""
    options = work.options
    if work.dry_run:
        return (), ()
    before = ("snapshot" if options.snapshot else "", options.pre_playbook or "")
    after = ("" if options.reboot == "never" else "after_restart", options.post_playbook or "")
    return tuple(filter(None, before)), tuple(filter(None, after))


def title(work: Work) -> str:
    """Return what the job is called."""
    what = "Patch " + (", ".join(work.package_names[:3]) if work.package_names else "all")
    if len(work.package_names) > 3:  # noqa: PLR2004 (what fits)
        what += f" and {len(work.package_names) - 3} more"
    return f"Dry run: {what}" if work.dry_run else what


def jobs_of(runs: Iterable[Run]) -> list[list[Run]]:
    """Return the runs that one job carries together: the same work, and no host twice."""
    found: dict[tuple[Work, str | None, int], list[Run]] = {}
    seen: dict[tuple[Work, int], int] = {}
    for run in runs:
        turn = seen[run.work, run.host_id] = seen.get((run.work, run.host_id), 0) + 1
        found.setdefault((run.work, run.initiated_by, turn), []).append(run)
    return list(found.values())


# ---------------------------------------------------------------- the host's word


def happening(run: Run, word: Word, outcome: Outcome) -> Happening | None:
    """Return what the state of a job host means for its run; ``None`` while it says nothing new."""
    if word.status in {"running", "rebooting"}:
        return H.START
    if word.status == "succeeded":
        if not run.dry_run:
            return H.COMPLETE
        return (
            H.FIND_NOTHING if run.validate_only or (outcome.plan is not None and not outcome.packages) else H.VALIDATE
        )
    ends = {
        "failed": H.FAIL,
        "unreachable": H.FAIL,
        "cancelled": H.CANCEL,
        "timed_out": H.TIME_OUT,
        "lost": H.LOSE,
    }
    return ends.get(word.status)


_PLAIN: Final = {
    S.TIMED_OUT: "The run took longer than it may",
    S.AGENT_DISCONNECTED: "Agent disconnected during patch run",
    S.FAILED: "The run failed on the host",
}


def reason(status: Status, run: Run, word: Word, outcome: Outcome) -> str:
    """Return why a run ended as it did, in plain words; empty when all went well."""
    if status == S.CANCELLED:
        return f"Stopped by {run.stopped_by}" if run.stopped_by else word.reason or "Stopped"
    if status not in _PLAIN:
        return ""
    return outcome.error or word.reason or _PLAIN[status]


def outcome_of(result: Mapping[str, Any] | None, work: Work) -> Outcome:
    """Read what the module found out; what is not shaped as it should be counts as not said."""
    if result is None:
        return Outcome()
    rows = result.get("changes")
    packages = [row for row in rows if _is_change(row)] if isinstance(rows, list) else []
    extra = work.patch_type == "patch_package" and any(row.get("requested") is False for row in packages)
    return Outcome(
        {key: value for key, value in result.items() if key not in {"log_tail", "changes"}},
        packages,
        extra,
        str(result.get("error") or ""),
        result.get("reboot_required") is True,
        str(result.get("reboot_reason") or ""),
    )


def _is_change(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("name"), str)


_TRAILERS: Final = {
    S.COMPLETED: "Patch run completed",
    S.VALIDATED: "Dry run completed",
    S.DRY_RUN_COMPLETED: "Dry run completed",
    S.CANCELLED: "Patch run stopped by user",
    S.FAILED: "Patch run failed",
}


def trailer(status: Status, at: datetime) -> str:
    """Return the last line of a run's output."""
    said = _TRAILERS.get(status)
    return f"--- {said} at {at.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')} ---\n" if said else ""


# ---------------------------------------------------------------- words for messages


def some_packages(names: Sequence[str]) -> str:
    """Return at most five names and how many more there are."""
    more = len(names) - 5
    return ", ".join(names[:5]) + (f" ... and {more} more" if more > 0 else "")


def cut(text: str, most: int = 300) -> str:
    """Return a text that is not longer than this."""
    return text if len(text) <= most else text[: most - 1] + "…"
