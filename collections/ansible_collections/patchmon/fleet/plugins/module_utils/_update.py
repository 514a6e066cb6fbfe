# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of one package update, dry or real; private to this collection."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import Callable, Sequence

from ._course import Course
from .package_managers import Change, Limits, PackageManager, PackageManagerError, Plan, by_name, detect

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


class PackageUpdate(Course):
    """Bringing packages up to date."""

    def __init__(self, request: Request, live: Callable[[str], None]) -> None:
        """Nothing happens before run()."""
        super().__init__(request.manager, live, check=request.check)
        self._request = request
        self._refreshed = False
        self._services: list[str] = []

    def run(self) -> dict[str, object]:
        """Refresh, plan or change, and look whether a restart is due."""
        request = self._request
        if request.packages and request.scope != "packages":
            raise PackageManagerError(
                f"Packages are named but the scope is {request.scope!r}; it must be 'packages'. Nothing was changed."
            )
        manager = detect(request.root) if request.manager == "auto" else by_name(request.manager, request.root)
        self.manager_name = manager.name
        self.plan_by(lambda: self._dry(manager) if request.check else self._real(manager))
        self._tell_of_unfinished(manager)
        self.reboot = manager.reboot()
        self._services = [] if request.check else manager.services_to_restart()
        self._conclude()
        return self.result()

    def details(self) -> dict[str, object]:
        """Whether the lists are fresh, and what still runs replaced files."""
        return {"refreshed": self._refreshed, "restart_services": self._services}

    def requested(self, change: Change) -> bool:
        """Whether the scope or a name asks for it."""
        if self._request.scope == "all":
            return change.action == "upgrade"
        if self._request.scope == "security":
            return change.action == "upgrade" and change.security
        plain = {name.partition(":")[0] for name in self._request.packages}
        return change.name in self._request.packages or change.name in plain

    def _dry(self, manager: PackageManager) -> Plan:
        request = self._request
        if request.scope == "repair":
            return Plan((), ())
        if not self._wants_refresh(manager):
            return manager.simulate(request.scope, request.packages, self.say, request.limits)
        with tempfile.TemporaryDirectory(prefix="patchmon-lists-") as folder:
            fresh = self._fresh_lists(manager, folder)
            return fresh.simulate(request.scope, request.packages, self.say, request.limits)

    def _real(self, manager: PackageManager) -> Plan:
        request = self._request
        if request.scope == "repair":
            return manager.repair(self.say, request.lock_timeout_seconds)
        if self._wants_refresh(manager):
            self._refresh(manager)
        return manager.upgrade(request.scope, request.packages, self.say, request.lock_timeout_seconds, request.limits)

    def _refresh(self, manager: PackageManager) -> None:
        for text in manager.refresh(self.say, self._request.lock_timeout_seconds):
            self.note(text)
        self._refreshed = True

    def _wants_refresh(self, manager: PackageManager) -> bool:
        if not self._request.refresh:
            return False
        limit = self._request.cache_max_age_minutes * SECONDS_PER_MINUTE
        age = manager.cache_age_seconds() if limit > 0 else None
        if age is not None and age < limit:
            self.say(f"Package lists are {age / SECONDS_PER_MINUTE:.0f} minutes old: fresh enough")
            return False
        return True

    def _fresh_lists(self, manager: PackageManager, folder: str) -> PackageManager:
        """Refresh beside the host's own lists; a dry run that cannot do that goes on with them and says so."""
        if os.geteuid() != 0:
            self.note("Not root: the dry run uses the package lists as they are")
            return manager
        try:
            beside = manager.scratch(folder)
            if beside is None:
                self.note("This package manager cannot refresh beside its own lists: used as they are")
                return manager
            self._refresh(beside)
        except (PackageManagerError, OSError) as problem:
            self.note(f"Package lists could not be refreshed for the dry run, used as they are: {problem}")
            return manager
        return beside

    def _tell_of_unfinished(self, manager: PackageManager) -> None:
        """Say what an interrupted run left: a dry run only says it, a real one has finished it."""
        self.tell_of_repairs()
        if not self.plan.repaired and self._request.check and (unfinished := manager.unfinished()):
            self.note(
                f"Left half done by an interrupted run: {', '.join(unfinished)}; the real run finishes that first"
            )
        if self._request.scope == "packages" and self.plan.kept_back:
            self.note(
                f"On hold and left as it is: {', '.join(self.plan.kept_back)}; release it "
                f"({manager.release} on the host, or the hold patterns of this run) to have it updated"
            )

    def _conclude(self) -> None:
        self.tell_the_number()
        if self.reboot.required:
            self.say(f"Restart required: {self.reboot.reason}")
