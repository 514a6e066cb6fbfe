"""The package manager of Fedora and the enterprise systems: dnf 4 and dnf 5."""

from __future__ import annotations

import re
import time
from typing import Mapping, Optional, Sequence

from .base import Exact, Installed, Line, PackageManager, Reboot, Repository, Update, checked_exact
from .dnf_tools import DnfTools
from .processes import look
from .rpm_doubles import doubles
from .rpm_reboot import updated_since_start
from .rpm_repositories import read_repositories
from .rpm_tools import RpmPackage, database, evr, name_of, read_installed, split_nevra, word_of
from .rpm_transaction import read_rows
from .rpm_version import newer
from .stepwise import State, Step, Stepwise, Task

UNKNOWN = "unknown"
_FIELDS = ("name", "epoch", "version", "release", "arch", "repoid")
# Tabs themselves: dnf 5 does not know their short form.
_QUERY = "\t".join(f"%{{{field}}}" for field in _FIELDS) + "\\n"
_FROM = "%{name}\t%{arch}\t%{from_repo}\\n"
_FOLDERS = ("etc/yum.repos.d", "etc/yum/repos.d", "etc/distro.repos.d")
_UNREACHED = re.compile(
    r"Failed to (?:download metadata|synchronize cache) for (?:repo|repository) '?([^'\s:]+)'?:? ?(.*)"
)
#: Dnf 5 draws a line for each source and writes below it what was wrong.
_UNREACHED_BELOW = re.compile(r"(?m)^ ?(\S.*?) +\?{3}% \|.*\n>>> (.*)")
_NO_SOURCE = ("", UNKNOWN, "(none)", "<unknown>", "@commandline", "commandline", "anaconda")


