"""Debian's and Ubuntu's package manager."""

from __future__ import annotations

import time
from typing import Callable, NamedTuple, Optional, Sequence

from .apt_faults import finishing
from .apt_pins import pins
from .apt_policy import LOCAL, Policy, read_policies, read_security_sources
from .apt_simulation import Step, read_kept_back, read_steps
from .apt_sources import read_sources
from .apt_tools import AptTools
from .base import (
    UNLIMITED,
    Change,
    Exact,
    Installed,
    Limits,
    Line,
    PackageManager,
    PackageManagerError,
    Plan,
    Reboot,
    Repository,
    Update,
    checked_exact,
    checked_limits,
    checked_names,
    checked_scope,
    unheard,
)
from .debian_version import newer
from .dpkg_status import Entry, read_status
from .processes import look

_LISTS_STAMPS = ("var/lib/apt/periodic/update-success-stamp", "var/lib/apt/lists/partial", "var/lib/apt/lists")
_WATCHED = ("var/lib/dpkg/status", "var/lib/apt/lists", "etc/apt", "etc/apt/preferences.d", "etc/apt/sources.list.d")
_REBOOT_FLAGS = ("run/reboot-required", "var/run/reboot-required")


class _Known(NamedTuple):
    """What apt and dpkg know at one moment."""

    entries: dict[str, Entry]
    policies: dict[str, Policy]
    security: frozenset[str]

    def repository(self, name: str, version: str) -> str:
        """Where one version of an installed package can be had."""
        policy = self.policies.get(name)
        return policy.repository(version, self.security) if policy else LOCAL


class _Asked(NamedTuple):
    """What to ask apt-get for, nothing when empty; what is left alone by wish; preferences for this one call."""

    arguments: list[str]
    left: tuple[str, ...]
    limits: Limits = UNLIMITED
    pins: str = ""


_Ask = Callable[[_Known], _Asked]


