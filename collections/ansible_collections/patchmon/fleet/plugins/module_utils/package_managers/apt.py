"""Debian's and Ubuntu's package manager."""

from __future__ import annotations

import time
from typing import NamedTuple, Optional, Sequence

from .apt_policy import LOCAL, Policy, read_policies, read_security_sources
from .apt_simulation import Step, read_kept_back, read_steps
from .apt_sources import read_sources
from .apt_tools import AptTools
from .base import (
    Change,
    Installed,
    Line,
    PackageManager,
    PackageManagerError,
    Plan,
    Reboot,
    Repository,
    Update,
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


class Apt(PackageManager):
    """Drives apt-get, apt-cache, dpkg and dpkg-query; a handful of calls however many packages there are."""

    name = "apt"

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

    def refresh(self, line: Line, lock_timeout_seconds: int) -> None:
        """Fetch the package lists; sources that cannot be reached for now are warnings, as apt sees it."""
        self._tools.update(line, lock_timeout_seconds)
        self._known = None

    def cache_age_seconds(self) -> Optional[float]:
        """Age of the newest trace of a refresh."""
        stamps = [path.stat().st_mtime for path in map(self._tools.path, _LISTS_STAMPS) if path.exists()]
        has_lists = any(self._tools.path("var/lib/apt/lists").glob("*Release"))
        return max(time.time() - max(stamps), 0.0) if stamps and has_lists else None

    def scratch(self, directory: str) -> PackageManager:
        """Work on a copy of the package lists below `directory`."""
        self._tools.copy_lists(directory)
        return Apt(self.root, directory)

    def simulate(self, scope: str, packages: Sequence[str], line: Line = unheard) -> Plan:
        """Let apt itself plan; nothing is locked, written or fetched."""
        checked_scope(scope, packages)
        names = checked_names(packages)
        with self._tools.shared_cache():
            known = self._know()
            arguments, held = self._arguments(known, scope, names)
            if not arguments:
                return Plan((), held)
            line(" ".join(["$ apt-get --simulate", *arguments]))
            said = self._tools.simulate(arguments)
            for text in said.splitlines():
                line(text)
            kept_back = {*held, *(read_kept_back(said) if scope == "all" else ())}
            return Plan(self._changes(known, read_steps(said)), tuple(sorted(kept_back)))

    def upgrade(self, scope: str, packages: Sequence[str], line: Line, lock_timeout_seconds: int) -> Plan:
        """Repair what an earlier run left half done, plan, change, and compare dpkg's database before and after."""
        checked_scope(scope, packages)
        names = checked_names(packages)
        self._tools.begin(line, lock_timeout_seconds)
        with self._tools.shared_cache():
            self._arguments(self._know(), scope, names)
            self._repair(line, lock_timeout_seconds)
            plan = self.simulate(scope, names)
            before = self._know()
            arguments, _held = self._arguments(before, scope, names)
        if plan.kept_back:
            line(f"Kept back: {', '.join(plan.kept_back)}")
        if not plan.changes:
            line("Nothing to change")
            return plan
        try:
            self._tools.change(arguments, line, lock_timeout_seconds)
        except PackageManagerError as problem:
            raise PackageManagerError(problem.text, problem.tail, self._done(before, plan)) from problem
        return self._done(before, plan)

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

    def _arguments(self, known: _Known, scope: str, names: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
        """What to ask apt-get for, empty for nothing, and which of the wanted packages are on hold."""
        if scope == "all":
            return ["--with-new-pkgs", "upgrade"], ()
        if scope == "security":
            fixes = {name: policy.security_version(known.security) for name, policy in known.policies.items()}
            wanted = {name: f"{name}={version}" for name, version in fixes.items() if version}
        else:
            wanted = {name: name for name in self._all_installed(known, names)}
        held = tuple(sorted(name for name in wanted if known.entries[name].held))
        free = [word for name, word in sorted(wanted.items()) if name not in held]
        return (["--only-upgrade", "install", *free] if free else []), held

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
        raise PackageManagerError(f"{said[0].upper()}{said[1:]}. Nothing was changed.")

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
        return Plan(tuple(change for change in changes if change is not None), plan.kept_back)

    def _repair(self, line: Line, lock_timeout_seconds: int) -> None:
        """Finish what an interrupted run left unpacked but not configured; apt refuses to work before that."""
        journal = self._tools.path("var/lib/dpkg/updates")
        interrupted = journal.is_dir() and any(entry.name.isdigit() for entry in journal.iterdir())
        unfinished = sorted(name for name, entry in self._know().entries.items() if entry.unfinished)
        if interrupted or unfinished:
            line(
                f"An earlier run was interrupted; finishing it first: {', '.join(unfinished) or 'the journal of dpkg'}"
            )
            self._tools.configure_all(line, lock_timeout_seconds)


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
