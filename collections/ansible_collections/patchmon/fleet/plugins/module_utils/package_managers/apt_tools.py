"""Calls apt's and dpkg's programs with the options, environment and locks that unattended work needs."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Iterator, Optional, Sequence

from .apt_faults import explained, unreachable
from .base import Line, PackageManagerError
from .dpkg_shield import shielded_dpkg
from .leftovers import owned, sweep
from .locks import holder, wait_until_free
from .processes import environment, failure, look, stream

_ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBIAN_PRIORITY": "critical",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_MODE": "l",
    "NEEDRESTART_SUSPEND": "1",
    "UCF_FORCE_CONFFOLD": "1",
}
_QUIET = ("APT::Color=0", "APT::Get::Show-User-Simulation-Note=0")
_UNATTENDED = (
    "Dpkg::Use-Pty=0",
    "Dpkg::Progress-Fancy=0",
    "Dpkg::Options::=--force-confdef",
    "Dpkg::Options::=--force-confold",
)
_NO_HOOKS = "".join(f"#clear APT::Update::{hook};\n" for hook in ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success"))
_LOCK_REFUSALS = ("Could not get lock", "Unable to lock", "Unable to acquire", "is locked by another process")
_DATABASE_LOCKS = ("var/lib/dpkg/lock-frontend", "var/lib/dpkg/lock", "var/cache/apt/archives/lock")
_LISTS_LOCKS = ("var/lib/apt/lists/lock",)
_RETRY_SECONDS = 1.0
_CACHE_PREFIX = "patchmon-apt-"
_PINS_PREFIX = "patchmon-pins-"


class AptTools:
    """One root folder and one folder of package lists: the host's own unless told otherwise."""

    def __init__(self, root: str = "/", scratch: str = "") -> None:
        """Keep package lists and caches below `scratch`, made by copy_lists(), when it is given."""
        self.root = root
        self.scratch = scratch
        self.variables = environment(_ENVIRONMENT)
        self._cache = ""
        self._pins = ""

    def path(self, below_root: str) -> Path:
        """A path of the system that is worked on."""
        return Path(self.root, below_root)

    def has(self, program: str) -> bool:
        """Tell whether a program is installed."""
        return shutil.which(program, path=self.variables["PATH"]) is not None

    def cache(self, *arguments: str) -> str:
        """Ask apt-cache."""
        return look(["apt-cache", *self._options(_QUIET), *arguments], self.variables)

    def simulate(self, arguments: Sequence[str]) -> str:
        """Ask apt-get what it would do; it takes no lock and writes nothing."""
        options = self._options((*_QUIET, *_UNATTENDED, *self._pinned(), "Debug::NoLocking=1"))
        try:
            return look(["apt-get", "--simulate", "-q", "-y", *options, *arguments], self.variables)
        except PackageManagerError as problem:
            raise explained(problem) from problem

    def update(self, line: Line, lock_timeout_seconds: int) -> tuple[str, ...]:
        """Fetch the package lists; returns a sentence for each source that did not answer."""
        if self.root == "/" and os.geteuid() != 0 and not self.scratch:
            raise PackageManagerError("Only root can fetch the package lists of this host. Nothing was changed.")
        argv = ["apt-get", "-q", *self._options(_QUIET), "update"]
        locks = () if self.scratch else _LISTS_LOCKS
        return unreachable(self._locked(argv, "apt-get update", locks, line, lock_timeout_seconds))

    def begin(self, line: Line, lock_timeout_seconds: int) -> None:
        """Make sure that this process may change packages, and wait until nobody else does."""
        if self.root == "/" and os.geteuid() != 0:
            raise PackageManagerError("Only root can change packages on this host. Nothing was changed.")
        wait_until_free(self._paths(_DATABASE_LOCKS), line, time.monotonic(), lock_timeout_seconds)

    def change(self, arguments: Sequence[str], line: Line, lock_timeout_seconds: int) -> None:
        """Let apt-get do it; existing configuration files win, nobody is asked anything."""
        shown = " ".join(["apt-get -y", *arguments])
        with shielded_dpkg() as shield:
            argv = [
                "apt-get",
                "-q",
                "-y",
                *self._options((*_QUIET, *_UNATTENDED, *self._pinned(), *shield)),
                *arguments,
            ]
            self._locked(argv, shown, _DATABASE_LOCKS, line, lock_timeout_seconds)

    def kept_file(self, name: str, version: str) -> Optional[Path]:
        """The package file that apt keeps of this version, if it does."""
        plain, _, architecture = name.partition(":")
        folder = self.path("var/cache/apt/archives")
        pattern = f"{plain}_{version.replace(':', '%3a')}_{architecture or '*'}.deb"
        return next(iter(sorted(folder.glob(pattern))), None)

    def configure_all(self, line: Line, lock_timeout_seconds: int) -> None:
        """Finish what was unpacked but not configured."""
        argv = ["dpkg", *self._dpkg_root(), "--force-confdef", "--force-confold", "--configure", "-a"]
        self._locked(argv, "dpkg --configure -a", _DATABASE_LOCKS, line, lock_timeout_seconds)

    def copy_lists(self, scratch: str) -> None:
        """Fill `scratch` with the present lists, so that a refresh there fetches only what is newer.

        Hooks of a refresh are left out: they write to the host.
        """
        lists = Path(scratch, "lists")
        (lists / "partial").mkdir(parents=True)
        Path(scratch).chmod(0o711)  # apt fetches as its own user
        for source in self.path("var/lib/apt/lists").glob("*_*"):
            if source.is_file():
                shutil.copy2(source, lists / source.name)
        Path(scratch, "no-hooks.conf").write_text(_NO_HOOKS, encoding="utf-8")

    @contextlib.contextmanager
    def pinned(self, pins: str) -> Iterator[None]:
        """Let apt plan and change with these preferences before the system's own."""
        if not pins:
            yield
            return
        own = self.path("etc/apt/preferences")
        sweep(_PINS_PREFIX)
        with tempfile.TemporaryDirectory(prefix=owned(_PINS_PREFIX)) as folder:
            file = Path(folder, "preferences")
            file.write_text(pins + (own.read_text(encoding="utf-8") if own.is_file() else ""), encoding="utf-8")
            self._pins = str(file)
            try:
                yield
            finally:
                self._pins = ""

    @contextlib.contextmanager
    def shared_cache(self) -> Iterator[None]:
        """Let several calls share one binary cache where the system keeps none: building it is most of their time."""
        if self._cache or self.scratch or self._system_keeps_a_cache():
            yield
            return
        sweep(_CACHE_PREFIX)
        with tempfile.TemporaryDirectory(prefix=owned(_CACHE_PREFIX)) as folder:
            self._cache = folder
            try:
                yield
            finally:
                self._cache = ""

    def _system_keeps_a_cache(self) -> bool:
        """Tell whether apt has its own cache and may renew it, or need not; container images often switch it off."""
        said = look(["apt-config", *self._options(()), "shell", "CACHE", "Dir::Cache::pkgcache/f"], self.variables)
        place = said.partition("=")[2].strip().strip("'")
        if not place:
            return False
        if os.access(os.path.dirname(place), os.W_OK):
            return True
        behind = (self.path("var/lib/dpkg/status"), self.path("var/lib/apt/lists"))
        newest = max((path.stat().st_mtime for path in behind if path.exists()), default=0.0)
        return os.path.exists(place) and os.stat(place).st_mtime >= newest

    def _locked(self, argv: Sequence[str], shown: str, locks: Sequence[str], line: Line, timeout_seconds: int) -> str:
        """Wait for the locks, run, and wait again should somebody else have been quicker."""
        started = time.monotonic()
        while True:
            wait_until_free(self._paths(locks), line, started, timeout_seconds)
            finished = stream(argv, self.variables, line, shown)
            if finished.code == 0 and not finished.stopped:
                return finished.tail
            waited = time.monotonic() - started
            refused = any(words in finished.tail for words in _LOCK_REFUSALS)
            if finished.stopped:
                raise failure(argv, finished)
            if not refused or waited >= timeout_seconds:
                raise explained(failure(argv, finished))
            line(f"Waiting: another program was quicker ({waited:.0f} of at most {timeout_seconds} seconds)")
            time.sleep(_RETRY_SECONDS)

    def _pinned(self) -> list[str]:
        return [f"Dir::Etc::preferences={self._pins}"] if self._pins else []

    def busy(self) -> str:
        """Whoever holds the package database, as far as we can see; empty for nobody."""
        found = holder(self._paths(_DATABASE_LOCKS))
        return str(found) if found else ""

    def _paths(self, locks: Sequence[str]) -> list[str]:
        return [str(self.path(lock)) for lock in locks]

    def _options(self, settings: Sequence[str]) -> list[str]:
        every = [*settings, *self._root_settings(), *self._scratch_settings()]
        if self._cache:
            every.append(f"Dir::Cache::pkgcache={self._cache}/pkgcache.bin")
        config = ["-c", f"{self.scratch}/no-hooks.conf"] if self.scratch else []
        return [*config, *(word for setting in every for word in ("-o", setting))]

    def _root_settings(self) -> list[str]:
        if self.root == "/":
            return []
        status = f"Dir::State::status={self.path('var/lib/dpkg/status')}"
        dpkg = [f"Dpkg::Options::={option}" for option in self._dpkg_root()]
        return [f"Dir={self.root}", status, "APT::Sandbox::User=", *dpkg]

    def _scratch_settings(self) -> list[str]:
        if not self.scratch:
            return []
        return [
            f"Dir::State::lists={self.scratch}/lists",
            f"Dir::Cache={self.scratch}",
            "Dir::Cache::pkgcache=pkgcache.bin",
        ]

    def _dpkg_root(self) -> list[str]:
        if self.root == "/":
            return []
        return [f"--root={self.root}", "--force-script-chrootless", "--force-not-root"]