class Dnf(Stepwise):
    """Drives dnf and rpm; a handful of calls however many packages there are."""

    name = "dnf"
    release = "'dnf versionlock delete'"

    def __init__(self, root: str = "/", scratch: str = "") -> None:
        """Work on the system below `root`; `scratch` is for scratch() alone."""
        super().__init__(root)
        self._tools = DnfTools(root, scratch)

    def available(self) -> bool:
        """Tell whether the tools and a package database are there."""
        return self._tools.has(self._tools.program) and self._tools.has("rpm") and database(self.root) is not None

    def installed(self) -> list[Installed]:
        """Every package of rpm's database, with the source that it came from."""
        sources = self._sources()
        return [
            Installed(
                package.name,
                package.version,
                package.summary,
                package.group,
                package.architecture,
                sources.get(package.name, UNKNOWN),
            )
            for package in self._packages().values()
        ]

    def updates(self) -> list[Update]:
        """The newest version of each installed package, locked and excluded ones too; security by notices."""
        versions = self.versions()
        fixes = self.fixes(versions)
        newest: dict[str, tuple[str, str]] = {}
        for name, version, source in self._found("--upgrades"):
            known = newest.get(name)
            if name in versions and newer(version, versions[name]) and (known is None or newer(version, known[0])):
                newest[name] = (version, source)
        return [
            Update(name, versions[name], version, name in fixes, source)
            for name, (version, source) in sorted(newest.items())
        ]

    def repositories(self) -> list[Repository]:
        """Every enabled source of the .repo files."""
        return read_repositories(self.root, _FOLDERS)

    def refresh(self, line: Line, lock_timeout_seconds: int) -> tuple[str, ...]:
        """Fetch the package lists; sources that cannot be reached for now are warnings."""
        if not self._tools.scratch:
            self.must_be_root("fetch the package lists")
        said = self._tools.refresh(line, lock_timeout_seconds)
        found = [*_UNREACHED.findall(said), *_UNREACHED_BELOW.findall(said)]
        return tuple(dict.fromkeys(_not_reached(*match) for match in found))

    def cache_age_seconds(self) -> Optional[float]:
        """Age of the newest package list."""
        stamps = [file.stat().st_mtime for folder in self._tools.lists() for file in folder.iterdir()]
        return max(time.time() - max(stamps), 0.0) if stamps else None

    def scratch(self, directory: str) -> PackageManager:
        """Work on a copy of the package lists below `directory`."""
        self._tools.copy_lists(directory)
        return type(self)(self.root, directory)

    def missing(self, wanted: Sequence[Exact]) -> tuple[Exact, ...]:
        """Versions that are neither on the disk nor in a source."""
        checked = checked_exact(wanted)
        versions = self.versions()
        words = [word_of(one.name) for one in checked]
        offered = {(name, version) for name, version, _source in self._found("--available", *words)}
        return tuple(one for one in checked if versions.get(one.name) != one.version and tuple(one) not in offered)

    def unfinished(self) -> tuple[str, ...]:
        """Packages whose old version is still there beside the new one."""
        return tuple(sorted({one.name for one in doubles(self.root, self._tools.variables)}))

    def busy(self) -> str:
        """Who runs dnf or rpm now."""
        return self._tools.busy()

    def services_to_restart(self) -> list[str]:
        """Ask needs-restarting, where it is installed."""
        if self.root != "/" or not self._tools.has("needs-restarting"):
            return []
        said = look(["needs-restarting", "-s"], self._tools.variables, (0, 1))
        return sorted(text.strip() for text in said.splitlines() if text.strip().endswith(".service"))

    def reboot(self) -> Reboot:
        """Look at the kernel, then at packages that only a restart brings into use."""
        kernel = super().reboot()
        if kernel.required:
            return kernel
        names = updated_since_start(self.root, self._tools.variables)
        reason = f"Updated since the start of the host: {', '.join(names)}" if names else ""
        return Reboot(required=bool(names), reason=reason)

    # ------------------------------------------------------------------ for Stepwise

    def versions(self) -> dict[str, str]:
        """What rpm's database says now."""
        return {name: package.version for name, package in self._packages().items()}

    def fixes(self, versions: Mapping[str, str]) -> Mapping[str, str]:
        """The newest version that a security notice names, of those above the installed one."""
        found: dict[str, str] = {}
        for text in self._tools.ask(*self._unlimited(), "updateinfo", "list", "--security").splitlines():
            package = next(filter(None, map(split_nevra, text.split()[1:])), None)
            known = package and (found.get(package.name) or versions.get(package.name))
            if package and known and newer(package.version, known):
                found[package.name] = package.version
        return found

    def newer(self, left: str, right: str) -> bool:
        """As rpm orders versions."""
        return newer(left, right)

    def foresee(self, task: Task, state: State, line: Line) -> list[Step]:
        """Let dnf resolve the transaction and answer no."""
        del state
        rows = read_rows(self._tools.plan(self._command(task), line))
        return [Step(row.name, "" if row.removed else row.version, row.repository) for row in rows]

    def perform(self, task: Task, state: State, line: Line, lock_timeout_seconds: int) -> None:
        """Let dnf do the transaction."""
        del state
        self._tools.change(self._command(task), line, lock_timeout_seconds)

    def finish(self, names: Sequence[str], line: Line, lock_timeout_seconds: int) -> None:
        """Erase the old versions, as the interrupted run would have done next."""
        del names
        self._tools.erase(doubles(self.root, self._tools.variables), line, lock_timeout_seconds)

    def wait(self, line: Line, lock_timeout_seconds: int) -> None:
        """Wait for whoever runs dnf or rpm."""
        self._tools.wait(line, lock_timeout_seconds)

    # ------------------------------------------------------------------ inside

    def _packages(self) -> dict[str, RpmPackage]:
        return read_installed(self.root, self._tools.variables)

    def _sources(self) -> dict[str, str]:
        said = self._tools.ask("repoquery", "--installed", "--qf", _FROM)
        rows = (text.split("\t") for text in said.splitlines())
        found = {name_of(row[0], row[1]): row[2].lstrip("@") for row in rows if len(row) == 3}  # noqa: PLR2004 (the columns)
        return {name: UNKNOWN if source in _NO_SOURCE else source for name, source in found.items()}

    def _found(self, *what: str) -> list[tuple[str, str, str]]:
        """Name, version and source of packages in the sources, excluded ones too."""
        said = self._tools.ask(*self._unlimited(), "repoquery", *what, "--qf", _QUERY)
        rows = (text.split("\t") for text in said.splitlines())
        return [
            (name_of(name, architecture), evr(epoch, version, release), source)
            for name, epoch, version, release, architecture, source in (row for row in rows if len(row) == len(_FIELDS))
        ]

    def _unlimited(self) -> list[str]:
        """What lets locked and excluded packages be seen."""
        if self._tools.fifth:
            return ["--setopt=disable_excludes=*"]
        return ["--disableexcludes=all", "--disableplugin=versionlock"]

    def _command(self, task: Task) -> list[str]:
        words = [word_of(name, version) for name, version in sorted(task.wanted.items())]
        if task.exact:
            return ["--setopt=allow_downgrade=True", "install", *words] if self._tools.fifth else ["install", *words]
        out = [f"--exclude={pattern}" for pattern in (*map(word_of, task.left), *task.limits.hold)]
        if not task.everything:
            # Dnf 4 leaves out what the host excludes and goes on with the others by itself.
            forgiving = ["--skip-unavailable"] if self._tools.fifth else []
            return ["--setopt=best=True", *out, "upgrade", *forgiving, *words]
        if task.limits.full:
            # Dnf 5 takes this one only after the command.
            return ["--setopt=best=True", *out, "upgrade", "--allowerasing"]
        return ["--setopt=best=False", *out, "upgrade"]


def _not_reached(name: str, words: str) -> str:
    because = f" ({words.strip()})" if words.strip() else ""
    return f"A package source could not be reached, its old list is used: {name}{because}"
