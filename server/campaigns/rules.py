"""Pure decisions about campaigns: the state machine, waves, gates, what is wrong with what was asked for."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from server.campaigns.models import LIVE, HostState, Plan, Share, Standing, Status, Step, StepKind, Targets, Wave

S = Status
K = StepKind
H = HostState
T = TypeVar("T")


class Happening(StrEnum):
    """What can happen to a campaign."""

    SUBMIT = "submit"
    LAUNCH = "launch"
    APPROVE = "approve"
    START = "start"
    SOAK = "soak"
    CHECK = "check"
    NEXT_WAVE = "next_wave"
    FINISH = "finish"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    ABANDON = "abandon"
    RELAUNCH = "relaunch"
    MISS = "miss"
    EXPIRE = "expire"


P = Happening

_UNDER_WAY: Final = {
    P.NEXT_WAVE: S.RUNNING,
    P.FINISH: S.COMPLETED,
    P.STOP: S.STOPPED,
    P.PAUSE: S.PAUSED,
    P.ABANDON: S.ABANDONED,
    P.EXPIRE: S.EXPIRED,
}

#: The whole life of a campaign.
MOVES: Final[Mapping[Status, Mapping[Happening, Status]]] = {
    S.DRAFT: {P.SUBMIT: S.AWAITING_APPROVAL, P.LAUNCH: S.SCHEDULED, P.ABANDON: S.ABANDONED},
    S.AWAITING_APPROVAL: {P.APPROVE: S.SCHEDULED, P.ABANDON: S.ABANDONED, P.MISS: S.MISSED},
    S.SCHEDULED: {P.START: S.RUNNING, P.ABANDON: S.ABANDONED, P.MISS: S.MISSED},
    S.RUNNING: {**_UNDER_WAY, P.SOAK: S.SOAKING, P.CHECK: S.CHECKING},
    S.SOAKING: {**_UNDER_WAY, P.CHECK: S.CHECKING},
    S.CHECKING: _UNDER_WAY,
    S.PAUSED: {P.RESUME: S.RUNNING, P.ABANDON: S.ABANDONED, P.EXPIRE: S.EXPIRED},
    S.STOPPED: {P.RESUME: S.RUNNING, P.RELAUNCH: S.RUNNING, P.ABANDON: S.ABANDONED},
    S.COMPLETED: {P.RELAUNCH: S.RUNNING},
    S.EXPIRED: {P.RELAUNCH: S.RUNNING},
    S.ABANDONED: {},
    S.MISSED: {},
}

#: The state of a host by the status of its patch run; a run that is gone was deleted before it began.
STATES: Final[Mapping[str, HostState]] = {
    "queued": H.QUEUED,
    "pending_validation": H.QUEUED,
    "pending_approval": H.QUEUED,
    "scheduled": H.QUEUED,
    "running": H.RUNNING,
    "completed": H.SUCCEEDED,
    "validated": H.SUCCEEDED,
    "dry_run_completed": H.SUCCEEDED,
    "approved": H.SUCCEEDED,
    "failed": H.FAILED,
    "timed_out": H.FAILED,
    "agent_disconnected": H.FAILED,
    "cancelled": H.CANCELLED,
}

_MOST_WAVES: Final = 50
_A_WEEK: Final = 7 * 24 * 60
_TAG: Final = re.compile(r"[^=\s][^=]{0,99}(=.{0,200})?")


def after(status: Status, happening: Happening) -> Status | None:
    """Return where a campaign goes; ``None`` when this cannot happen to it in this state."""
    return MOVES[Status(status)].get(happening)


# ---------------------------------------------------------------- waves


def cut(hosts: Sequence[T], ids: Mapping[T, str], shares: Sequence[Share]) -> list[list[T]]:
    """Return the hosts wave by wave, in their order; waves that would be empty are left out.

    Percentages are of all hosts and at least one; a wave without a share takes the rest, and hosts that no wave takes
    come in a last one of their own.
    """
    left = list(hosts)
    waves: list[list[T]] = []
    reserved = {one.lower() for share in shares for one in share.host_ids}
    for share in shares:
        if share.host_ids:
            named = {one.lower() for one in share.host_ids}
            wave = [host for host in left if ids[host] in named]
        else:
            free = [host for host in left if ids[host] not in reserved]
            wave = free[: _size(share, len(hosts))]
        taken = set(wave)
        left = [host for host in left if host not in taken]
        waves.append(wave)
    return [wave for wave in (*waves, left) if wave]


def _size(share: Share, total: int) -> int:
    if share.hosts is not None:
        return share.hosts
    if share.percent is not None:
        return max(1, total * share.percent // 100)
    return total


def exceeds(wave: Wave, most_percent: int) -> bool:
    """Tell whether more of a wave's hosts failed than may, those left out that somebody has accepted."""
    bad = wave.bad - wave.forgiven
    return bad > 0 and bad * 100 > most_percent * wave.size


# ---------------------------------------------------------------- the next step


