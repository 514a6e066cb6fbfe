"""The course of an update that every manager but apt shares: check, plan, change, compare before and after."""

from __future__ import annotations

import os
from typing import Callable, Mapping, NamedTuple, Optional, Sequence

from .base import (
    UNLIMITED,
    Change,
    Exact,
    Limits,
    Line,
    PackageManager,
    PackageManagerError,
    Plan,
    Update,
    checked_exact,
    checked_limits,
    checked_names,
    checked_scope,
    unheard,
)


class Step(NamedTuple):
    """One package in a manager's own plan; `after` is empty when it goes away."""

    name: str
    after: str
    repository: str


class Task(NamedTuple):
    """What to ask the manager for.

    `wanted` names the packages that are meant, each with the version to reach, empty for the newest. With `everything`
    the manager may take what it likes; otherwise nothing is asked when `wanted` is empty. `left` stays by wish.
    """

    wanted: Mapping[str, str]
    left: tuple[str, ...] = ()
    limits: Limits = UNLIMITED
    everything: bool = False
    exact: bool = False


class State(NamedTuple):
    """What is installed and what waits at one moment; `fixes` are the newest versions that security asks for."""

    versions: Mapping[str, str]
    waiting: Mapping[str, Update]
    fixes: Mapping[str, str]


_Make = Callable[[State], Task]


class Stepwise(PackageManager):
    """A subclass says how to look, how to foresee and how to act; the rest is here."""

    notices = True
    """Whether the manager can tell security fixes from others; where it cannot, that scope is refused."""

    def versions(self) -> dict[str, str]:
        """What the package database says now."""
        raise NotImplementedError

    def fixes(self, versions: Mapping[str, str]) -> Mapping[str, str]:
        """The newest version of each installed package that a security notice asks for; empty where there are none."""
        del versions
        return {}

    def newer(self, left: str, right: str) -> bool:
        """Tell whether left is the newer version."""
        raise NotImplementedError

    def foresee(self, task: Task, state: State, line: Line) -> list[Step]:
        """The manager's own plan for a task."""
        raise NotImplementedError

    def perform(self, task: Task, state: State, line: Line, lock_timeout_seconds: int) -> None:
        """Let the manager do it."""
        raise NotImplementedError

    def wait(self, line: Line, lock_timeout_seconds: int) -> None:
        """Wait until nobody else changes packages; nothing where the manager itself waits and says so."""
        del line, lock_timeout_seconds

    def finish(self, names: Sequence[str], line: Line, lock_timeout_seconds: int) -> None:
        """Let the manager finish what unfinished() named."""
        raise NotImplementedError

    def repair(self, line: Line, lock_timeout_seconds: int) -> Plan:
        """Finish what an interrupted run left half done, and nothing else."""
        self.must_be_root("change packages")
        self.wait(line, lock_timeout_seconds)
        before = State(self.versions(), {}, {})
        repaired = self._finish(line, lock_timeout_seconds)
        return self._done(before, Plan((), (), repaired))

    def simulate(self, scope: str, packages: Sequence[str], line: Line = unheard, limits: Limits = UNLIMITED) -> Plan:
        """Let the manager itself plan."""
        make = self._asked(scope, packages, limits)
        state = self._look()
        return self._plan(make(state), state, line)

    def upgrade(
        self,
        scope: str,
        packages: Sequence[str],
        line: Line,
        lock_timeout_seconds: int,
        limits: Limits = UNLIMITED,
    ) -> Plan:
        """Plan, change, and compare the database before and after."""
        return self._carry_out(self._asked(scope, packages, limits), line, lock_timeout_seconds)

    def simulate_exact(self, wanted: Sequence[Exact], line: Line = unheard) -> Plan:
        """Let the manager plan the way back."""
        make = self._asked_exact(wanted)
        state = self._look()
        return self._plan(make(state), state, line)

    def install_exact(self, wanted: Sequence[Exact], line: Line, lock_timeout_seconds: int) -> Plan:
        """Go back, or forth, to exactly these versions."""
        return self._carry_out(self._asked_exact(wanted), line, lock_timeout_seconds)

    def must_be_root(self, doing: str) -> None:
        """Refuse early what the system would refuse in the middle."""
        if self.root == "/" and os.geteuid() != 0:
            raise PackageManagerError(f"Only root can {doing} on this host. Nothing was changed.")

    # ------------------------------------------------------------------ inside

    def _look(self) -> State:
        versions = self.versions()
        return State(versions, {update.name: update for update in self.updates()}, self.fixes(versions))

    def _asked(self, scope: str, packages: Sequence[str], limits: Limits) -> _Make:
        checked_scope(scope, packages)
        checked_limits(scope, limits)
        names = checked_names(packages)
        if scope == "security" and not self.notices:
            raise PackageManagerError(
                f"{self.name} cannot tell security fixes from other updates: ask for everything or for named packages. "
                "Nothing was changed."
            )

        def make(state: State) -> Task:
            if scope == "all":
                left = tuple(sorted(name for name in state.waiting if limits.leaves(name)))
                wanted = {name: "" for name in state.waiting if name not in left}
                return Task(wanted, left, limits, everything=True)
            meant = dict(state.fixes) if scope == "security" else dict.fromkeys(_present(names, state), "")
            left = tuple(sorted(name for name in meant if limits.leaves(name)))
            return Task({name: meant[name] for name in sorted(meant) if name not in left}, left, limits)

        return make

    def _asked_exact(self, wanted: Sequence[Exact]) -> _Make:
        checked = checked_exact(wanted)

        def make(state: State) -> Task:
            there = state.versions
            return Task({one.name: one.version for one in checked if there.get(one.name) != one.version}, exact=True)

        return make

    def _plan(self, task: Task, state: State, line: Line) -> Plan:
        if not task.wanted and not (task.everything and not task.limits.allow):
            return Plan((), task.left)
        changes = tuple(
            change
            for change in (_change(self.newer, step, state) for step in self.foresee(task, state, line))
            if change is not None
        )
        _within(task.limits, changes)
        touched = {change.name for change in changes}
        waiting = [name for name in task.wanted if name in state.waiting or task.exact]
        return Plan(changes, tuple(sorted({*task.left, *(name for name in waiting if name not in touched)})))

    def _carry_out(self, make: _Make, line: Line, lock_timeout_seconds: int) -> Plan:
        self.must_be_root("change packages")
        self.wait(line, lock_timeout_seconds)
        repaired = self._finish(line, lock_timeout_seconds)
        state = self._look()
        task = make(state)
        plan = self._plan(task, state, unheard)._replace(repaired=repaired)
        if plan.kept_back:
            line(f"Kept back: {', '.join(plan.kept_back)}")
        if not plan.changes:
            line("Nothing to change")
            return plan
        try:
            self.perform(task, state, line, lock_timeout_seconds)
        except PackageManagerError as problem:
            raise PackageManagerError(problem.text, problem.tail, self._done(state, plan)) from problem
        return self._done(state, plan)

    def _finish(self, line: Line, lock_timeout_seconds: int) -> tuple[str, ...]:
        names = self.unfinished()
        if not names:
            return ()
        line(f"An earlier run was interrupted; finishing it first: {', '.join(names)}")
        try:
            self.finish(names, line, lock_timeout_seconds)
        except PackageManagerError as problem:
            raise PackageManagerError(
                f"What an earlier run left half done cannot be finished ({', '.join(names)}): {problem.text}",
                problem.tail,
            ) from problem
        return names

    def _done(self, before: State, plan: Plan) -> Plan:
        """What the database says has changed, planned packages first; where from and why is the plan's."""
        old, new = before.versions, self.versions()
        planned = {change.name: change for change in plan.changes}
        names = [*planned, *sorted((old.keys() | new.keys()) - planned.keys())]
        changes = (self._happened(name, old.get(name, ""), new.get(name, ""), planned.get(name)) for name in names)
        return Plan(tuple(change for change in changes if change is not None), plan.kept_back, plan.repaired)

    def _happened(self, name: str, old: str, new: str, planned: Optional[Change]) -> Optional[Change]:
        if old == new:
            return None
        same = planned if planned and planned.to_version == new else None
        action = _action(self.newer, old, new)
        return Change(name, old, new, same.repository if same else "", same.security if same else False, action)


