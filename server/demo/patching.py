"""Makes how the demonstration fleet was patched: what each host's runs amount to, and the runs of some hosts."""

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from server.demo.catalogue import kinds
from server.demo.models import Machine
from server.demo.rules import picked

Rows = list[dict[str, object]]

DAYS: Final = 90
_MOST_HOSTS: Final = 160
_PEOPLE: Final = ("ada", "grace", "linus", "katherine")
#: How a run failed: status, what was said, the cause in few words, and how often it is that.
FAILURES: Final = (
    (
        "failed",
        "Gave up after 600 seconds: unattended-upgr (process 1184) holds /var/lib/dpkg/lock-frontend.",
        "Package manager locked",
        4,
    ),
    ("failed", "The disk of the host is full: free some space and start this again.", "Disk full", 3),
    (
        "failed",
        "A package source cannot be reached: https://apt.example.org; check the network and the sources of the host.",
        "Package source unreachable",
        3,
    ),
    (
        "failed",
        "Dependencies contradict each other: postgresql-16 : Depends: libpq5 (>= 16.4) but 16.3 is to be installed.",
        "Dependency conflict",
        2,
    ),
    ("timed_out", "The run took longer than it may", "Took too long", 1),
    ("agent_disconnected", "Agent disconnected during patch run", "Agent disconnected", 1),
)
_FAILING: Final = 0.03
_NEVER: Final = 0.015
_UNFINISHED: Final = 0.003
#: What people are about to do: runs that wait, and dry runs that ended.
_WAITING: Final = (
    ("validated", 4),
    ("pending_approval", 3),
    ("dry_run_completed", 2),
    ("approved", 2),
    ("scheduled", 3),
    ("cancelled", 1),
)
_DRY: Final = frozenset({"validated", "dry_run_completed", "approved"})


@dataclass(frozen=True, slots=True)
class _Past:
    """What happened to one host: its last success, and the failures since, oldest first."""

    machine: Machine
    success_at: datetime | None
    failures: tuple[tuple[datetime, tuple[str, str, str, int]], ...] = ()


def past(dice: random.Random, machines: Sequence[Machine], now: datetime) -> tuple[Rows, Rows]:
    """Return a row for each host that somebody tried to patch, and the runs of some of them."""
    known = [_past(dice, machine, now) for machine in machines]
    states = [_state(one) for one in known if one.success_at is not None or one.failures]
    chosen = dice.sample(known, min(len(known), _MOST_HOSTS))
    # Who fails is looked at first: their runs are all there.
    told = {one.machine.uuid: one for one in (*chosen, *[one for one in known if one.failures][:_MOST_HOSTS])}
    runs = [row for one in told.values() for row in _runs(dice, one, now)]
    return states, runs


def unfinished(dice: random.Random, machines: Sequence[Machine]) -> dict[str, list[str]]:
    """Return hosts whose package manager was interrupted, and what it left."""
    number = round(len(machines) * _UNFINISHED) or int(len(machines) >= 30)  # noqa: PLR2004 (enough to have one)
    return {one.uuid: ["nginx", "openssl"] for one in dice.sample(list(machines), number)}


def _past(dice: random.Random, machine: Machine, now: datetime) -> _Past:
    if dice.random() < _NEVER:
        return _Past(machine, None)
    success_at = now - timedelta(days=machine.patched_days)
    if dice.random() >= _FAILING or machine.patched_days < 1:
        return _Past(machine, success_at)
    kind = picked(dice, FAILURES, [share for *_, share in FAILURES])
    days = sorted((dice.uniform(0.05, machine.patched_days * 0.8) for _ in range(dice.randint(1, 4))), reverse=True)
    return _Past(machine, success_at, tuple((now - timedelta(days=ago), kind) for ago in days))


def _state(one: _Past) -> dict[str, object]:
    at, (status, error, cause, _) = one.failures[-1] if one.failures else (one.success_at, ("completed", "", "", 0))
    return {
        "host": one.machine.uuid,
        "success_at": one.success_at,
        "attempt_at": at,
        "status": status,
        "failures": len(one.failures),
        "error": error,
        "cause": cause,
    }


def _runs(dice: random.Random, one: _Past, now: datetime) -> Iterator[dict[str, object]]:
    at = one.success_at
    while at is not None and now - at < timedelta(days=DAYS):
        yield _run(dice, one.machine, "completed", at)
        at -= timedelta(days=one.machine.cycle_days)
    for when, (status, error, _, _) in one.failures:
        yield _run(dice, one.machine, status, when, error)
    if dice.random() < 0.12:  # noqa: PLR2004 (a share)
        status = picked(dice, _WAITING, [share for _, share in _WAITING])[0]
        yield _run(dice, one.machine, status, now - timedelta(hours=dice.uniform(1, 30)))


def _run(dice: random.Random, machine: Machine, status: str, ended_at: datetime, error: str = "") -> dict[str, object]:
    waits, dry = status in {"scheduled", "pending_approval"}, status in _DRY
    seconds = dice.lognormvariate(3.6, 0.6)
    named = dice.random() < 0.2  # noqa: PLR2004 (a share)
    changes = (
        [] if error or waits or status in {"cancelled", "dry_run_completed"} else _changes(dice, 2 if named else 9)
    )
    return {
        "id": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "batch": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "host": machine.uuid,
        "patch_type": "patch_package" if named else "patch_all",
        "packages": [str(change["name"]) for change in changes] or ["openssl"] if named else [],
        "dry_run": dry,
        "status": status,
        "error": error,
        "changes": changes,
        "by": dice.choice(_PEOPLE),
        "created_at": ended_at - timedelta(seconds=seconds + 2),
        "scheduled_at": ended_at + timedelta(days=dice.uniform(2, 9)) if status == "scheduled" else None,
        "started_at": None if waits else ended_at - timedelta(seconds=seconds),
        "completed_at": None if waits else ended_at,
        "output": "" if waits else _output(changes, error, dry=dry),
    }


def _changes(dice: random.Random, most: int) -> Rows:
    found = dice.sample(list(kinds())[:120], dice.randint(1, most))
    return [
        {
            "name": one.name,
            "from": f"{one.version}-1",
            "to": f"{one.version}-2",
            "repository": "main",
            "security": one.prone,
            "action": "upgrade",
            "requested": True,
        }
        for one in found
    ]


def _output(changes: Rows, error: str, *, dry: bool) -> str:
    lines = ["Reading package lists...", "Building dependency tree..."]
    lines += [f"{'Inst' if dry else 'Setting up'} {one['name']} ({one['to']}) ..." for one in changes]
    lines.append(f"Failed: {error}" if error else f"{len(changes)} packages {'would change' if dry else 'changed'}")
    return "\n".join(lines) + "\n"