def next_step(at: Standing, now: datetime) -> Step | None:
    """Return what a campaign does next by itself; ``None`` while it waits."""
    if at.status in {S.AWAITING_APPROVAL, S.SCHEDULED}:
        return _before(at, now)
    if at.status in {*LIVE, S.PAUSED} and at.ends_at is not None and now >= at.ends_at and _unfinished(at):
        return Step(K.EXPIRE, "The window ended before every host was reached")
    if at.status in {S.PAUSED, S.STOPPED}:
        return Step(K.HOLD_BACK) if any(wave.queued for wave in at.waves) else None
    if at.status in {S.ABANDONED, S.EXPIRED}:
        return Step(K.WITHDRAW) if any(wave.queued for wave in at.waves) else None
    return _under_way(at, now) if at.status in LIVE else None


def _unfinished(at: Standing) -> bool:
    # What is on its hosts when the window ends may end; only what did not begin is cut off.
    return any(wave.waiting or wave.queued for wave in at.waves) or at.wave < len(at.waves)


def _before(at: Standing, now: datetime) -> Step | None:
    if at.ends_at is not None and now >= at.ends_at:
        waits = at.status == S.AWAITING_APPROVAL
        return Step(K.MISS, NOT_APPROVED if waits else NOT_RUNNING)
    if at.status == S.SCHEDULED and (at.starts_at is None or now >= at.starts_at):
        return Step(K.START)
    return None


NOT_APPROVED: Final = "Nobody approved it before its window ended"
NOT_RUNNING: Final = "The server was not running while its window was open"


def _under_way(at: Standing, now: datetime) -> Step | None:
    wave = at.waves[at.wave - 1]
    if exceeds(wave, at.plan.max_failure_percent):
        share = f"{wave.bad - wave.forgiven} of {wave.size} hosts of wave {wave.number} failed"
        return Step(K.STOP, f"{share}, more than {at.plan.max_failure_percent} %")
    if wave.waiting:
        return Step(K.RELEASE)
    if wave.open:
        return None
    if wave.finished_at is None:
        return Step(K.WAVE_OVER)
    return Step(K.FINISH) if at.wave >= len(at.waves) else _gate(at, wave, wave.finished_at, now)


def _gate(at: Standing, wave: Wave, finished_at: datetime, now: datetime) -> Step | None:
    if wave.check_status in {"passed", "overruled"}:
        return Step(K.NEXT_WAVE)
    if now < finished_at + timedelta(minutes=at.plan.soak_minutes):
        return Step(K.SOAK) if at.status == S.RUNNING else None
    if not at.plan.check_playbook:
        return Step(K.NEXT_WAVE)
    if wave.check_status == "failed":
        return Step(K.STOP, f"The check {at.plan.check_playbook} failed after wave {wave.number}")
    if wave.check_status == "" or at.status != S.CHECKING:
        return Step(K.CHECK)
    return None


# ---------------------------------------------------------------- what is asked for


def complaints_of(name: str, plan: Plan, targets: Targets, playbooks: Collection[str]) -> dict[str, str]:
    """Return what is wrong with a campaign or a window's work; ``playbooks`` are those that whoever asks may launch."""
    wrong: dict[str, str] = {}
    if not 1 <= len(name.strip()) <= 255:  # noqa: PLR2004 (said in the sentence)
        wrong["name"] = "Name is required (max 255 characters)"
    if targets.empty:
        wrong["targets"] = "Choose at least one host, host group or tag"
    if bad := [tag for tag in targets.tags if not _TAG.fullmatch(tag)]:
        wrong["tags"] = f"Tags are key or key=value, not {bad[0][:60]}"
    if not 0 <= plan.soak_minutes <= _A_WEEK:
        wrong["soak_minutes"] = "soak_minutes must be between 0 and 10080"
    if not 0 <= plan.max_failure_percent <= 100:  # noqa: PLR2004 (percent)
        wrong["max_failure_percent"] = "max_failure_percent must be between 0 and 100"
    if plan.check_playbook and plan.check_playbook not in playbooks:
        wrong["check_playbook"] = f"There is no playbook {plan.check_playbook[:60]} that you may launch"
    return wrong | _complaints_of_waves(plan.waves)


def _complaints_of_waves(shares: Sequence[Share]) -> dict[str, str]:
    if len(shares) > _MOST_WAVES:
        return {"waves": f"More than {_MOST_WAVES} waves"}
    for number, share in enumerate(shares, 1):
        given = [share.hosts is not None, share.percent is not None, bool(share.host_ids)]
        if sum(given) > 1:
            return {"waves": f"Wave {number}: give hosts, percent or host_ids, not several of them"}
        if share.hosts is not None and share.hosts < 1:
            return {"waves": f"Wave {number}: hosts must be at least 1"}
        if share.percent is not None and not 1 <= share.percent <= 100:  # noqa: PLR2004 (percent)
            return {"waves": f"Wave {number}: percent must be between 1 and 100"}
        if not any(given) and number < len(shares):
            return {"waves": f"Wave {number}: only the last wave can be the rest"}
    return {}