def _present(names: Sequence[str], state: State) -> Sequence[str]:
    absent = [name for name in names if name not in state.versions]
    if absent:
        raise PackageManagerError(
            f"Not installed on this host: {', '.join(absent)}. Nothing was changed. "
            "Look at a new dry run, or take it out of the request."
        )
    return names


def _change(newer: Callable[[str, str], bool], step: Step, state: State) -> Optional[Change]:
    before = state.versions.get(step.name, "")
    if before == step.after:
        return None
    fix = state.fixes.get(step.name, "")
    security = bool(fix and step.after and not newer(fix, step.after))
    return Change(step.name, before, step.after, step.repository, security, _action(newer, before, step.after))


def _within(limits: Limits, changes: Sequence[Change]) -> None:
    """Refuse a plan that reaches too far: leaving a package out of the request does not keep others from needing it."""
    touched = [
        change.name
        for change in changes
        if limits.holds(change.name) or (change.action != "install" and limits.leaves(change.name))
    ]
    if touched:
        raise PackageManagerError(
            f"The update would have to touch what the patterns leave alone: {', '.join(touched)}. Nothing was changed; "
            "change the patterns, or do not ask for a full upgrade."
        )


def _action(newer: Callable[[str, str], bool], before: str, after: str) -> str:
    if not before:
        return "install"
    if not after:
        return "remove"
    return "upgrade" if newer(after, before) else "downgrade"
