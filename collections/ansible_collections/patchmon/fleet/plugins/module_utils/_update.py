# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of one package update, dry or real; private to this collection."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from dataclasses import dataclass
from typing import Callable, Sequence

from .package_managers import Change, Limits, PackageManager, PackageManagerError, Plan, Reboot, by_name, detect

LOG_LINES = 200
LOG_CHARACTERS = 16_384
SECONDS_PER_MINUTE = 60


@dataclass(frozen=True)
class Request:
    """The options of the module, and whether only to look; `root` as for PackageManager."""

    check: bool
    scope: str
    packages: Sequence[str]
    refresh: bool
    cache_max_age_minutes: int
    lock_timeout_seconds: int
    manager: str
    hold_patterns: Sequence[str] = ()
    allow_patterns: Sequence[str] = ()
    full_upgrade: bool = False
    root: str = "/"

    @property
    def limits(self) -> Limits:
        """How far the update may go."""
        return Limits(tuple(self.hold_patterns), tuple(self.allow_patterns), self.full_upgrade)


class PackageUpdate:
    """Keeps what is known of the run at any time, so that a failure can still tell what was done before it."""

    def __init__(self, request: Request, live: Callable[[str], None]) -> None:
        """Nothing happens before run()."""
        self._request = request
        self._live = live
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._manager_name = "" if request.manager == "auto" else request.manager
        self._refreshed = False
        self._plan = Plan((), ())
        self._reboot = Reboot(required=False, reason="")
        self._services: list[str] = []
        self._notes: list[str] = []

    def run(self) -> dict[str, object]:
        """Refresh, plan or change, and look whether a restart is due."""
        request = self._request
        if request.packages and request.scope != "packages":
            raise PackageManagerError(
                f"Packages are named but the scope is {request.scope!r}; it must be 'packages'. Nothing was changed."
            )
        manager = detect(request.root) if request.manager == "auto" else by_name(request.manager, request.root)
        self._manager_name = manager.name
        try:
            self._plan = self._dry(manager) if request.check else self._real(manager)
            self._tell_of_unfinished(manager)
        except PackageManagerError as problem:
            self._plan = problem.done or self._plan
            raise
        self._reboot = manager.reboot()
        self._services = [] if request.check else manager.services_to_restart()
        self._conclude()
        return self.result()

    def result(self) -> dict[str, object]:
        """What is known so far, in the words of the module's RETURN."""
        return {
            "manager": self._manager_name,
            "check": self._request.check,
            "refreshed": self._refreshed,
            "changes": [self._row(change) for change in self._plan.changes],
            "kept_back": list(self._plan.kept_back),
            "repaired": list(self._plan.repaired),
            "reboot_required": self._reboot.required,
            "reboot_reason": self._reboot.reason,
            "restart_services": self._services,
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

    def _dry(self, manager: PackageManager) -> Plan:
        request = self._request
        if not self._wants_refresh(manager):
            return manager.simulate(request.scope, request.packages, self._say, request.limits)
        with tempfile.TemporaryDirectory(prefix="patchmon-lists-") as folder:
            fresh = self._fresh_lists(manager, folder)
            return fresh.simulate(request.scope, request.packages, self._say, request.limits)

    def _real(self, manager: PackageManager) -> Plan:
        request = self._request
        if self._wants_refresh(manager):
            self._refresh(manager)
        return manager.upgrade(request.scope, request.packages, self._say, request.lock_timeout_seconds, request.limits)

    def _refresh(self, manager: PackageManager) -> None:
        for text in manager.refresh(self._say, self._request.lock_timeout_seconds):
            self._note(text)
        self._refreshed = True

    def _wants_refresh(self, manager: PackageManager) -> bool:
        if not self._request.refresh:
            return False
        limit = self._request.cache_max_age_minutes * SECONDS_PER_MINUTE
        age = manager.cache_age_seconds() if limit > 0 else None
        if age is not None and age < limit:
            self._say(f"Package lists are {age / SECONDS_PER_MINUTE:.0f} minutes old: fresh enough")
            return False
        return True

    def _fresh_lists(self, manager: PackageManager, folder: str) -> PackageManager:
        """Refresh beside the host's own lists; a dry run that cannot do that goes on with them and says so."""
        if os.geteuid() != 0:
            self._note("Not root: the dry run uses the package lists as they are")
            return manager
        try:
            beside = manager.scratch(folder)
            if beside is None:
                self._note("This package manager cannot refresh beside its own lists: used as they are")
                return manager
            self._refresh(beside)
        except (PackageManagerError, OSError) as problem:
            self._note(f"Package lists could not be refreshed for the dry run, used as they are: {problem}")
            return manager
        return beside

    def _tell_of_unfinished(self, manager: PackageManager) -> None:
        """Say what an interrupted run left: a dry run only says it, a real one has finished it."""
        if self._plan.repaired:
            self._note(f"Left half done by an interrupted run and finished first: {', '.join(self._plan.repaired)}")
        elif self._request.check and (unfinished := manager.unfinished()):
            self._note(
                f"Left half done by an interrupted run: {', '.join(unfinished)}; the real run finishes that first"
            )
        if self._request.scope == "packages" and self._plan.kept_back:
            self._note(
                f"On hold and left as it is: {', '.join(self._plan.kept_back)}; release it "
                "('apt-mark unhold' on the host, or the hold patterns of this run) to have it updated"
            )

    def _row(self, change: Change) -> dict[str, object]:
        return {
            "name": change.name,
            "from": change.from_version,
            "to": change.to_version,
            "repository": change.repository,
            "security": change.security,
            "action": change.action,
            "requested": self._requested(change),
        }

    def _requested(self, change: Change) -> bool:
        if self._request.scope == "all":
            return change.action == "upgrade"
        if self._request.scope == "security":
            return change.action == "upgrade" and change.security
        plain = {name.partition(":")[0] for name in self._request.packages}
        return change.name in self._request.packages or change.name in plain

    def _conclude(self) -> None:
        number = len(self._plan.changes)
        verb = "would change" if self._request.check else "changed"
        self._say(f"{number} {'package' if number == 1 else 'packages'} {verb}")
        if self._reboot.required:
            self._say(f"Restart required: {self._reboot.reason}")

    def _note(self, text: str) -> None:
        self._notes.append(text)
        self._say(text)

    def _say(self, text: str) -> None:
        self._log.append(text)
        self._live(text)