class Apt(PackageManager):
    """Drives apt-get, apt-cache, dpkg and dpkg-query; a handful of calls however many packages there are."""

    name = "apt"
    release = "'apt-mark unhold'"

    def __init__(self, root: str = "/", scratch: str = "") -> None:
        """Work on the system below `root`; `scratch` is for scratch() alone."""
        super().__init__(root)
        self._tools = AptTools(root, scratch)
        self._known: Optional[tuple[object, _Known]] = None

    def available(self) -> bool:
        """Tell whether the tools and a package database are there."""
        tools = all(map(self._tools.has, ("apt-get", "apt-cache", "dpkg", "dpkg-query")))
        return tools and self._tools.path("var/lib/dpkg/status").is_file()

    def installed(self) -> list[Installed]:
        """Every package whose files are on the disk."""
        known = self._know()
        return [
            Installed(
                entry.name,
                entry.version,
                entry.summary,
                entry.section,
                entry.architecture,
                known.repository(entry.name, entry.version),
            )
            for entry in known.entries.values()
        ]

    def updates(self) -> list[Update]:
        """Every package whose candidate is newer; security by origin."""
        known = self._know()
        return [
            Update(
                policy.name,
                policy.installed,
                policy.candidate,
                bool(policy.security_version(known.security)),
                policy.repository(policy.candidate, known.security),
            )
            for policy in known.policies.values()
            if policy.upgradable
        ]

    def repositories(self) -> list[Repository]:
        """Every source of sources.list and sources.list.d."""
        return read_sources(self._tools.path("etc/apt"))

    def refresh(self, line: Line, lock_timeout_seconds: int) -> tuple[str, ...]:
        """Fetch the package lists; sources that cannot be reached for now are warnings, as apt sees it."""
        self._known = None
        return self._tools.update(line, lock_timeout_seconds)

    def cache_age_seconds(self) -> Optional[float]:
        """Age of the newest trace of a refresh."""
        stamps = [path.stat().st_mtime for path in map(self._tools.path, _LISTS_STAMPS) if path.exists()]
        has_lists = any(self._tools.path("var/lib/apt/lists").glob("*Release"))
        return max(time.time() - max(stamps), 0.0) if stamps and has_lists else None

    def scratch(self, directory: str) -> PackageManager:
        """Work on a copy of the package lists below `directory`."""
        self._tools.copy_lists(directory)
        return Apt(self.root, directory)

    def unfinished(self) -> tuple[str, ...]:
        """Packages that are unpacked but not configured, or half unpacked, and dpkg's own journal."""
        journal = self._tools.path("var/lib/dpkg/updates")
        interrupted = journal.is_dir() and any(entry.name.isdigit() for entry in journal.iterdir())
        names = sorted(name for name, entry in self._know().entries.items() if entry.unfinished)
        return tuple(names) or (("the journal of dpkg",) if interrupted else ())

    def busy(self) -> str:
        """Whoever holds one of dpkg's locks."""
        return self._tools.busy()

    def repair(self, line: Line, lock_timeout_seconds: int) -> Plan:
        """What every changing run begins with, alone."""
        return self._carry_out(lambda _known: _Asked([], ()), line, lock_timeout_seconds)

    def simulate(self, scope: str, packages: Sequence[str], line: Line = unheard, limits: Limits = UNLIMITED) -> Plan:
        """Let apt itself plan; nothing is locked, written or fetched."""
        return self._plan(self._ask_update(scope, packages, limits), line)

    def upgrade(
        self,
        scope: str,
        packages: Sequence[str],
        line: Line,
        lock_timeout_seconds: int,
        limits: Limits = UNLIMITED,
    ) -> Plan:
        """Repair what an earlier run left half done, plan, change, and compare dpkg's database before and after."""
        return self._carry_out(self._ask_update(scope, packages, limits), line, lock_timeout_seconds)

    def missing(self, wanted: Sequence[Exact]) -> tuple[Exact, ...]:
        """Versions that are neither on the disk, nor in a source, nor among the packages that apt keeps."""
        checked = checked_exact(wanted)
        with self._tools.shared_cache():
            known = self._know()
            sources = self._words(known, checked)
        return tuple(one for one in checked if one not in sources and not _is_installed(known, one))

    def simulate_exact(self, wanted: Sequence[Exact], line: Line = unheard) -> Plan:
        """Let apt plan the way back."""
        return self._plan(self._ask_exact(wanted), line)

    def install_exact(self, wanted: Sequence[Exact], line: Line, lock_timeout_seconds: int) -> Plan:
        """Go back, or forth, to exactly these versions; packages on hold stay."""
        return self._carry_out(self._ask_exact(wanted), line, lock_timeout_seconds)

    def services_to_restart(self) -> list[str]:
        """Ask needrestart, where it is installed, to list and not to act."""
        if self.root != "/" or not self._tools.has("needrestart"):
            return []
        variables = {name: value for name, value in self._tools.variables.items() if name != "NEEDRESTART_SUSPEND"}
        said = look(["needrestart", "-b", "-r", "l"], variables)
        return sorted(
            text.partition(":")[2].strip() for text in said.splitlines() if text.startswith("NEEDRESTART-SVC")
        )

    def reboot(self) -> Reboot:
        """Believe the flag that packages leave, then look at the kernel."""
        flags = [path for path in map(self._tools.path, _REBOOT_FLAGS) if path.exists()]
        if not flags:
            return super().reboot()
        lists = [path.with_name(path.name + ".pkgs") for path in flags]
        named = next((path.read_text(encoding="utf-8").split() for path in lists if path.exists()), [])
        because = f" by {', '.join(dict.fromkeys(named))}" if named else ""
        return Reboot(required=True, reason=f"A restart was asked for{because}")

    def _know(self) -> _Known:
        """Everything about the installed packages; asked again only when a file behind it has changed."""
        stamp = self._stamp()
        if self._known is not None and self._known[0] == stamp:
            return self._known[1]
        entries = read_status(self.root, self._tools.variables)
        with self._tools.shared_cache():
            policies = self._policies(list(entries))
            security = read_security_sources(self._tools.cache("policy")) if policies else frozenset()
        known = _Known(entries, policies, security)
        self._known = (stamp, known)
        return known

    def _stamp(self) -> object:
        paths = map(self._tools.path, _WATCHED)
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)

    def _policies(self, names: Sequence[str]) -> dict[str, Policy]:
        return read_policies(self._tools.cache("policy", *names)) if names else {}

    def _ask_update(self, scope: str, packages: Sequence[str], limits: Limits) -> _Ask:
        checked_scope(scope, packages)
        checked_limits(scope, limits)
        names = checked_names(packages)

        def ask(known: _Known) -> _Asked:
            versions = {name: entry.version for name, entry in known.entries.items()}
            waiting = [name for name, policy in known.policies.items() if policy.upgradable]
            preferences = pins(versions, waiting, limits)
            if scope == "all":
                left = tuple(sorted(name for name in waiting if limits.leaves(name)))
                command = ["dist-upgrade"] if limits.full else ["--with-new-pkgs", "upgrade"]
                return _Asked(command, left, limits, preferences)
            wanted = self._wanted(known, scope, names)
            left = tuple(sorted(name for name in wanted if known.entries[name].held or limits.leaves(name)))
            free = [word for name, word in sorted(wanted.items()) if name not in left]
            return _Asked(["--only-upgrade", "install", *free] if free else [], left, limits, preferences)

        return ask

    def _ask_exact(self, wanted: Sequence[Exact]) -> _Ask:
        checked = checked_exact(wanted)

        def ask(known: _Known) -> _Asked:
            words = self._words(known, [one for one in checked if not _is_installed(known, one)])
            held = tuple(
                sorted(one.name for one in words if one.name in known.entries and known.entries[one.name].held)
            )
            free = [word for one, word in sorted(words.items()) if one.name not in held]
            return _Asked(["--allow-downgrades", "install", *free] if free else [], held)

        return ask

    def _wanted(self, known: _Known, scope: str, names: Sequence[str]) -> dict[str, str]:
        """Apt's word for each package that is meant."""
        if scope == "packages":
            return {name: name for name in self._all_installed(known, names)}
        fixes = {name: policy.security_version(known.security) for name, policy in known.policies.items()}
        return {name: f"{name}={version}" for name, version in fixes.items() if version}

    def _words(self, known: _Known, wanted: Sequence[Exact]) -> dict[Exact, str]:
        """Apt's word for each version that can be had: from a source, else the file that apt kept of it."""
        new = self._policies([one.name for one in wanted if one.name not in known.policies])
        policies = {**known.policies, **new}
        found: dict[Exact, str] = {}
        for one in wanted:
            policy = policies.get(one.name)
            if policy is not None and policy.repository(one.version, known.security) != LOCAL:
                found[one] = f"{one.name}={one.version}"
            elif (kept := self._tools.kept_file(*one)) is not None:
                found[one] = str(kept)
        return found

    def _plan(self, ask: _Ask, line: Line) -> Plan:
        with self._tools.shared_cache():
            known = self._know()
            asked = ask(known)
            if not asked.arguments:
                return Plan((), asked.left)
            line(" ".join(["$ apt-get --simulate", *asked.arguments]))
            with self._tools.pinned(asked.pins):
                said = self._tools.simulate(asked.arguments)
            for text in said.splitlines():
                line(text)
            kept_back = {*asked.left, *(read_kept_back(said) if "install" not in asked.arguments else ())}
            plan = Plan(self._changes(known, read_steps(said)), tuple(sorted(kept_back)))
        _within(asked.limits, plan)
        return plan

    def _carry_out(self, ask: _Ask, line: Line, lock_timeout_seconds: int) -> Plan:
        self._tools.begin(line, lock_timeout_seconds)
        with self._tools.shared_cache():
            ask(self._know())
            repaired = self._repair(line, lock_timeout_seconds)
            plan = self._plan(ask, unheard)._replace(repaired=repaired)
            before = self._know()
            asked = ask(before)
        if plan.kept_back:
            line(f"Kept back: {', '.join(plan.kept_back)}")
        if not plan.changes:
            line("Nothing to change")
            return plan
        try:
            with self._tools.pinned(asked.pins):
                self._tools.change(asked.arguments, line, lock_timeout_seconds)
        except PackageManagerError as problem:
            raise PackageManagerError(problem.text, problem.tail, self._done(before, plan)) from problem
        return self._done(before, plan)

    def _all_installed(self, known: _Known, names: Sequence[str]) -> list[str]:
        plain = [name if name in known.entries else _without_native(name, known) for name in names]
        missing = [name for name in plain if name not in known.entries]
        if not missing:
            return plain
        in_lists = self._policies(missing)
        unknown = [name for name in missing if name not in in_lists or not in_lists[name].candidate]
        absent = [name for name in missing if name not in unknown]
        parts = [f"not installed on this host: {', '.join(absent)}"] if absent else []
        parts += [f"unknown to apt: {', '.join(unknown)}"] if unknown else []
        said = "; ".join(parts)
        raise PackageManagerError(
            f"{said[0].upper()}{said[1:]}. Nothing was changed. Look at a new dry run, or take it out of the request."
        )

    def _changes(self, known: _Known, steps: Sequence[Step]) -> tuple[Change, ...]:
        new = self._policies([step.name for step in steps if step.name not in known.policies])
        policies = {**known.policies, **new}
        return tuple(_change(step, policies.get(step.name), known.security) for step in steps)

    def _done(self, before: _Known, plan: Plan) -> Plan:
        """What the database says has changed, planned packages first; where from and why is the plan's."""
        old = {name: entry.version for name, entry in before.entries.items()}
        new = {name: entry.version for name, entry in read_status(self.root, self._tools.variables).items()}
        planned = {change.name: change for change in plan.changes}
        names = [*planned, *sorted((old.keys() | new.keys()) - planned.keys())]
        changes = (_happened(name, old.get(name, ""), new.get(name, ""), planned.get(name)) for name in names)
        return Plan(tuple(change for change in changes if change is not None), plan.kept_back, plan.repaired)

    def _repair(self, line: Line, lock_timeout_seconds: int) -> tuple[str, ...]:
        """Finish what an interrupted run left half done; apt refuses to work before that."""
        unfinished = self.unfinished()
        if unfinished:
            line(f"An earlier run was interrupted; finishing it first: {', '.join(unfinished)}")
            with finishing(self.unfinished):
                self._tools.configure_all(line, lock_timeout_seconds)
                if self.unfinished():
                    self._tools.change(["--no-remove", "--fix-broken", "install"], line, lock_timeout_seconds)
        return unfinished


