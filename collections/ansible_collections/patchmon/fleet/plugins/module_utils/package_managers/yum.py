"""The package manager of CentOS 7 and its time: yum 3, with rpm's table of a transaction and without dnf's queries."""

from __future__ import annotations

import re

from .base import Installed, Update
from .dnf import UNKNOWN, Dnf
from .dnf_tools import DnfTools
from .rpm_tools import name_of
from .rpm_version import newer
from .stepwise import Task

_HEADS = ("Obsoleting Packages", "Updated Packages", "Installed Packages", "Available Packages")
_NAME = re.compile(r"(\S+)\.([a-z0-9_]+)")
_COLUMNS = 3


class Yum(Dnf):
    """Yum 3; where `yum` is only another name of dnf, dnf's own driver works."""

    name = "yum"
    release = "'yum versionlock delete'"

    def __init__(self, root: str = "/", scratch: str = "") -> None:
        """Work on the system below `root`; `scratch` is for scratch() alone."""
        super().__init__(root, scratch)
        self._tools = DnfTools(root, scratch, program="yum")

    def available(self) -> bool:
        """Tell whether yum 3 itself runs the system."""
        return self._tools.third and super().available()

    def updates(self) -> list[Update]:
        """The newest version of each installed package; security by notices."""
        versions = self.versions()
        fixes = self.fixes(versions)
        said = self._tools.ask(*self._unlimited(), "check-update", accept=(0, 100))
        found = {
            name: Update(name, versions[name], version, name in fixes, source)
            for name, version, source in read_listing(said)
            if name in versions and newer(version, versions[name])
        }
        return [found[name] for name in sorted(found)]

    def installed(self) -> list[Installed]:
        """Every package of rpm's database, with the source that it came from."""
        return [package._replace(repository=package.repository or UNKNOWN) for package in super().installed()]

    # ------------------------------------------------------------------ inside

    def _sources(self) -> dict[str, str]:
        listed = read_listing(self._tools.ask("list", "installed", accept=(0, 1)))
        return {name: source.lstrip("@") for name, _version, source in listed if source.startswith("@")}

    def _found(self, *what: str) -> list[tuple[str, str, str]]:
        names = [word for word in what if not word.startswith("--")]
        return read_listing(
            self._tools.ask(*self._unlimited(), "--showduplicates", "list", "available", *names, accept=(0, 1))
        )

    def _unlimited(self) -> list[str]:
        return ["--disableexcludes=all", "--disableplugin=versionlock"]

    def _command(self, task: Task) -> list[str]:
        """Yum 3 goes back only by its own word for it, and knows neither `best` nor `allowerasing`."""
        words = super()._command(task)
        if task.exact:
            return ["downgrade", *words[1:]]
        return [word for word in words if not word.startswith("--setopt=best") and word != "--allowerasing"]


def read_listing(text: str) -> list[tuple[str, str, str]]:
    """Name, version and source of each line; what is too long for its column goes on in the next lines."""
    found: list[tuple[str, str, str]] = []
    words: list[str] = []
    for line in text.splitlines():
        if line.startswith(_HEADS[0]):
            break
        if line.startswith(_HEADS) or not line.strip():
            words = []
            continue
        words += line.split()
        if len(words) >= _COLUMNS:
            match = _NAME.fullmatch(words[0])
            if match:
                version = words[1].removeprefix("0:")
                found.append((name_of(match.group(1), match.group(2)), version, words[2]))
            words = []
    return found
