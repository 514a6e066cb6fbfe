"""What every package-manager driver promises: the data it speaks in and the methods it has."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Callable, NamedTuple, Optional, Sequence

from .kernels import needs_new_kernel

Line = Callable[[str], None]
"""Takes one line of output, without its line end, as soon as it is printed."""

SCOPES = ("all", "security", "packages")
GOES_BACK = ("apt", "dnf", "yum", "zypper", "pacman")
"""Managers that can install an earlier version again."""
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._+:~-]*")
VERSION = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._+:~^-]*")
PATTERN = re.compile(r"[a-zA-Z0-9*?\[][a-zA-Z0-9._+:~*?!\[\]-]*")


class Installed(NamedTuple):
    """One package on this host; `repository` is where this version can be had, `local` when nowhere."""

    name: str
    version: str
    description: str
    category: str
    architecture: str
    repository: str = ""


class Update(NamedTuple):
    """A newer version that the package manager would choose if nothing stood in its way."""

    name: str
    current: str
    available: str
    security: bool
    repository: str


class Change(NamedTuple):
    """One package that changes or changed; a missing version is empty. Actions: upgrade, install, remove, downgrade."""

    name: str
    from_version: str
    to_version: str
    repository: str
    security: bool
    action: str


class Repository(NamedTuple):
    """One configured package source; `secure` means fetched by HTTPS."""

    name: str
    url: str
    distribution: str
    components: str
    repo_type: str
    enabled: bool
    secure: bool


class Plan(NamedTuple):
    """What would happen, or what did; `kept_back` names updates that were left out and stay waiting.

    `repaired` names what an interrupted run had left half done and this one finished before anything else.
    """

    changes: tuple[Change, ...]
    kept_back: tuple[str, ...]
    repaired: tuple[str, ...] = ()


class Limits(NamedTuple):
    """How far an update may go, by patterns in the manner of file names; without any, as far as its scope says.

    `hold`: never touched, not even when something else needs it. `allow`: installed packages outside stay as they are.
    `full`: in the scope of everything, packages may be removed where the update cannot be had otherwise.
    """

    hold: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    full: bool = False

    def holds(self, name: str) -> bool:
        """Tell whether a package must not be touched at all."""
        return _matches(name, self.hold)

    def leaves(self, name: str) -> bool:
        """Tell whether an installed package stays as it is."""
        return self.holds(name) or bool(self.allow and not _matches(name, self.allow))


class Exact(NamedTuple):
    """One version of one package."""

    name: str
    version: str


class Reboot(NamedTuple):
    """Whether the host asks for a restart; the reason is a sentence for a person, empty when it does not."""

    required: bool
    reason: str


class PackageManagerError(Exception):
    """A failure told in a sentence for a person; `tail` is the end of the output, `done` what had changed by then."""

    def __init__(self, text: str, tail: str = "", done: Optional[Plan] = None) -> None:
        super().__init__(text)
        self.text = text
        self.tail = tail
        self.done = done


class UnsupportedManager(PackageManagerError):
    """The package manager is known, or was asked for by name, but has no driver here."""


class UnsupportedPlatform(PackageManagerError):
    """No package manager that we know of is installed."""


UNLIMITED = Limits()


def unheard(_text: str) -> None:
    """Be the listener of those who do not care for live lines."""


class PackageManager:
    """One subclass per manager; every method may raise PackageManagerError. Looking never changes the host."""

    name = ""
    release = "its own settings"
    """What lets a package go that the host itself holds."""

    def __init__(self, root: str = "/") -> None:
        """Work on the system below `root`; anything but `/` is for tests and images."""
        self.root = root

    def available(self) -> bool:
        """Tell whether this manager runs the system below `root`."""
        raise NotImplementedError

    def installed(self) -> list[Installed]:
        """Every package whose files are on the host, by name; foreign architectures as `name:architecture`."""
        raise NotImplementedError

    def updates(self) -> list[Update]:
        """Every waiting update, held ones included: the report shows what is missing, the plan what can be done."""
        raise NotImplementedError

    def repositories(self) -> list[Repository]:
        """Every configured source, disabled ones too where the format can say so."""
        raise NotImplementedError

    def refresh(self, line: Line, lock_timeout_seconds: int) -> tuple[str, ...]:
        """Fetch the package lists; returns sentences on sources that did not answer, whose old lists stay in use."""
        raise NotImplementedError

    def cache_age_seconds(self) -> Optional[float]:
        """How long ago the package lists were fetched; None when that is not known."""
        return None

    def scratch(self, directory: str) -> Optional[PackageManager]:
        """A driver whose refresh writes only below `directory`, so that a dry run sees fresh lists; None: cannot."""
        del directory
        return None

    def unfinished(self) -> tuple[str, ...]:
        """Packages that an interrupted run left half done; a changing run finishes them before anything else."""
        return ()

    def busy(self) -> str:
        """Who is at work on the package database now, for people; empty for nobody."""
        return ""

    def repair(self, line: Line, lock_timeout_seconds: int) -> Plan:
        """Finish what an interrupted run left half done, and nothing else."""
        del line, lock_timeout_seconds
        return Plan((), ())

    def simulate(self, scope: str, packages: Sequence[str], line: Line = unheard, limits: Limits = UNLIMITED) -> Plan:
        """What upgrade() would do now. `packages` counts only in the scope of that name."""
        raise NotImplementedError

    def upgrade(
        self,
        scope: str,
        packages: Sequence[str],
        line: Line,
        lock_timeout_seconds: int,
        limits: Limits = UNLIMITED,
    ) -> Plan:
        """Do it; returns what really happened, by comparing the package database before and after."""
        raise NotImplementedError

    def missing(self, wanted: Sequence[Exact]) -> tuple[Exact, ...]:
        """Those of the wanted versions that can be had from nowhere; an error where there is no way back at all."""
        del wanted
        raise PackageManagerError(
            f'Package manager "{self.name}" cannot go back to earlier versions ({", ".join(GOES_BACK)} required).'
        )

    def simulate_exact(self, wanted: Sequence[Exact], line: Line = unheard) -> Plan:
        """What install_exact() would do now."""
        raise NotImplementedError

    def install_exact(self, wanted: Sequence[Exact], line: Line, lock_timeout_seconds: int) -> Plan:
        """Install exactly these versions, older ones too; returns what really happened."""
        raise NotImplementedError

    def services_to_restart(self) -> list[str]:
        """Services that still run replaced files, where the system can tell."""
        return []

    def reboot(self) -> Reboot:
        """Whether the host should be restarted, and why."""
        reason = needs_new_kernel(self.root)
        return Reboot(required=bool(reason), reason=reason)


def checked_names(packages: Sequence[str]) -> list[str]:
    """Refuse what cannot be a package name before it gets near a command line; the rest without doubles, in order."""
    _refuse("a package name", [name for name in packages if not NAME.fullmatch(name)])
    return list(dict.fromkeys(packages))


def checked_limits(scope: str, limits: Limits) -> Limits:
    """Refuse what cannot be a pattern: they are written into a file that the package manager reads."""
    _refuse("a pattern", [pattern for pattern in (*limits.hold, *limits.allow) if not PATTERN.fullmatch(pattern)])
    if limits.full and scope != "all":
        raise PackageManagerError(f"A full upgrade needs the scope 'all', not {scope!r}. Nothing was changed.")
    return limits


def checked_exact(wanted: Sequence[Exact]) -> list[Exact]:
    """Refuse what cannot be a name or a version, and two versions of one package."""
    names = checked_names([one.name for one in wanted])
    _refuse("a version", [one.version for one in wanted if not VERSION.fullmatch(one.version)])
    if len(names) < len(set(wanted)):
        raise PackageManagerError("A package is named with two different versions. Nothing was changed.")
    return list(dict.fromkeys(wanted))


def checked_scope(scope: str, packages: Sequence[str]) -> None:
    """Refuse an unknown scope, and a request for named packages that names none."""
    if scope not in SCOPES:
        raise PackageManagerError(f"Unknown scope {scope!r}; known: {', '.join(SCOPES)}. Nothing was changed.")
    if scope == "packages" and not packages:
        raise PackageManagerError("The scope is 'packages' but no package was named. Nothing was changed.")


def _refuse(what: str, wrong: Sequence[str]) -> None:
    if wrong:
        raise PackageManagerError(f"Not {what}: {', '.join(map(repr, wrong))}. Nothing was changed.")


def _matches(name: str, patterns: Sequence[str]) -> bool:
    plain = name.partition(":")[0]
    return any(fnmatchcase(name, pattern) or fnmatchcase(plain, pattern) for pattern in patterns)