def _within(limits: Limits, plan: Plan) -> None:
    """Refuse a plan that reaches too far: preferences keep apt from changing a package, not from removing it."""
    touched = [
        change.name
        for change in plan.changes
        if limits.holds(change.name) or (change.action != "install" and limits.leaves(change.name))
    ]
    if touched:
        raise PackageManagerError(
            f"The update would have to touch what the patterns leave alone: {', '.join(touched)}. Nothing was changed; "
            "change the patterns, or do not ask for a full upgrade."
        )


def _is_installed(known: _Known, wanted: Exact) -> bool:
    entry = known.entries.get(wanted.name)
    return entry is not None and entry.version == wanted.version and not entry.unfinished


def _without_native(name: str, known: _Known) -> str:
    """`bash:amd64` is `bash` on an amd64 host."""
    plain, separator, architecture = name.rpartition(":")
    entry = known.entries.get(plain) if separator else None
    return plain if entry and architecture in (entry.architecture, "all") else name


def _change(step: Step, policy: Optional[Policy], security: frozenset[str]) -> Change:
    action = _action(step.before, step.after)
    if policy is None:
        return Change(step.name, step.before, step.after, LOCAL, False, action)
    fix = policy.security_version(security)
    fixed = bool(fix and step.after and not newer(fix, step.after))
    version = policy.version(step.after)
    new_fix = not step.before and version is not None and not security.isdisjoint(version.sources)
    repository = policy.repository(step.after or step.before, security)
    return Change(step.name, step.before, step.after, repository, fixed or new_fix, action)


def _happened(name: str, old: str, new: str, planned: Optional[Change]) -> Optional[Change]:
    if old == new:
        return None
    same = planned if planned and planned.to_version == new else None
    return Change(name, old, new, same.repository if same else "", same.security if same else False, _action(old, new))


def _action(before: str, after: str) -> str:
    if not before:
        return "install"
    if not after:
        return "remove"
    return "upgrade" if newer(after, before) else "downgrade"
