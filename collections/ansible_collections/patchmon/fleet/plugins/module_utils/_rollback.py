# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of going back to earlier versions, dry or real; private to this collection."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Callable, Sequence

from .package_managers import Change, Exact, PackageManager, PackageManagerError, Plan, Reboot, by_name, detect

LOG_LINES = 200
LOG_CHARACTERS = 16_384


@dataclass(frozen=True)
class Request:
    """The options of the module, and whether only to look; packages are `name=version`."""

    check: bool
    packages: Sequence[str]
    partial: bool
    lock_timeout_seconds: int
    manager: str


class Rollback:
    """Keeps what is known of the run at any time, so that a failure can still tell what was done before it."""

    def __init__(self, request: Request, live: Callable[[str], None]) -> None:
        """Nothing happens before run()."""
        self._request = request
        self._live = live
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._manager_name = "" if request.manager == "auto" else request.manager
        self._plan = Plan((), ())
        self._unavailable: tuple[Exact, ...] = ()
        self._reboot = Reboot(required=False, reason="")
        self._notes: list[str] = []

    def run(self) -> dict[str, object]:
        """Look what can still be had, then plan or change; in a dry run a missing version is the same error."""
        wanted = _read(self._request.packages)
        manager = detect() if self._request.manager == "auto" else by_name(self._request.manager)
        self._manager_name = manager.name
        self._unavailable = manager.missing(wanted)
        rest = [one for one in wanted if one not in self._unavailable]
        self._refuse_what_is_missing(manager, rest)
        try:
            self._plan = self._go(manager, rest)
        except PackageManagerError as problem:
            self._plan = problem.done or self._plan
            raise
        self._reboot = manager.reboot()
        self._conclude()
        return self.result()

    def result(self) -> dict[str, object]:
        """What is known so far, in the words of the module's RETURN."""
        return {
            "manager": self._manager_name,
            "check": self._request.check,
            "changes": [self._row(change) for change in self._plan.changes],
            "unavailable": [{"name": one.name, "version": one.version} for one in self._unavailable],
            "kept_back": list(self._plan.kept_back),
            "repaired": list(self._plan.repaired),
            "reboot_required": self._reboot.required,
            "reboot_reason": self._reboot.reason,
            "log_tail": "\n".join(self._log)[-LOG_CHARACTERS:],
            "notes": self._notes,
        }

    def diff(self) -> dict[str, str]:
        """Versions before and after, one package a line."""
        changes = self._plan.changes
        return {
            "before": "".join(f"{change.name} {change.from_version}\n" for change in changes if change.from_version),
            "after": "".join(f"{change.name} {change.to_version}\n" for change in changes if change.to_version),
        }

    def _go(self, manager: PackageManager, wanted: Sequence[Exact]) -> Plan:
        if self._request.check:
            return manager.simulate_exact(wanted, self._say)
        return manager.install_exact(wanted, self._say, self._request.lock_timeout_seconds)

    def _refuse_what_is_missing(self, manager: PackageManager, rest: Sequence[Exact]) -> None:
        if not self._unavailable:
            return
        listed = ", ".join(f"{one.name} {one.version}" for one in self._unavailable)
        if self._request.partial and rest:
            self._note(f"No longer available, left as it is: {listed}")
            return
        if self._request.check and rest:
            self._plan = manager.simulate_exact(rest, self._say)
        raise PackageManagerError(
            f"No longer available: {listed}. Nothing was changed. Add a package source that has it, "
            "or allow a partial rollback for the rest."
        )

    def _row(self, change: Change) -> dict[str, object]:
        named = {one.name for one in _read(self._request.packages)}
        return {
            "name": change.name,
            "from": change.from_version,
            "to": change.to_version,
            "repository": change.repository,
            "security": change.security,
            "action": change.action,
            "requested": change.name in named,
        }

    def _conclude(self) -> None:
        if self._plan.repaired:
            self._note(f"Left half done by an interrupted run and finished first: {', '.join(self._plan.repaired)}")
        if self._plan.kept_back:
            self._note(
                f"On hold and left as it is: {', '.join(self._plan.kept_back)}; release it with 'apt-mark unhold'"
            )
        number = len(self._plan.changes)
        verb = "would change" if self._request.check else "changed"
        self._say(f"{number} {'package' if number == 1 else 'packages'} {verb}")

    def _note(self, text: str) -> None:
        self._notes.append(text)
        self._say(text)

    def _say(self, text: str) -> None:
        self._log.append(text)
        self._live(text)


def _read(packages: Sequence[str]) -> list[Exact]:
    if not packages:
        raise PackageManagerError("No package was named. Nothing was changed.")
    wrong = [text for text in packages if "=" not in text]
    if wrong:
        raise PackageManagerError(f"Not of the form name=version: {', '.join(map(repr, wrong))}. Nothing was changed.")
    return [Exact(name, version) for name, _, version in (text.partition("=") for text in packages)]
