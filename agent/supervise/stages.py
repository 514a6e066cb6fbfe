"""What the playbooks of one job come to, and which of them may ask for a restart of the host; pure."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .restart import Left
from .spec import MAIN, Spec, Stage

_WORDS = {
    "snapshot": "the snapshot before the run",
    "pre_playbook": "pre playbook",
    "post_playbook": "post playbook",
    "after_restart": "the look after the restart",
}
_REASON_LENGTH = 600


@dataclass(frozen=True)
class Verdict:
    """How a playbook, or all of them, ended."""

    status: str
    rc: int
    reason: str


def named(stage: Stage, reason: str) -> str:
    """Return a failure's reason, with the name of the playbook unless the job is there for it."""
    if stage.name == MAIN:
        return reason
    word, stem = _WORDS.get(stage.name, stage.name), stage.playbook.rpartition("/")[2].rpartition(".")[0]
    what = f"{word} {stem}" if stage.name in ("pre_playbook", "post_playbook") else word
    return f"{what} failed: {reason}"[:_REASON_LENGTH]


def may_go_down(work: Spec, stage: Stage, verdict: Verdict) -> Verdict:
    """Return the verdict, failed where the restart that was asked for must not be."""
    if stage.name != MAIN:
        return Verdict("failed", 1, named(stage, "it asked for a restart, which only the run itself may"))
    if work.has_secrets:
        # They must not stay on the disk, and phase two would not have them.
        return Verdict("failed", 1, "the host was not restarted: a job with secret values cannot go on after a restart")
    return verdict


def back_again(left: Left) -> str:
    """Return the line that says how long the host was away."""
    return f"The host is back after {max(0, round(time.time() - left.at))} s\n"
