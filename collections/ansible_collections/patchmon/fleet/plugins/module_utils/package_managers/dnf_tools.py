"""Calls dnf and rpm with the options that unattended work needs, the same for dnf 4 and dnf 5."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path
from typing import Sequence

from .base import Line, PackageManagerError
from .dnf_faults import CAUSES
from .locks import wait_until_free
from .pid_locks import pid_holder
from .processes import environment, failure, look, stream
from .rpm_doubles import Double, erase_command

_LOCKS = (
    "var/cache/dnf/metadata_lock.pid",
    "var/cache/dnf/download_lock.pid",
    "var/lib/dnf/rpmdb_lock.pid",
    "var/run/yum.pid",
    "run/dnf/rpmtransaction.lock",
    "var/lib/rpm/.rpm.lock",
    "usr/lib/sysimage/rpm/.rpm.lock",
)
_REFUSALS = ("Failed to obtain the transaction lock", "is already locked by", "Another app is currently holding")
_SCRIPT_FAILED = re.compile(r"Error in \S+ scriptlet in rpm package |.*scriptlet failed, exit status")
_RETRY_SECONDS = 1.0
_CACHES = ("var/cache/dnf", "var/cache/libdnf5", "var/cache/yum")
_ALWAYS = ("--setopt=color=never", "--setopt=clean_requirements_on_remove=False")
_OLD_LISTS = ("--setopt=metadata_expire=-1", "--setopt=*.metadata_expire=-1")
_EXPIRED = ("--setopt=metadata_expire=0", "--setopt=*.metadata_expire=0")
_MISSING_LISTS = "--setopt=*.skip_if_unavailable=True"


class DnfTools:
    """One root folder and one folder of package lists: the host's own unless told otherwise."""

    def __init__(self, root: str = "/", scratch: str = "", program: str = "") -> None:
        """Keep package lists below `scratch`, made by copy_lists(), when it is given; `program` is dnf otherwise."""
        self.root = root
        self.scratch = scratch
        self.variables = environment({})
        self.program = program or next(filter(self.has, ("dnf", "dnf5")), "dnf")

    @property
    def fifth(self) -> bool:
        """Whether this is dnf 5, which some distributions install under the old name."""
        place = shutil.which(self.program, path=self.variables["PATH"])
        return place is not None and os.path.basename(os.path.realpath(place)).startswith("dnf5")

    @property
    def third(self) -> bool:
        """Whether this is yum 3; since then the name stands for dnf."""
        place = shutil.which("yum", path=self.variables["PATH"])
        return self.program == "yum" and place is not None and "dnf" not in os.path.basename(os.path.realpath(place))

    def has(self, program: str) -> bool:
        """Tell whether a program is installed."""
        return shutil.which(program, path=self.variables["PATH"]) is not None

    def path(self, below_root: str) -> Path:
        """A path of the system that is worked on."""
        return Path(self.root, below_root)

    def ask(self, *arguments: str, accept: Sequence[int] = (0,)) -> str:
        """Standard output of a question; package lists stay as they are, a source without a list counts as empty."""
        argv = [self.program, "-q", "-C", *self._options(), *self._kept_lists(), *arguments]
        try:
            return look(argv, self.variables, accept)
        except PackageManagerError as problem:
            raise CAUSES.explained(problem) from problem

    def plan(self, arguments: Sequence[str], line: Line) -> str:
        """Every line of what the tool would do."""
        said: list[str] = []

        def heard(text: str) -> None:
            said.append(text)
            line(text)

        argv = [self.program, "-C", "--assumeno", *self._options(), *self._kept_lists(), *arguments]
        shown = " ".join([self.program, "--assumeno", *arguments])
        finished = stream(argv, self.variables, heard, shown)
        text = "\n".join(said)
        if finished.code not in (0, 1) or finished.stopped or (finished.code == 1 and not _is_plan(text)):
            raise CAUSES.explained(failure(argv, finished))
        return text

    def change(self, arguments: Sequence[str], line: Line, lock_timeout_seconds: int) -> str:
        """Let it be done; nobody is asked anything. A failed script is an error, though the tool forgives it."""
        failed: list[str] = []

        def heard(text: str) -> None:
            if _SCRIPT_FAILED.match(text):
                failed.append(text)
            line(text)

        argv = [self.program, "-y", *self._options(), *_OLD_LISTS, *arguments]
        said = self._locked(argv, " ".join([self.program, "-y", *arguments]), heard, lock_timeout_seconds)
        if failed:
            raise CAUSES.explained(PackageManagerError("; ".join(failed), said))
        return said

    def refresh(self, line: Line, lock_timeout_seconds: int) -> str:
        """Fetch the package lists, and return what was said."""
        words = [*self._afresh(), "makecache"]
        argv = [self.program, *self._options(), _MISSING_LISTS, *words]
        return self._locked(argv, " ".join([self.program, *words]), line, lock_timeout_seconds)

    def wait(self, line: Line, lock_timeout_seconds: int) -> None:
        """Wait until nobody else is at work."""
        wait_until_free(self._locks(), line, time.monotonic(), lock_timeout_seconds, pid_holder)

    def busy(self) -> str:
        """Who is at work now."""
        return str(pid_holder(self._locks()) or "")

    def erase(self, found: Sequence[Double], line: Line, lock_timeout_seconds: int) -> None:
        """Take old versions away whose newer ones are there, scripts included."""
        argv = erase_command(self.root, found)
        self._locked(argv, " ".join(["rpm", "-e", *(one.word for one in found)]), line, lock_timeout_seconds)

    def lists(self) -> list[Path]:
        """Folders that hold fetched package lists."""
        places = [Path(self.scratch)] if self.scratch else [self.path(cache) for cache in _CACHES]
        return [folder for place in places for folder in place.rglob("repodata") if folder.is_dir()]

    def copy_lists(self, scratch: str) -> None:
        """Fill `scratch` with the present lists, so that a refresh there fetches only what is newer."""
        for cache in map(self.path, _CACHES[:2]):
            if cache.is_dir():
                left_out = shutil.ignore_patterns("packages", "*.pid", "*.lock")
                shutil.copytree(cache, scratch, ignore=left_out, dirs_exist_ok=True, symlinks=True)

    def _locked(self, argv: Sequence[str], shown: str, line: Line, timeout_seconds: int) -> str:
        """Wait for the locks, run, and wait again should somebody else have been quicker."""
        started = time.monotonic()
        while True:
            if not self.scratch:
                wait_until_free(self._locks(), line, started, timeout_seconds, pid_holder)
            finished = stream(argv, self.variables, line, shown)
            if finished.code == 0 and not finished.stopped:
                return finished.tail
            waited = time.monotonic() - started
            if finished.stopped:
                raise failure(argv, finished)
            if not any(words in finished.tail for words in _REFUSALS) or waited >= timeout_seconds:
                raise CAUSES.explained(failure(argv, finished))
            line(f"Waiting: another program was quicker ({waited:.0f} of at most {timeout_seconds} seconds)")
            time.sleep(_RETRY_SECONDS)

    def _afresh(self) -> Sequence[str]:
        """What makes it look again; dnf 5 (5.4) trusts a list of a moment ago whatever --refresh says."""
        if self.program == "yum":
            return ()
        return _EXPIRED if self.fifth else ("--refresh",)

    def _locks(self) -> list[str]:
        return [str(self.path(lock)) for lock in _LOCKS]

    def _kept_lists(self) -> list[str]:
        return [*_OLD_LISTS, _MISSING_LISTS]

    def _options(self) -> list[str]:
        where = [] if self.root == "/" else [f"--installroot={os.path.abspath(self.root)}"]
        place = "system_cachedir" if self.fifth else "cachedir"
        lists = [f"--setopt={place}={self.scratch}"] if self.scratch else []
        return [*where, *lists, *_ALWAYS]


def _is_plan(text: str) -> bool:
    return any(words in text for words in ("Transaction Summary", "Nothing to do", "No packages marked for"))
