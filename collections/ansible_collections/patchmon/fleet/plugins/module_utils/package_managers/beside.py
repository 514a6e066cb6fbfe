"""Programs that come beside the host's own packages, in formats of their own: flatpak and snap."""

from __future__ import annotations

import shutil

from .base import Installed, PackageManagerError, Repository, Update
from .processes import environment, look


class Beside:
    """What such a format tells; it is looked at only, patch runs leave it to its own updates.

    Names carry the format before a colon: the same name may be a package of the host as well.
    """

    name = ""

    def __init__(self) -> None:
        """Look at this host; there is no other root for them."""
        self._variables = environment({})

    def available(self) -> bool:
        """Tell whether the format's program is there."""
        return shutil.which(self.name, path=self._variables["PATH"]) is not None

    def installed(self) -> list[Installed]:
        """Every program in this format, by name."""
        raise NotImplementedError

    def updates(self, installed: list[Installed]) -> list[Update]:
        """What waits for these; the format asks its sources, so an error means that they are out of reach."""
        raise NotImplementedError

    def repositories(self) -> list[Repository]:
        """Where programs in this format come from."""
        raise NotImplementedError

    def named(self, name: str) -> str:
        """The name in reports."""
        return f"{self.name}:{name}"

    def ask(self, *arguments: str) -> str:
        """Standard output of a question."""
        return look([self.name, *arguments], self._variables)


class Flatpak(Beside):
    """Applications and runtimes of the whole system; those of single people are theirs."""

    name = "flatpak"

    def installed(self) -> list[Installed]:
        """Runtimes stand beside each other by branch, so theirs belongs to the name."""
        return sorted(self._row(words) for words in self._table("list", "--system", "ref,version,active,origin,name"))

    def updates(self, installed: list[Installed]) -> list[Update]:
        """The newer version, or its commit where it has none."""
        known = {one.name: one for one in installed}
        found = []
        for words in self._table("remote-ls", "--system", "--updates", "ref,version,commit,origin,name"):
            new = self._row(words)
            old = known.get(new.name)
            if old is not None:
                found.append(Update(new.name, old.version, new.version, False, new.repository))
        return found

    def repositories(self) -> list[Repository]:
        """Every remote of the system."""
        return [
            Repository(words[0], words[1], "", "", self.name, "disabled" not in words[2], words[1].startswith("https:"))
            for words in self._table("remotes", "--system", "--show-disabled", "name,url,options")
        ]

    def _row(self, words: list[str]) -> Installed:
        ref, version, commit, origin, title = words
        name, architecture, branch = ref.split("/")[-3:] if ref.count("/") > 1 else (ref, "", "")
        if ref.startswith("runtime/") or "runtime" in title.lower() or ".Platform" in name or ".Sdk" in name:
            name = f"{name}//{branch}"
        return Installed(self.named(name), version or commit[:12], title, self.name, architecture, origin)

    def _table(self, *arguments: str) -> list[list[str]]:
        *command, columns = arguments
        said = self.ask(*command, f"--columns={columns}")
        rows = (text.split("\t") for text in said.splitlines() if text.strip())
        wide = columns.count(",") + 1
        return [[word.strip() for word in (row + [""] * wide)[:wide]] for row in rows]


class Snap(Beside):
    """Snaps; snapd refreshes them by itself unless it is told to wait."""

    name = "snap"

    def installed(self) -> list[Installed]:
        """Every snap that is in use, with the channel that it follows."""
        return [
            Installed(self.named(row["Name"]), row["Version"], "", self.name, "", row.get("Tracking", "").strip("-"))
            for row in self._table("list")
            if "disabled" not in row.get("Notes", "")
        ]

    def updates(self, installed: list[Installed]) -> list[Update]:
        """What the store has newer."""
        known = {one.name: one for one in installed}
        rows = ((self.named(row["Name"]), row["Version"]) for row in self._table("refresh", "--list"))
        return [
            Update(name, known[name].version, version, False, known[name].repository)
            for name, version in rows
            if name in known
        ]

    def repositories(self) -> list[Repository]:
        """The one store that there is."""
        return [Repository("snapcraft", "https://api.snapcraft.io", "", "", self.name, enabled=True, secure=True)]

    def _table(self, *arguments: str) -> list[dict[str, str]]:
        lines = [text for text in self.ask(*arguments, "--color=never", "--unicode=never").splitlines() if text.strip()]
        if not lines or not lines[0].startswith("Name"):
            return []
        heads = lines[0].split()
        rows = (text.split() for text in lines[1:])
        return [{head: row[at] for at, head in enumerate(heads) if at < len(row)} for row in rows if len(row) > 1]


FORMATS: tuple[type[Beside], ...] = (Flatpak, Snap)


def look_beside() -> tuple[list[Installed], list[Update], list[Repository], list[str]]:
    """What all formats of this host have; sentences say what could not be found out."""
    installed: list[Installed] = []
    updates: list[Update] = []
    repositories: list[Repository] = []
    troubles: list[str] = []
    for one in (made() for made in FORMATS):
        if not one.available():
            continue
        try:
            there = one.installed()
            repositories += one.repositories()
            installed += there
            updates += one.updates(there)
        except PackageManagerError as problem:
            troubles.append(problem.text)
    return installed, updates, repositories, troubles
