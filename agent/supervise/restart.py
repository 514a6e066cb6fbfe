"""A restart of the host in the middle of a job: what phase one leaves on the disk for phase two."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List

from . import process
from .record import read_object, sync_folder, write_durably, write_once
from .spec import Spec

#: So long the host may take to come back when the request does not say.
WAIT_SECONDS = 1800
_LONGEST_WAIT_SECONDS = 86_400
_LEFT = "rebooting.json"
_RETURNED = "returned"


@dataclass(frozen=True)
class Left:
    """What phase one left: where to go on, and what it had come to."""

    next_stage: int = 0
    boot_id: str = ""
    at: float = 0.0
    deadline_at: float = 0.0
    reason: str = ""
    runner: int = 0
    live: int = 0
    counters: Dict[str, int] = field(default_factory=dict)
    results: List[Dict[str, object]] = field(default_factory=list)

    @property
    def is_there(self) -> bool:
        """There was a phase one."""
        return self.next_stage > 0


def requested(run: Path) -> Dict[str, object]:
    """Return what a module asked for; empty when nobody did."""
    return read_object(run / "reboot.json")


def leave(job: Path, work: Spec, left: Left, wait_seconds: object) -> None:
    """Write down everything phase two needs; from here on the agent may restart the host.

    Raises:
        OSError: it cannot be written.
    """
    handle = os.open(job / "spec.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(work.text)
        file.flush()
        os.fsync(file.fileno())
    seconds = wait_seconds if isinstance(wait_seconds, int) and 0 < wait_seconds <= _LONGEST_WAIT_SECONDS else 0
    now = time.time()
    write_durably(
        job / _LEFT,
        {
            "next_stage": left.next_stage,
            "boot_id": process.boot_id(),
            "at": now,
            "deadline_at": now + (seconds or WAIT_SECONDS),
            "reason": left.reason,
            "runner": left.runner,
            "live": left.live,
            "counters": left.counters,
            "results": left.results,
        },
    )


def read(job: Path) -> Left:
    """Return what phase one left; nothing in it when there was none."""
    told = read_object(job / _LEFT)
    if not told:
        return Left()
    counters, results = told.get("counters"), told.get("results")
    return Left(
        _number(told.get("next_stage")),
        str(told.get("boot_id") or ""),
        _moment(told.get("at")),
        _moment(told.get("deadline_at")),
        str(told.get("reason") or ""),
        _number(told.get("runner")),
        _number(told.get("live")),
        {str(name): _number(value) for name, value in counters.items()} if isinstance(counters, dict) else {},
        [one for one in results if isinstance(one, dict)] if isinstance(results, list) else [],
    )


def pending(job: Path) -> bool:
    """Say whether phase one is over and phase two has not begun."""
    return (job / _LEFT).exists() and not (job / _RETURNED).exists()


def return_once(job: Path) -> bool:
    """Note that phase two begins, for good; False when it was noted before."""
    sync_folder(job)
    return write_once(job / _RETURNED, {"boot_id": process.boot_id(), "at": time.time()})


def returned_boot(job: Path) -> str:
    """Return in which boot phase two began; empty when it has not."""
    return str(read_object(job / _RETURNED).get("boot_id") or "")


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _moment(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
