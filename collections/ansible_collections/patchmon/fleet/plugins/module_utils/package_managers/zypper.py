"""The package manager of openSUSE and SUSE Linux Enterprise."""

from __future__ import annotations

import os
import re
import shutil
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Mapping, Optional, Sequence

from .base import Exact, Installed, Line, PackageManagerError, Reboot, Repository, Update, checked_exact
from .locks import wait_until_free
from .pid_locks import pid_holder
from .processes import environment, failure, look, stream
from .rpm_doubles import doubles, erase_command
from .rpm_reboot import updated_since_start
from .rpm_repositories import read_names, read_repositories
from .rpm_tools import RpmPackage, database, read_installed
from .rpm_version import newer
from .stepwise import State, Step, Stepwise, Task
from .zypper_faults import CAUSES
from .zypper_formats import Offer, read_found, read_messages, read_patches, read_summary, read_updates

UNKNOWN = "unknown"
_FOLDER = "etc/zypp/repos.d"
_LOCKS = ("run/zypp.pid", "var/run/zypp.pid", "var/lib/rpm/.rpm.lock", "usr/lib/sysimage/rpm/.rpm.lock")
_QUESTIONS_OK = (0, 6, 100, 101, 102, 103, 104, 106)
"""Exit codes of zypper that inform: no or skipped repositories, updates or a restart waiting, nothing found."""
_DONE = (0, 6, 100, 101, 102, 103, 106, 107)
_LOCKED = 7
_SCRIPT_FAILED = 107
_RETRY_SECONDS = 1.0
_REBOOT_FLAGS = ("run/reboot-needed", "var/run/reboot-needed", "boot/do_purge_kernels")
_LOCK_NAME = re.compile(r"^solvable_name:\s*(\S+)", re.MULTILINE)
_UNREACHED = re.compile(r"(?:Skipping repository|Repository) '([^']+)' (?:because of the above error|is invalid)")


