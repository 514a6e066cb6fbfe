# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of going back to earlier versions, dry or real; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Sequence

from ._course import Course
from .package_managers import (
    Change,
    Exact,
    PackageManager,
    PackageManagerError,
    Plan,
    UnsupportedManager,
    by_name,
    detect,
)


@dataclass(frozen=True)
class Request:
    """The options of the module, and whether only to look; packages are `name=version`."""

    check: bool
    packages: Sequence[str]
    partial: bool
    lock_timeout_seconds: int
    manager: str


class Rollback(Course):
    """Going back to earlier versions."""

    def __init__(self, request: Request, live: Callable[[str], None]) -> None:
        """Nothing happens before run()."""
        super().__init__(request.manager, live, check=request.check)
        self._request = request
        self._unavailable: tuple[Exact, ...] = ()
        self._release = ""

    def run(self) -> dict[str, object]:
        """Look what can still be had, then plan or change; in a dry run a missing version is the same error."""
        wanted = _read(self._request.packages)
        manager = self._manager()
        self.manager_name, self._release = manager.name, manager.release
        self._unavailable = manager.missing(wanted)
        rest = [one for one in wanted if one not in self._unavailable]
        self._refuse_what_is_missing(manager, rest)
        self.plan_by(lambda: self._go(manager, rest))
        self.reboot = manager.reboot()
        self._conclude()
        return self.result()

    def details(self) -> dict[str, object]:
        """What can be had from nowhere."""
        return {"unavailable": [{"name": one.name, "version": one.version} for one in self._unavailable]}

    def requested(self, change: Change) -> bool:
        """Whether the package was named."""
        return change.name in {one.name for one in _read(self._request.packages)}

    def _manager(self) -> PackageManager:
        try:
            return detect() if self._request.manager == "auto" else by_name(self._request.manager)
        except UnsupportedManager as problem:
            raise PackageManagerError(
                f"Going back to earlier versions is not possible here: {problem.text}. Nothing was changed."
            ) from problem

    def _go(self, manager: PackageManager, wanted: Sequence[Exact]) -> Plan:
        if self.check:
            return manager.simulate_exact(wanted, self.say)
        return manager.install_exact(wanted, self.say, self._request.lock_timeout_seconds)

    def _refuse_what_is_missing(self, manager: PackageManager, rest: Sequence[Exact]) -> None:
        if not self._unavailable:
            return
        listed = ", ".join(f"{one.name} {one.version}" for one in self._unavailable)
        if self._request.partial and rest:
            self.note(f"No longer available, left as it is: {listed}")
            return
        if self.check and rest:
            self.plan = manager.simulate_exact(rest, self.say)
        raise PackageManagerError(
            f"No longer available: {listed}. Nothing was changed. Add a package source that has it, "
            "or allow a partial rollback for the rest."
        )

    def _conclude(self) -> None:
        self.tell_of_repairs()
        if self.plan.kept_back:
            held = ", ".join(self.plan.kept_back)
            self.note(f"On hold and left as it is: {held}; release it ({self._release} on the host) to have it go back")
        self.tell_the_number()


def _read(packages: Sequence[str]) -> list[Exact]:
    if not packages:
        raise PackageManagerError("No package was named. Nothing was changed.")
    wrong = [text for text in packages if "=" not in text]
    if wrong:
        raise PackageManagerError(f"Not of the form name=version: {', '.join(map(repr, wrong))}. Nothing was changed.")
    return [Exact(name, version) for name, _, version in (text.partition("=") for text in packages)]
