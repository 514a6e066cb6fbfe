"""Debian's and Ubuntu's package manager."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Iterator, NamedTuple, Optional, Sequence

from .apt_policy import LOCAL, Policy, read_policies, read_security_sources
from .apt_simulation import Step, read_kept_back, read_steps
from .apt_sources import read_sources
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
from .locks import wait_until_free
from .processes import environment, failure, look, stream

_ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBIAN_PRIORITY": "critical",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_MODE": "l",
    "NEEDRESTART_SUSPEND": "1",
    "UCF_FORCE_CONFFOLD": "1",
}
_QUIET = ("-q", "-o", "APT::Color=0", "-o", "APT::Get::Show-User-Simulation-Note=0")
_UNATTENDED = (
    "-y",
    "-o",
    "Dpkg::Use-Pty=0",
    "-o",
    "Dpkg::Progress-Fancy=0",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
)
_LOCK_REFUSALS = ("Could not get lock", "Unable to lock", "Unable to acquire", "is locked by another process")
_DATABASE_LOCKS = ("var/lib/dpkg/lock-frontend", "var/lib/dpkg/lock", "var/cache/apt/archives/lock")
_LISTS_LOCKS = ("var/lib/apt/lists/lock",)
_LISTS_STAMPS = ("var/lib/apt/periodic/update-success-stamp", "var/lib/apt/lists/partial", "var/lib/apt/lists")
_RETRY_SECONDS = 1.0


class _Known(NamedTuple):
    """What apt and dpkg know at one moment."""

    entries: dict[str, Entry]
    policies: dict[str, Policy]
    security: frozenset[str]


class Apt(PackageManager):
    """Drives apt-get, apt-cache, dpkg and dpkg-query; a handful of calls however many packages there are."""

    name = "apt"

    def __init__(self, root: str = "/", lists: str = "") -> None:
        """Work on the system below `root`; `lists` replaces its folder of package lists."""
        super().__init__(root)
        self._lists = lists
        self._variables = environment(_ENVIRONMENT)
        self._options = [*_QUIET, *self._root_options(), *self._lists_options()]
        self._cache = ""
        self._known: Optional[tuple[object, _Known]] = None

    def available(self) -> bool:
        """Tell whether the tools and a package database are there."""
        tools = all(shutil.which(tool, path=self._variables["PATH"]) for tool in ("apt-get", "dpkg-query"))
        return tools and self._path("var/lib/dpkg/status").is_file()

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
                self._repository(known, entry.name, entry.version),
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
        return read_sources(self._path("etc/apt"))

    def refresh(self, line: Line, lock_timeout_seconds: int) -> None:
        """Fetch the package lists; sources that cannot be reached for now are warnings, as apt sees it."""
        self._change(["update"], _LISTS_LOCKS, line, lock_timeout_seconds)

    def cache_age_seconds(self) -> Optional[float]:
        """Age of the newest trace of a successful refresh."""
        stamps = [path.stat().st_mtime for path in map(self._path, _LISTS_STAMPS) if path.exists()]
        has_lists = any(self._path("var/lib/apt/lists").glob("*Release"))
        return max(time.time() - max(stamps), 0.0) if stamps and has_lists else None

    def scratch(self, directory: str) -> PackageManager:
        """Copy the package lists, so that a refresh fetches only what is newer and the host keeps its own."""
        lists = Path(directory, "lists")
        lists.mkdir()
        Path(directory).chmod(0o711)
        for source in self._path("var/lib/apt/lists").glob("*_*"):
            if source.is_file():
                shutil.copy2(source, lists / source.name)
        (lists / "partial").mkdir()
        Path(directory, "no-hooks.conf").write_text(
            "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n"
            "#clear APT::Update::Post-Invoke-Success;\n",
            encoding="utf-8",
        )
        return Apt(self.root, str(lists))

    def simulate(self, scope: str, packages: Sequence[str], line: Line = unheard) -> Plan:
        """Let apt itself plan; nothing is locked, written or fetched."""
        checked_scope(scope, packages)
        with self._shared_cache():
            known = self._know()
            arguments, held = self._arguments(known, scope, checked_names(packages))
            if not arguments:
                return Plan((), held)
            argv = ["apt-get", "--simulate", "-o", "Debug::NoLocking=1", *_UNATTENDED, *self._options, *arguments]
            line("$ apt-get --simulate " + " ".join(arguments))
            said = look(argv, self._variables)
            for text in said.splitlines():
                line(text)
            return Plan(self._changes(known, read_steps(said)), _kept_back(scope, said, held))

    def upgrade(self, scope: str, packages: Sequence[str], line: Line, lock_timeout_seconds: int) -> Plan:
        """Repair what an earlier run left half done, plan, change, and compare dpkg's database before and after."""
        checked_scope(scope, packages)
        names = checked_names(packages)
        self._arguments(self._know(), scope, names)
        self._repair(line, lock_timeout_seconds)
        with self._shared_cache():
            plan = self.simulate(scope, names)
            if not plan.changes:
                line("Nothing to change" + (f"; kept back: {', '.join(plan.kept_back)}" if plan.kept_back else ""))
                return plan
            before = self._know()
            arguments, _held = self._arguments(before, scope, names)
        try:
            self._change([*_UNATTENDED, *arguments], _DATABASE_LOCKS, line, lock_timeout_seconds)
        except PackageManagerError as problem:
            raise PackageManagerError(problem.text, problem.tail, self._done(before.entries, plan)) from problem
        return self._done(before.entries, plan)

    def services_to_restart(self) -> list[str]:
        """Ask needrestart, where it is installed, to list and not to act."""
        if self.root != "/" or not shutil.which("needrestart", path=self._variables["PATH"]):
            return []
        variables = {name: value for name, value in self._variables.items() if name != "NEEDRESTART_SUSPEND"}
        said = look(["needrestart", "-b", "-r", "l"], variables)
        return sorted(
            text.partition(":")[2].strip() for text in said.splitlines() if text.startswith("NEEDRESTART-SVC")
        )

    def reboot(self) -> Reboot:
        """Believe the flag that packages leave, then look at the kernel."""
        if not self._path("run/reboot-required").exists() and not self._path("var/run/reboot-required").exists():
            return super().reboot()
        named = map(self._path, ("run/reboot-required.pkgs", "var/run/reboot-required.pkgs"))
        listed = next((path.read_text(encoding="utf-8").split() for path in named if path.exists()), [])
        because = f" by {', '.join(dict.fromkeys(listed))}" if listed else ""
        return Reboot(required=True, reason=f"A restart was asked for{because}")

    # ------------------------------------------------------------------ looking

    def _know(self) -> _Known:
        """Everything about the installed packages; asked again only when a file behind it has changed."""
        stamp = self._stamp()
        if self._known is not None and self._known[0] == stamp:
            return self._known[1]
        entries = read_status(self.root, self._variables)
        with self._shared_cache():
            policies = self._policies(list(entries))
            security = read_security_sources(self._apt_cache("policy")) if policies else frozenset[str]()
        known = _Known(entries, policies, security)
        self._known = (stamp, known)
        return known

    def _policies(self, names: Sequence[str]) -> dict[str, Policy]:
        return read_policies(self._apt_cache("policy", *names)) if names else {}

    def _repository(self, known: _Known, name: str, version: str) -> str:
        policy = known.policies.get(name)
        return policy.repository(version, known.security) if policy else LOCAL

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
        native = [name if name in known.entries else _without_native(name, known) for name in names]
        missing = [name for name in native if name not in known.entries]
        if not missing:
            return native
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

    def _done(self, before: dict[str, Entry], plan: Plan) -> Plan:
        """What the database says has changed; repository and security flag are those of the plan."""
        after = read_status(self.root, self._variables)
        planned = {change.name: change for change in plan.changes}
        names = [*(name for name in planned), *sorted((before.keys() | after.keys()) - planned.keys())]
        changes = []
        for name in names:
            old = before[name].version if name in before else ""
            new = after[name].version if name in after else ""
            if old != new:
                same = planned.get(name)
                expected = same if same and same.to_version == new else None
                changes.append(
                    Change(
                        name,
                        old,
                        new,
                        expected.repository if expected else "",
                        expected.security if expected else False,
                        _action(old, new),
                    )
                )
        return Plan(tuple(changes), plan.kept_back)

    # ------------------------------------------------------------------ changing

    def _repair(self, line: Line, lock_timeout_seconds: int) -> None:
        """Finish what an interrupted run left unpacked but not configured; apt refuses to work before that."""
        journal = self._path("var/lib/dpkg/updates")
        interrupted = journal.is_dir() and any(entry.name.isdigit() for entry in journal.iterdir())
        unfinished = sorted(name for name, entry in self._know().entries.items() if entry.unfinished)
        if not interrupted and not unfinished:
            return
        what = ", ".join(unfinished) if unfinished else "dpkg's journal"
        line(f"An earlier run was interrupted; finishing it first: {what}")
        options = [f"--root={self.root}", "--force-script-chrootless"] if self.root != "/" else []
        argv = ["dpkg", *options, "--force-confdef", "--force-confold", "--configure", "-a"]
        self._locked(argv, _DATABASE_LOCKS, line, lock_timeout_seconds)

    def _change(self, arguments: Sequence[str], locks: Sequence[str], line: Line, lock_timeout_seconds: int) -> None:
        self._locked(["apt-get", *self._options, *arguments], locks, line, lock_timeout_seconds)

    def _locked(self, argv: Sequence[str], locks: Sequence[str], line: Line, lock_timeout_seconds: int) -> None:
        """Wait for the locks, run, and wait again should somebody else have been quicker."""
        started = time.monotonic()
        paths = [str(self._path(lock)) for lock in locks] if not self._lists else []
        while True:
            wait_until_free(paths, line, started, lock_timeout_seconds)
            finished = stream(argv, self._variables, line)
            self._known = None
            if finished.code == 0 and not finished.stopped:
                return
            waited = time.monotonic() - started
            refused = any(words in finished.tail for words in _LOCK_REFUSALS)
            if finished.stopped or not refused or waited >= lock_timeout_seconds:
                raise failure(argv, finished)
            line(f"Waiting: another program was quicker ({waited:.0f} of at most {lock_timeout_seconds} seconds)")
            time.sleep(_RETRY_SECONDS)

    # ------------------------------------------------------------------ plumbing

    def _path(self, below_root: str) -> Path:
        return Path(self.root, below_root)

    def _apt_cache(self, *arguments: str) -> str:
        options = ["-o", f"Dir::Cache::pkgcache={self._cache}/pkgcache.bin"] if self._cache else []
        return look(["apt-cache", *self._options, *options, *arguments], self._variables)

    def _root_options(self) -> list[str]:
        if self.root == "/":
            return []
        settings = (
            f"Dir={self.root}",
            f"Dir::State::status={self._path('var/lib/dpkg/status')}",
            f"Dpkg::Options::=--root={self.root}",
            "Dpkg::Options::=--force-script-chrootless",
            "Dpkg::Options::=--force-not-root",
            "APT::Sandbox::User=",
        )
        return [word for setting in settings for word in ("-o", setting)]

    def _lists_options(self) -> list[str]:
        if not self._lists:
            return []
        above = os.path.dirname(self._lists)
        settings = (f"Dir::State::lists={self._lists}", f"Dir::Cache={above}", "Dir::Cache::pkgcache=pkgcache.bin")
        return ["-c", f"{above}/no-hooks.conf", *(word for setting in settings for word in ("-o", setting))]

    def _stamp(self) -> object:
        watched = (
            "var/lib/dpkg/status",
            "var/lib/apt/lists",
            "etc/apt",
            "etc/apt/preferences.d",
            "etc/apt/sources.list.d",
        )
        paths = [*map(self._path, watched), *([Path(self._lists)] if self._lists else [])]
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)

    @contextlib.contextmanager
    def _shared_cache(self) -> Iterator[None]:
        """Let several calls share one binary cache where the system keeps none: building it is most of their time."""
        if self._cache or self._lists or self._path("var/cache/apt/pkgcache.bin").exists():
            yield
            return
        with tempfile.TemporaryDirectory(prefix="patchmon-apt-") as folder:
            self._cache = folder
            try:
                yield
            finally:
                self._cache = ""


def _without_native(name: str, known: _Known) -> str:
    """`bash:amd64` is `bash` on an amd64 host."""
    plain, separator, architecture = name.rpartition(":")
    entry = known.entries.get(plain) if separator else None
    return plain if entry and architecture in (entry.architecture, "all") else name


def _kept_back(scope: str, said: str, held: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*held, *(read_kept_back(said) if scope == "all" else ())}))


def _change(step: Step, policy: Optional[Policy], security: frozenset[str]) -> Change:
    number = step.after or step.before
    fix = policy.security_version(security) if policy else ""
    new = bool(policy and not step.before and not security.isdisjoint(_sources(policy, step.after)))
    fixed = bool(fix and step.after and not newer(fix, step.after))
    repository = policy.repository(number, security) if policy else LOCAL
    return Change(step.name, step.before, step.after, repository, fixed or new, _action(step.before, step.after))


def _sources(policy: Policy, number: str) -> tuple[str, ...]:
    version = policy.version(number)
    return version.sources if version else ()


def _action(before: str, after: str) -> str:
    if not before:
        return "install"
    if not after:
        return "remove"
    return "upgrade" if newer(after, before) else "downgrade"