class Zypper(Stepwise):
    """Drives zypper and rpm; plans and lists are read from XML."""

    name = "zypper"
    release = "'zypper removelock'"

    def __init__(self, root: str = "/") -> None:
        """Work on the system below `root`."""
        super().__init__(root)
        self._variables = environment({"ZYPP_LOCK_TIMEOUT": "20"})

    def available(self) -> bool:
        """Tell whether the tools and a package database are there."""
        found = [shutil.which(program, path=self._variables["PATH"]) for program in ("zypper", "rpm")]
        return all(found) and database(self.root) is not None

    def installed(self) -> list[Installed]:
        """Every package of rpm's database, with the source that has this version."""
        offered = {(one.name, one.version): one.source for one in self._offered("--installed-only")}
        return [
            Installed(
                package.name,
                package.version,
                package.summary,
                package.group,
                package.architecture,
                offered.get((package.name, package.version), UNKNOWN),
            )
            for package in self._packages().values()
        ]

    def updates(self) -> list[Update]:
        """The newest version of each installed package, locked ones too; security by patches."""
        versions = self.versions()
        fixes = self.fixes(versions)
        found = {}
        for one in read_updates(self._ask("list-updates", "--all"), "package"):
            if one.name in versions and newer(one.version, versions[one.name]):
                found[one.name] = Update(one.name, versions[one.name], one.version, one.name in fixes, one.source)
        return [found[name] for name in sorted(found)]

    def repositories(self) -> list[Repository]:
        """Every enabled source of repos.d."""
        return read_repositories(self.root, (_FOLDER,))

    def refresh(self, line: Line, lock_timeout_seconds: int) -> tuple[str, ...]:
        """Fetch the package lists; sources that cannot be reached for now are warnings."""
        self.must_be_root("fetch the package lists")
        said = self._locked([*self._program(), "refresh"], "zypper refresh", line, lock_timeout_seconds)
        return tuple(
            f"A package source could not be reached, its old list is used: {name}"
            for name in dict.fromkeys(_UNREACHED.findall(said))
        )

    def cache_age_seconds(self) -> Optional[float]:
        """Age of the newest package list."""
        cookies = Path(self.root, "var/cache/zypp/solv").glob("*/cookie")
        stamps = [cookie.stat().st_mtime for cookie in cookies if cookie.parent.name != "@System"]
        return max(time.time() - max(stamps), 0.0) if stamps else None

    def missing(self, wanted: Sequence[Exact]) -> tuple[Exact, ...]:
        """Versions that are neither on the disk nor in a source."""
        checked = checked_exact(wanted)
        versions = self.versions()
        names = [one.name.partition(":")[0] for one in checked]
        offered = {(one.name, one.version) for one in self._offered("--match-exact", *names)}
        return tuple(one for one in checked if versions.get(one.name) != one.version and tuple(one) not in offered)

    def unfinished(self) -> tuple[str, ...]:
        """Packages whose old version is still there beside the new one."""
        return tuple(sorted({one.name for one in doubles(self.root, self._variables)}))

    def busy(self) -> str:
        """Who runs zypper, YaST or rpm now."""
        return str(pid_holder(self._lock_paths()) or "")

    def services_to_restart(self) -> list[str]:
        """Ask zypper for services that run replaced files."""
        if self.root != "/":
            return []
        said = look(["zypper", "--non-interactive", "ps", "-sss"], self._variables, _QUESTIONS_OK)
        return sorted(
            f"{text.strip()}.service" for text in said.splitlines() if re.fullmatch(r"[\w@.:-]+", text.strip())
        )

    def reboot(self) -> Reboot:
        """Believe the flags that updates leave, then look at the kernel and at core packages."""
        if any(Path(self.root, flag).exists() for flag in _REBOOT_FLAGS[:2]):
            return Reboot(required=True, reason="A restart was asked for by an installed patch or package")
        kernel = super().reboot()
        if kernel.required:
            return kernel
        names = updated_since_start(self.root, self._variables)
        reason = f"Updated since the start of the host: {', '.join(names)}" if names else ""
        return Reboot(required=bool(names), reason=reason)

    # ------------------------------------------------------------------ for Stepwise

    def versions(self) -> dict[str, str]:
        """What rpm's database says now."""
        return {name: package.version for name, package in self._packages().items()}

    def fixes(self, versions: Mapping[str, str]) -> Mapping[str, str]:
        """The newest version that a needed security patch asks for."""
        patches = read_updates(self._ask("list-patches", "--category", "security"), "patch")
        names = sorted({patch.name for patch in patches})
        found: dict[str, str] = {}
        if names:
            said = look([*self._program("--no-refresh"), "info", "-t", "patch", *names], self._variables, _QUESTIONS_OK)
            for name, version in read_patches(said):
                if newer(version, found.get(name) or versions.get(name, version)):
                    found[name] = version
        return found

    def newer(self, left: str, right: str) -> bool:
        """As rpm orders versions."""
        return newer(left, right)

    def foresee(self, task: Task, state: State, line: Line) -> list[Step]:
        """Let zypper make the plan."""
        command = self._command(task)
        if not command:
            return []
        line(" ".join(["$ zypper --dry-run", *command]))
        said = self._ask(command[0], "--dry-run", "--auto-agree-with-licenses", *command[1:])
        for text in read_messages(said).splitlines():
            line(text)
        rows = read_summary(said)
        sources = self._sources([row.name for row in rows if row.name not in state.waiting])
        steps = []
        for row in rows:
            waiting = state.waiting.get(row.name)
            source = waiting.repository if waiting else sources.get((row.name, row.version), "")
            line(f"{row.name} {state.versions.get(row.name, '(new)')} -> {'(removed)' if row.removed else row.version}")
            steps.append(Step(row.name, "" if row.removed else row.version, source))
        return steps

    def perform(self, task: Task, state: State, line: Line, lock_timeout_seconds: int) -> None:
        """Let zypper do it; licences were agreed to when the system was installed."""
        del state
        command = self._command(task)
        argv = [*self._program("--no-refresh"), command[0], "--auto-agree-with-licenses", *command[1:]]
        self._locked(argv, " ".join(["zypper", *command]), line, lock_timeout_seconds)

    def finish(self, names: Sequence[str], line: Line, lock_timeout_seconds: int) -> None:
        """Erase the old versions, as the interrupted run would have done next."""
        del names
        found = doubles(self.root, self._variables)
        argv = erase_command(self.root, found)
        wait_until_free(self._lock_paths(), line, time.monotonic(), lock_timeout_seconds, pid_holder)
        finished = stream(argv, self._variables, line, " ".join(["rpm", "-e", *(one.word for one in found)]))
        # Here any code but zero counts packages that stayed.
        if finished.stopped or finished.code:
            raise CAUSES.explained(failure(argv, finished))

    def wait(self, line: Line, lock_timeout_seconds: int) -> None:
        """Wait for whoever runs zypper, YaST or rpm."""
        wait_until_free(self._lock_paths(), line, time.monotonic(), lock_timeout_seconds, pid_holder)

    # ------------------------------------------------------------------ inside

    def _command(self, task: Task) -> list[str]:
        """Nothing when everything that is meant is locked: zypper would ask what to do."""
        if task.exact:
            return ["install", "--oldpackage", *(f"{name}={version}" for name, version in sorted(task.wanted.items()))]
        if task.everything and not task.left and not task.limits.hold and not task.limits.full:
            return ["update"]
        locked = self._locked_patterns()
        free = {
            name: version
            for name, version in sorted(task.wanted.items())
            if not any(fnmatchcase(name, pattern) for pattern in locked)
        }
        if not free:
            return []
        if not task.everything and any(free.values()):
            return ["install", *(f"{name}={version}" if version else name for name, version in free.items())]
        return ["update", *(["--force-resolution"] if task.limits.full else []), *free]

    def _packages(self) -> dict[str, RpmPackage]:
        return read_installed(self.root, self._variables)

    def _offered(self, *how: str) -> list[Offer]:
        aliases = read_names(self.root, (_FOLDER,))
        said = self._ask("search", "--details", "--type", "package", *how)
        return [one._replace(source=aliases.get(one.source, one.source)) for one in read_found(said)]

    def _sources(self, names: Sequence[str]) -> dict[tuple[str, str], str]:
        found = self._offered("--match-exact", *(name.partition(":")[0] for name in names)) if names else []
        return {(one.name, one.version): one.source for one in found}

    def _locked_patterns(self) -> list[str]:
        path = Path(self.root, "etc/zypp/locks")
        return _LOCK_NAME.findall(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else []

    def _ask(self, *arguments: str) -> str:
        """XML in answer to a question; sources stay as they are."""
        argv = [*self._program("--no-refresh", "--xmlout"), *arguments]
        try:
            return look(argv, self._variables, _QUESTIONS_OK)
        except PackageManagerError as problem:
            said = read_messages(problem.tail.strip())
            last = "; ".join(said.splitlines()[-3:]) or problem.text
            raise CAUSES.explained(PackageManagerError(f"zypper failed: {last}", said)) from problem

    def _locked(self, argv: Sequence[str], shown: str, line: Line, timeout_seconds: int) -> str:
        """Wait for the locks, run, and wait again should somebody else have been quicker."""
        started = time.monotonic()
        while True:
            wait_until_free(self._lock_paths(), line, started, timeout_seconds, pid_holder)
            finished = stream(argv, self._variables, line, shown)
            if finished.code == _SCRIPT_FAILED:
                line("A script of a package failed; the package itself is installed")
            if finished.code in _DONE and not finished.stopped:
                return finished.tail
            waited = time.monotonic() - started
            if finished.stopped:
                raise failure(argv, finished)
            if finished.code != _LOCKED or waited >= timeout_seconds:
                raise CAUSES.explained(failure(argv, finished))
            line(f"Waiting: another program was quicker ({waited:.0f} of at most {timeout_seconds} seconds)")
            time.sleep(_RETRY_SECONDS)

    def _lock_paths(self) -> list[str]:
        return [str(Path(self.root, lock)) for lock in _LOCKS]

    def _program(self, *options: str) -> list[str]:
        where = [] if self.root == "/" else ["--root", os.path.abspath(self.root)]
        return ["zypper", *where, "--non-interactive", *options]
