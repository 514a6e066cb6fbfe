# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every run over packages keeps and tells, and how a module carries one out; private to this collection."""

from __future__ import annotations

from collections import deque
from typing import Callable

from ansible.module_utils.basic import AnsibleModule

from ._live import LiveLines
from ._result import write_result
from .package_managers import Change, PackageManagerError, Plan, Reboot

MANAGERS = ["auto", "apt", "dnf", "yum", "zypper", "pacman", "apk", "pkg"]
LOG_LINES = 200
LOG_CHARACTERS = 16_384


class Course:
    """Keeps what is known of the run at any time, so that a failure can still tell what was done before it."""

    def __init__(self, manager: str, live: Callable[[str], None], *, check: bool) -> None:
        """Nothing happens before run()."""
        self.check = check
        self.manager_name = "" if manager == "auto" else manager
        self.plan = Plan((), ())
        self.reboot = Reboot(required=False, reason="")
        self._live = live
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._notes: list[str] = []

    def run(self) -> dict[str, object]:
        """Do it, and return result()."""
        raise NotImplementedError

    def requested(self, change: Change) -> bool:
        """Whether somebody asked for this change itself."""
        raise NotImplementedError

    def details(self) -> dict[str, object]:
        """What only this kind of run has to tell."""
        raise NotImplementedError

    def result(self) -> dict[str, object]:
        """What is known so far, in the words of the module's RETURN."""
        return {
            "manager": self.manager_name,
            "check": self.check,
            "changes": [self._row(change) for change in self.plan.changes],
            "kept_back": list(self.plan.kept_back),
            "repaired": list(self.plan.repaired),
            "reboot_required": self.reboot.required,
            "reboot_reason": self.reboot.reason,
            "log_tail": "\n".join(self._log)[-LOG_CHARACTERS:],
            "notes": self._notes,
            **self.details(),
        }

    def diff(self) -> dict[str, str]:
        """Versions before and after, one package a line."""
        changes = self.plan.changes
        return {
            "before": "".join(f"{change.name} {change.from_version}\n" for change in changes if change.from_version),
            "after": "".join(f"{change.name} {change.to_version}\n" for change in changes if change.to_version),
        }

    def plan_by(self, make: Callable[[], Plan]) -> None:
        """Keep the plan, or what was done of it before it failed."""
        try:
            self.plan = make()
        except PackageManagerError as problem:
            self.plan = problem.done or self.plan
            raise

    def tell_of_repairs(self) -> None:
        """Say what an interrupted run had left half done."""
        if self.plan.repaired:
            self.note(f"Left half done by an interrupted run and finished first: {', '.join(self.plan.repaired)}")

    def tell_the_number(self) -> None:
        """Say how many packages it is about."""
        number = len(self.plan.changes)
        verb = "would change" if self.check else "changed"
        self.say(f"{number} {'package' if number == 1 else 'packages'} {verb}")

    def note(self, text: str) -> None:
        """Say it, and keep it for whoever reads the result."""
        self._notes.append(text)
        self.say(text)

    def say(self, text: str) -> None:
        """Put a line into the output."""
        self._log.append(text)
        self._live(text)

    def _row(self, change: Change) -> dict[str, object]:
        return {
            "name": change.name,
            "from": change.from_version,
            "to": change.to_version,
            "repository": change.repository,
            "security": change.security,
            "action": change.action,
            "requested": self.requested(change),
        }


def carry_out(name: str, arguments: dict[str, object], begin: Callable[..., Course]) -> None:
    """Be the module of this name: read its options, let the course run, answer.

    `begin` takes the live lines, whether only to look, and the options by name.
    """
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    live = LiveLines()
    course = begin(live, check=module.check_mode, **module.params)
    try:
        result = course.run()
    except PackageManagerError as problem:
        live(f"Failed: {problem.text}")
        result = course.result()
        write_result(name, {**result, "error": problem.text})
        module.fail_json(msg=problem.text, changed=bool(result["changes"]) and not module.check_mode, **result)
    finally:
        live.close()
    write_result(name, result)
    module.exit_json(changed=bool(result["changes"]), diff=course.diff(), **result)
