"""Makes the jobs of the demonstration fleet: what was launched in the last weeks, where, and how it went."""

import random
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from server.demo.models import Machine
from server.demo.rules import named, picked

Rows = list[dict[str, object]]

DAYS: Final = 30
_HOSTS_PER_JOB: Final = 25
_PEOPLE: Final = ("ada", "grace", "linus", "schedule")
_PLAYBOOKS: Final[tuple[tuple[str, str, float, dict[str, str]], ...]] = (
    ("patch", "Patch hosts", 0.6, {"patch_scope": "all"}),
    ("patch", "Security updates", 0.2, {"patch_scope": "security"}),
    ("reboot", "Reboot hosts", 0.08, {}),
    ("ping", "Check that a playbook can run on the host", 0.12, {}),
)
_FAILURES: Final = (
    ("failed", "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by unattended-upgr", 2),
    ("failed", "Failed to fetch the package lists: the mirror did not answer in time", 2),
    ("failed", "Not enough space left in /boot", 2),
    ("timed_out", "The play did not end within its time", 4),
)
_TROUBLE: Final = 0.06

_TASKS: Final = (
    ("Validating arguments against arg spec 'main'", "ansible.builtin.validate_argument_spec", 0.1, False),
    ("Refresh the package lists", "patchmon.fleet.packages", 2.4, True),
    ("Upgrade packages", "patchmon.fleet.packages", 21.0, True),
    ("Check whether a reboot is needed", "patchmon.fleet.reboot_info", 0.6, False),
)


def steps() -> Rows:
    """Return what a play says, in its order; a host that failed stops at its last step."""
    rows: Rows = [_step(1, "playbook_on_start"), _step(2, "playbook_on_play_start", play="Patch hosts")]
    for task, action, seconds, changed in _TASKS:
        rows.append(_step(len(rows) + 1, "playbook_on_task_start", task=task, action=action))
        rows.append(_step(len(rows) + 1, "runner_on_ok", task=task, action=action, duration=seconds, changed=changed))
    rows.append(_step(len(rows) + 1, "playbook_on_stats"))
    return rows


def _step(step: int, event: str, **more: object) -> dict[str, object]:
    blank = {"play": "Patch hosts", "task": "", "action": "", "role": "patch", "duration": None, "changed": False}
    return {"step": step, "event": event, **blank, **more}


def jobs(dice: random.Random, machines: Sequence[Machine], now: datetime) -> tuple[Rows, Rows]:
    """Return jobs, and what they did on each of their hosts."""
    made: Rows = []
    parts: Rows = []
    by_role: dict[str, list[Machine]] = {}
    for machine in machines:
        by_role.setdefault(machine.role, []).append(machine)
    for number in range(max(3, len(machines) // _HOSTS_PER_JOB)):
        among = dice.choice(list(by_role.values()))
        hosts = dice.sample(among, min(len(among), dice.randint(1, 2 * _HOSTS_PER_JOB)))
        at = now - timedelta(days=dice.uniform(0.02, DAYS))
        job, rows = _job(dice, number, hosts, at)
        made.append(job)
        parts += rows
    return made, parts


def _job(dice: random.Random, number: int, hosts: Sequence[Machine], at: datetime) -> tuple[dict[str, object], Rows]:
    identifier = named("job", str(number))
    playbook, title, _, variables = picked(dice, _PLAYBOOKS, [share for _, _, share, _ in _PLAYBOOKS])
    rows: Rows = []
    position, end = 0, at
    for host in hosts:
        row = _part(dice, identifier, host, at)
        position += int(str(row["events"]))
        rows.append({**row, "position": position})
        end = max(end, datetime.fromisoformat(str(row["finished_at"])))
    job = {
        "uuid": identifier,
        "playbook": playbook,
        "title": f"{title} ({hosts[0].role})",
        "check_mode": dice.random() < 0.3,  # noqa: PLR2004 (a share)
        "variables": variables,
        "launched_by": dice.choice(_PEOPLE),
        "position": position,
        "created_at": at.isoformat(),
        "finished_at": end.isoformat(),
    }
    return job, rows


def _part(dice: random.Random, job: str, host: Machine, at: datetime) -> dict[str, object]:
    total = len(steps())
    started = at + timedelta(seconds=dice.uniform(0.2, 4))
    status, reason, code = "succeeded", "", 0
    if dice.random() < _TROUBLE:
        status, reason, code = dice.choice(_FAILURES)
    counters = {"ok": 4, "changed": 2, "failed": 0, "skipped": 0, "unreachable": 0}
    return {
        "uuid": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "job": job,
        "host": host.uuid,
        "status": status,
        "reason": reason,
        "started_at": started.isoformat(),
        "finished_at": (started + timedelta(seconds=dice.lognormvariate(3.4, 0.7))).isoformat(),
        "rc": code,
        "events": total if status == "succeeded" else total - 3,
        "counters": counters if status == "succeeded" else {**counters, "ok": 2, "changed": 1, "failed": 1},
    }
