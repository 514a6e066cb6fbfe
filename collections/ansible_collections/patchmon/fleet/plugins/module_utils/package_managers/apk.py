"""The package manager of Alpine Linux."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path
from typing import Optional, Sequence

from .apk_faults import CAUSES
from .apk_formats import (
    component,
    read_descriptions,
    read_installed,
    read_outdated,
    read_policy,
    read_repositories,
    read_steps,
)
from .apk_remains import broken, lock_holder
from .apk_version import newer
from .base import Installed, Line, PackageManagerError, Reboot, Repository, Update
from .kernels import running_kernel
from .processes import environment, failure, look, stream
from .stepwise import State, Step, Stepwise, Task

LOCAL = "local"
_DATABASES = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
_LOCKS = ("lib/apk/db/lock", "usr/lib/apk/db/lock")
_LISTS = ("var/cache/apk", "etc/apk/cache")
_UNREACHED = re.compile(r"^WARNING: (?:Ignoring|fetching|updating and opening|opening) (\S+?): (.+)$", re.MULTILINE)


class Apk(Stepwise):
    """Drives apk, which waits for its lock itself; its sources carry no security notices."""

    name = "apk"
    release = "/etc/apk/world"
    notices = False

    def __init__(self, root: str = "/") -> None:
        """Work on the system below `root`."""
        super().__init__(root)
        self._variables = environment({})

    def available(self) -> bool:
        """Tell whether apk and its database are there."""
        database = any(Path(self.root, place).is_file() for place in _DATABASES)
        return database and shutil.which("apk", path=self._variables["PATH"]) is not None

    def installed(self) -> list[Installed]:
        """Every package, with the component of the source that has this version."""
        packages = read_installed(self._ask("list", "--installed"))
        descriptions = read_descriptions(self._ask("info", "-v", "-v"))
        sources = self._sources([package.name for package in packages])
        return [
            Installed(
                package.name,
                package.version,
                descriptions.get(package.name, ""),
                "",
                package.architecture,
                sources.get((package.name, package.version), LOCAL),
            )
            for package in packages
        ]

    def updates(self) -> list[Update]:
        """The newest version of each installed package."""
        versions = self.versions()
        outdated = read_outdated(self._ask("version", "--limit", "<"))
        sources = self._sources(sorted(outdated))
        return [
            Update(name, versions[name], version, False, sources.get((name, version), LOCAL))
            for name, version in sorted(outdated.items())
            if name in versions
        ]

    def repositories(self) -> list[Repository]:
        """Every address of etc/apk/repositories, switched off ones too."""
        paths = [
            Path(self.root, "etc/apk/repositories"),
            *sorted(Path(self.root, "etc/apk/repositories.d").glob("*.list")),
        ]
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in paths if path.is_file()]
        return read_repositories("\n".join(texts))

    def refresh(self, line: Line, lock_timeout_seconds: int) -> tuple[str, ...]:
        """Fetch the package lists; sources that cannot be reached for now are warnings."""
        self.must_be_root("fetch the package lists")
        said = self._run(["update"], line, lock_timeout_seconds)
        return tuple(
            f"A package source could not be reached, its old list is used: {address} ({words.strip()})"
            for address, words in dict.fromkeys(_UNREACHED.findall(said))
        )

    def cache_age_seconds(self) -> Optional[float]:
        """Age of the newest package list."""
        files = (file for folder in _LISTS for file in Path(self.root, folder).glob("APKINDEX.*.tar.gz"))
        stamps = [file.stat().st_mtime for file in files]
        return max(time.time() - max(stamps), 0.0) if stamps else None

    def unfinished(self) -> tuple[str, ...]:
        """Packages that apk has marked as broken."""
        files = (Path(self.root, place) for place in _DATABASES)
        texts = [file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file()]
        return broken("\n".join(texts))

    def busy(self) -> str:
        """Who runs apk now."""
        return str(lock_holder([os.path.join(self.root, place) for place in _LOCKS]) or "")

    def reboot(self) -> Reboot:
        """The modules of a kernel that was replaced are gone from the disk."""
        modules = Path(self.root, "lib/modules")
        kernels = sorted(folder.name for folder in modules.glob("*") if (folder / "modules.dep").exists())
        if not kernels or running_kernel() in kernels:
            return super().reboot()
        return Reboot(required=True, reason=f"Kernel {kernels[-1]} is installed, {running_kernel()} is running")

    # ------------------------------------------------------------------ for Stepwise

    def versions(self) -> dict[str, str]:
        """What apk's database says now."""
        return {package.name: package.version for package in read_installed(self._ask("list", "--installed"))}

    def newer(self, left: str, right: str) -> bool:
        """As apk orders versions."""
        return newer(left, right)

    def foresee(self, task: Task, state: State, line: Line) -> list[Step]:
        """Let apk simulate; it takes no lock for that and writes nothing."""
        del state
        command = self._command(task)
        if not command:
            return []
        line(" ".join(["$ apk --simulate", *command]))
        said = self._ask("--simulate", *command)
        for text in said.splitlines():
            line(text)
        planned = read_steps(said)
        sources = self._sources([one.name for one in planned])
        return [Step(one.name, one.after, sources.get((one.name, one.after), "")) for one in planned]

    def perform(self, task: Task, state: State, line: Line, lock_timeout_seconds: int) -> None:
        """Let apk do it; configuration files that were changed stay, the new ones are put beside them."""
        del state
        self._run(self._command(task), line, lock_timeout_seconds)

    def finish(self, names: Sequence[str], line: Line, lock_timeout_seconds: int) -> None:
        """Let apk put right what it marked."""
        self._run(["fix", *names], line, lock_timeout_seconds)

    # ------------------------------------------------------------------ inside

    def _command(self, task: Task) -> list[str]:
        """Without names `upgrade` takes everything; with names it takes those and what they need."""
        if task.everything and not task.left and not task.limits.hold:
            return ["upgrade", *(["--available"] if task.limits.full else [])]
        return ["upgrade", *sorted(task.wanted)] if task.wanted else []

    def _sources(self, names: Sequence[str]) -> dict[tuple[str, str], str]:
        found = read_policy(self._ask("policy", *names)) if names else {}
        return {key: component(address) for key, address in found.items()}

    def _ask(self, *arguments: str) -> str:
        try:
            return look([*self._program(), *arguments], self._variables)
        except PackageManagerError as problem:
            raise CAUSES.explained(problem) from problem

    def _run(self, arguments: Sequence[str], line: Line, lock_timeout_seconds: int) -> str:
        argv = [*self._program(), "--no-progress", "--wait", str(lock_timeout_seconds), *arguments]
        finished = stream(argv, self._variables, line, " ".join(["apk", *arguments]))
        if finished.stopped:
            raise failure(argv, finished)
        if finished.code:
            raise CAUSES.explained(failure(argv, finished))
        return finished.tail

    def _program(self) -> list[str]:
        return ["apk"] if self.root == "/" else ["apk", "--root", os.path.abspath(self.root)]
