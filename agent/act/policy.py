"""Whether an offered job may run on this host: what the local file allows, and what there is room for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import FrozenSet, Optional, Tuple

from agent.protocol.messages import JobOffer

MAX_PROJECT_BYTES = 64 * 1024 * 1024
MAX_SPEC_BYTES = 16 * 1024 * 1024
#: Beside its parts a job needs room for its events and for the play's own files.
JOB_ROOM_BYTES = 32 * 1024 * 1024
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Policy:
    """What the host's administrator and its build allow."""

    file: Path
    automation: str
    max_changing_jobs: int
    builtin_projects: FrozenSet[str]
    can_play: bool


@dataclass(frozen=True)
class Refusal:
    """Why an offer is turned down, as the protocol's code and a sentence for the person who launched it."""

    code: str
    reason: str


def is_job(job: str) -> bool:
    """Say whether this is a job's name: lowercase UUID, and so a safe name of a folder."""
    return _UUID.fullmatch(job) is not None


def executors(policy: Policy) -> Tuple[str, ...]:
    """Return the ways in which jobs can be carried out here."""
    return (*(("on_host",) if policy.can_play else ()), *(("relayed",) if policy.automation == "any" else ()))


def refusal(offer: JobOffer, policy: Policy, changing_jobs: int, free_bytes: int) -> Optional[Refusal]:
    """Return why this offer cannot be taken now; None when it can."""
    return (
        _malformed(offer) or _forbidden(offer, policy) or _unsupported(policy) or _crowded(offer, policy, changing_jobs)
    ) or _no_room(offer, free_bytes)


def _malformed(offer: JobOffer) -> Optional[Refusal]:
    if not is_job(offer.job):
        return Refusal("invalid", "The job's name is not a UUID.")
    for part, most in ((offer.project, MAX_PROJECT_BYTES), (offer.spec, MAX_SPEC_BYTES)):
        if not _DIGEST.fullmatch(part.digest) or not 0 < part.size <= most:
            return Refusal("invalid", f"A part of the job has no proper digest or size (at most {most} bytes).")
    return None


def _forbidden(offer: JobOffer, policy: Policy) -> Optional[Refusal]:
    if policy.automation == "any":
        return None
    if policy.automation == "builtin" and offer.project.digest in policy.builtin_projects:
        return None
    what = "no playbooks" if policy.automation == "off" else "only the built-in playbooks of the agent's own version"
    return Refusal("forbidden", f"This host runs {what}: automation is '{policy.automation}' in {policy.file}.")


def _unsupported(policy: Policy) -> Optional[Refusal]:
    if policy.can_play:
        return None
    return Refusal("unsupported", "Playbooks on the host need Python 3.11 or newer there.")


def _crowded(offer: JobOffer, policy: Policy, changing_jobs: int) -> Optional[Refusal]:
    if offer.check or changing_jobs < policy.max_changing_jobs:
        return None
    return Refusal("busy", f"{changing_jobs} changing job(s) already run on this host.")


def _no_room(offer: JobOffer, free_bytes: int) -> Optional[Refusal]:
    needed = 2 * offer.project.size + offer.spec.size + JOB_ROOM_BYTES
    if free_bytes >= needed:
        return None
    return Refusal(
        "no_room", f"{free_bytes // 1024} KiB are free in the agent's folder, {needed // 1024} KiB are needed."
    )
