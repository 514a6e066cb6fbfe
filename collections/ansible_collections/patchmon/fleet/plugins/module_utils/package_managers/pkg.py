"""FreeBSD: pkg for packages, freebsd-update for the base system."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Mapping, Optional, Sequence

from .base import Installed, Line, PackageManagerError, Reboot, Repository, Update
from .pkg_faults import CAUSES
from .pkg_formats import (
    QUERY,
    REMOTE_QUERY,
    Local,
    read_base_update,
    read_local,
    read_remote,
    read_repositories,
    read_steps,
    read_vulnerable,
)
from .pkg_version import newer
from .processes import environment, failure, look, stream
from .stepwise import State, Step, Stepwise, Task

BASE = "freebsd-base"
LOCAL = "local"
_DATABASE = "var/db/pkg/local.sqlite"
_LOCK_WAIT_SECONDS = 5
_NOT_NEEDED = (0, 1, 2)


class Pkg(Stepwise):
    """Drives pkg, which waits for its lock itself; the base system appears as one package of its own."""

    name = "pkg"
    release = "'pkg unlock'"

    def __init__(self, root: str = "/") -> None:
        """Work on the system below `root`."""
        super().__init__(root)
        self._variables = environment({"ASSUME_ALWAYS_YES": "yes", "PAGER": "cat"})

    def available(self) -> bool:
        """Tell whether pkg and its database are there."""
        return Path(self.root, _DATABASE).is_file() and self._has("pkg")

    def installed(self) -> list[Installed]:
        """Every package, and the base system where it can be asked."""
        packages = [
            Installed(
                one.name,
                one.version,
                one.comment,
                one.origin.partition("/")[0],
                one.architecture,
                one.repository if one.repository not in ("", "unknown-repository") else LOCAL,
            )
            for one in self._local()
        ]
        base = self._base_version()
        if base:
            packages.append(Installed(BASE, base, "FreeBSD base system", "base", os.uname().machine, BASE))
        return packages

    def updates(self) -> list[Update]:
        """The newest version of each package, locked ones too; security where the one on the disk is vulnerable."""
        versions = self.versions()
        offered = read_remote(self._ask("rquery", "-U", REMOTE_QUERY, accept=(0, 1, 69, 70)))
        vulnerable = read_vulnerable(self._audit())
        found = [
            Update(name, versions[name], version, name in vulnerable, repository)
            for name, (version, repository) in sorted(offered.items())
            if name in versions and newer(version, versions[name])
        ]
        level = self._base_update()
        return [*found, Update(BASE, self._base_version(), level, True, BASE)] if level else found

    def repositories(self) -> list[Repository]:
        """Every source of pkg's configuration, switched off ones too."""
        return read_repositories(self.root, self._ask("config", "ABI").strip())

    def refresh(self, line: Line, lock_timeout_seconds: int) -> tuple[str, ...]:
        """Fetch the package lists and, for the base system, what waits there."""
        self.must_be_root("fetch the package lists")
        self._run(["update"], line, lock_timeout_seconds)
        if not self._has_base():
            return ()
        argv = ["freebsd-update", *self._base_root(), "--not-running-from-cron", "fetch"]
        finished = stream(argv, self._variables, line, "freebsd-update fetch")
        failed = finished.code != 0 and "No updates" not in finished.tail
        return ("Updates of the base system could not be fetched; what was fetched before is used",) if failed else ()

    def cache_age_seconds(self) -> Optional[float]:
        """Age of the newest package list."""
        folder = Path(self.root, "var/db/pkg")
        lists = [*folder.glob("repo-*.sqlite"), *folder.glob("repos/*/db")]
        stamps = [file.stat().st_mtime for file in lists]
        return max(time.time() - max(stamps), 0.0) if stamps else None

    def services_to_restart(self) -> list[str]:
        """The system cannot tell."""
        return []

    def reboot(self) -> Reboot:
        """Compare the kernel on the disk with the running one."""
        if not self._has("freebsd-version"):
            return Reboot(required=False, reason="")
        on_disk, running = look(["freebsd-version", "-k", "-r"], self._variables).split()[:2]
        reason = f"Kernel {on_disk} is installed, {running} is running" if on_disk != running else ""
        return Reboot(required=bool(reason), reason=reason)

    # ------------------------------------------------------------------ for Stepwise

    def versions(self) -> dict[str, str]:
        """What pkg's database says now, and the level of the base system."""
        versions = {one.name: one.version for one in self._local()}
        base = self._base_version()
        return {**versions, BASE: base} if base else versions

    def fixes(self, versions: Mapping[str, str]) -> Mapping[str, str]:
        """The waiting version of each package that is vulnerable now."""
        return {
            update.name: update.available for update in self.updates() if update.security and update.name in versions
        }

    def newer(self, left: str, right: str) -> bool:
        """As pkg orders versions."""
        return newer(left, right)

    def foresee(self, task: Task, state: State, line: Line) -> list[Step]:
        """Let pkg plan; the base system joins when everything is meant, or it is named."""
        steps = []
        command = self._command(task)
        if command:
            line(" ".join(["$ pkg", *command, "-n"]))
            said = self._ask(command[0], "-n", "-U", *command[1:], accept=(0, 1))
            for text in said.splitlines():
                line(text)
            steps = [
                Step(one.name, one.after, one.repository or self._waiting_from(one.name, state))
                for one in read_steps(said)
            ]
        base = state.waiting.get(BASE)
        if base and BASE in task.wanted:
            steps.append(Step(BASE, base.available, BASE))
        return steps

    def perform(self, task: Task, state: State, line: Line, lock_timeout_seconds: int) -> None:
        """Let pkg do it, then freebsd-update install what was fetched."""
        command = self._command(task)
        if command:
            self._run([command[0], "-y", "-U", *command[1:]], line, lock_timeout_seconds)
        if BASE in task.wanted and BASE in state.waiting:
            argv = ["freebsd-update", *self._base_root(), "--not-running-from-cron", "install"]
            finished = stream(argv, self._variables, line, "freebsd-update install")
            if finished.stopped or finished.code:
                raise CAUSES.explained(failure(argv, finished))

    # ------------------------------------------------------------------ inside

    def _command(self, task: Task) -> list[str]:
        if task.everything and not task.left and not task.limits.hold:
            return ["upgrade"]
        names = sorted(name for name in task.wanted if name != BASE)
        return ["upgrade", *names] if names else []

    def _local(self) -> list[Local]:
        return read_local(self._ask("query", QUERY))

    def _audit(self) -> str:
        """What the list of vulnerable packages says; without a list nothing is known to be."""
        return self._ask("audit", accept=(0, 1, 66, 69, 70))

    def _base_version(self) -> str:
        if not self._has("freebsd-version"):
            return ""
        return look(["freebsd-version", "-u"], self._variables).strip()

    def _base_update(self) -> str:
        """The level that was fetched and waits; asking fetches nothing."""
        if not self._has_base():
            return ""
        argv = ["freebsd-update", *self._base_root(), "--not-running-from-cron", "updatesready"]
        ready = look(argv, self._variables, _NOT_NEEDED)
        if "No updates are available" in ready or not ready.strip():
            return ""
        tag = Path(self.root, "var/db/freebsd-update/tag")
        words = tag.read_text(encoding="ascii", errors="replace").split("|") if tag.is_file() else []
        return f"{words[2]}-p{words[3]}" if len(words) > 3 else read_base_update(ready) or "update"  # noqa: PLR2004 (fields of the tag)

    def _has_base(self) -> bool:
        return self.root == "/" and self._has("freebsd-update") and Path("/var/db/freebsd-update").is_dir()

    def _base_root(self) -> list[str]:
        return [] if self.root == "/" else ["-b", os.path.abspath(self.root)]

    def _waiting_from(self, name: str, state: State) -> str:
        waiting = state.waiting.get(name)
        return waiting.repository if waiting else ""

    def _has(self, program: str) -> bool:
        return shutil.which(program, path=self._variables["PATH"]) is not None

    def _ask(self, *arguments: str, accept: Sequence[int] = (0,)) -> str:
        try:
            return look([*self._program(), *arguments], self._variables, accept)
        except PackageManagerError as problem:
            raise CAUSES.explained(problem) from problem

    def _run(self, arguments: Sequence[str], line: Line, lock_timeout_seconds: int) -> None:
        tries = max(lock_timeout_seconds // _LOCK_WAIT_SECONDS, 1)
        waiting = ["-o", f"LOCK_WAIT={_LOCK_WAIT_SECONDS}", "-o", f"LOCK_RETRIES={tries}"]
        argv = [*self._program(), *waiting, *arguments]
        finished = stream(argv, self._variables, line, " ".join(["pkg", *arguments]))
        if finished.stopped:
            raise failure(argv, finished)
        if finished.code:
            raise CAUSES.explained(failure(argv, finished))

    def _program(self) -> list[str]:
        return ["pkg"] if self.root == "/" else ["pkg", "-r", os.path.abspath(self.root)]
