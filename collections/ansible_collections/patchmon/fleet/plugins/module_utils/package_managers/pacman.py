"""The package manager of Arch Linux and its relatives."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Optional, Sequence

from .base import Exact, Installed, Line, PackageManager, PackageManagerError, Reboot, Repository, Update, checked_exact
from .kernels import running_kernel
from .locks import Holder, wait_until_free
from .pacman_faults import CAUSES
from .pacman_formats import (
    STEP_FORMAT,
    Listed,
    names_met,
    read_info,
    read_listed,
    read_repositories,
    read_steps,
    read_waiting,
)
from .pacman_remains import broken, set_aside
from .pacman_version import newer
from .processes import environment, failure, look, stream
from .stepwise import State, Step, Stepwise, Task

FOREIGN = "foreign"
_HOST = "var/lib/pacman"
_OWN = "var/cache/patchmon-pacman"
_CACHE = "var/cache/pacman/pkg"
_LOCK = "db.lck"
_REMOVE_CONFLICTS = "--ask=4"
_REPLACES = "Replaces"
_CONFLICTS = "Conflicts With"


class Pacman(Stepwise):
    """Drives pacman.

    Package lists are fetched beside the host's own, because fresh lists on the host would turn the next package that a
    person installs by hand into a partial update, which this distribution does not support; a run brings them in.
    """

    name = "pacman"
    release = "IgnorePkg in /etc/pacman.conf"
    notices = False

    def __init__(self, root: str = "/", scratch: str = "") -> None:
        """Work on the system below `root`; `scratch` is for scratch() alone."""
        super().__init__(root)
        self._own = Path(scratch) if scratch else Path(root, _OWN)
        self._variables = environment({})

    def available(self) -> bool:
        """Tell whether pacman and its database are there."""
        return (
            shutil.which("pacman", path=self._variables["PATH"]) is not None
            and Path(self.root, _HOST, "local").is_dir()
        )

    def installed(self) -> list[Installed]:
        """Every package, with the repository that has one of this name."""
        sources = {one.name: one.repository for one in reversed(self._listed())}
        return [
            Installed(
                block.get("Name", ""),
                block.get("Version", ""),
                block.get("Description", ""),
                block.get("Groups", ""),
                block.get("Architecture", ""),
                sources.get(block.get("Name", ""), FOREIGN),
            )
            for block in read_info(self._ask("-Qi"))
        ]

    def updates(self) -> list[Update]:
        """The newest version of each installed package, ignored ones too; pacman knows of no security notices."""
        versions = self.versions()
        sources = {(one.name, one.version): one.repository for one in reversed(self._listed())}
        return [
            Update(one.name, versions[one.name], one.version, False, sources.get((one.name, one.version), FOREIGN))
            for one in read_waiting(self._ask("-Qu", accept=(0, 1)))
            if one.name in versions
        ]

    def repositories(self) -> list[Repository]:
        """Every source of pacman.conf."""
        return read_repositories(self.root)

    def refresh(self, line: Line, lock_timeout_seconds: int) -> tuple[str, ...]:
        """Fetch the package lists to our own place; one source that cannot be reached fails it, as pacman sees it."""
        self.must_be_root("fetch the package lists")
        (self._own / "sync").mkdir(parents=True, exist_ok=True)
        local = self._own / "local"
        if not local.is_symlink():
            local.symlink_to(os.path.abspath(Path(self.root, _HOST, "local")))
        if not any((self._own / "sync").iterdir()):
            for file in Path(self.root, _HOST, "sync").glob("*.db"):
                shutil.copy2(file, self._own / "sync" / file.name)
        self._run(["-Sy"], "pacman -Sy", line, self._own, lock_timeout_seconds)
        return ()

    def cache_age_seconds(self) -> Optional[float]:
        """Age of the newest package list; pacman keeps the server's time on the files, so folders are asked too."""
        folder = self._lists() / "sync"
        stamps = [path.stat().st_ctime for path in folder.glob("*.db")]
        return max(time.time() - max([*stamps, folder.stat().st_mtime]), 0.0) if stamps else None

    def scratch(self, directory: str) -> PackageManager:
        """Work on lists below `directory`."""
        return Pacman(self.root, directory)

    def missing(self, wanted: Sequence[Exact]) -> tuple[Exact, ...]:
        """Versions that are neither on the disk nor in pacman's cache: sources have the newest alone."""
        versions = self.versions()
        return tuple(
            one
            for one in checked_exact(wanted)
            if versions.get(one.name) != one.version and self._kept_file(*one) is None
        )

    def unfinished(self) -> tuple[str, ...]:
        """Packages whose entry in the database has no contents."""
        return tuple(broken(Path(self.root, _HOST)))

    def busy(self) -> str:
        """Whether somebody holds the database now."""
        return str(_holder([str(Path(self.root, _HOST, _LOCK))]) or "")

    def reboot(self) -> Reboot:
        """The modules of a kernel that was replaced are gone from the disk."""
        modules = Path(self.root, "usr/lib/modules")
        kernels = sorted(folder.name for folder in modules.glob("*") if (folder / "pkgbase").exists())
        if not kernels or running_kernel() in kernels:
            return Reboot(required=False, reason="")
        return Reboot(required=True, reason=f"Kernel {kernels[-1]} is installed, {running_kernel()} is running")

    # ------------------------------------------------------------------ for Stepwise

    def versions(self) -> dict[str, str]:
        """What pacman's database says now."""
        rows = (line.split() for line in self._ask("-Q").splitlines())
        return {row[0]: row[1] for row in rows if len(row) == 2}  # noqa: PLR2004 (name and version)

    def newer(self, left: str, right: str) -> bool:
        """As pacman orders versions."""
        return newer(left, right)

    def foresee(self, task: Task, state: State, line: Line) -> list[Step]:
        """Let pacman print what it would install, and look up what that would push out."""
        command = self._command(task)
        if not command:
            return []
        argv = [*self._program(self._lists()), *command, "--print", "--print-format", STEP_FORMAT]
        line(" ".join(["$ pacman --print", *command]))
        try:
            steps = read_steps(look(argv, self._variables))
        except PackageManagerError as problem:
            raise CAUSES.explained(problem) from problem
        for one in steps:
            line(f"{one.name} {state.versions.get(one.name, '(new)')} -> {one.version}")
        removed = [] if task.exact else self._pushed_out(steps, state, full=task.limits.full)
        if not task.everything and steps:
            line("Partial update: this distribution supports only updates of everything together")
        return [
            *(Step(one.name, one.version, one.repository) for one in steps),
            *(Step(name, "", "") for name in removed),
        ]

    def perform(self, task: Task, state: State, line: Line, lock_timeout_seconds: int) -> None:
        """Bring our lists in, and let pacman do it."""
        del state
        lists = self._lists()
        if lists == self._own:
            for file in (lists / "sync").glob("*.db"):
                shutil.copy2(file, Path(self.root, _HOST, "sync", file.name))
        command = self._command(task)
        self._run(command, " ".join(["pacman", *command]), line, Path(self.root, _HOST), lock_timeout_seconds)

    def finish(self, names: Sequence[str], line: Line, lock_timeout_seconds: int) -> None:
        """Install them anew over their own files."""
        del names
        database = Path(self.root, _HOST)
        with set_aside(database) as again:
            command = ["-S", "--overwrite", "*", *again]
            self._run(command, " ".join(["pacman", *command]), line, database, lock_timeout_seconds)

    def wait(self, line: Line, lock_timeout_seconds: int) -> None:
        """Wait for whoever holds the database."""
        wait_until_free([str(Path(self.root, _HOST, _LOCK))], line, time.monotonic(), lock_timeout_seconds, _holder)

    # ------------------------------------------------------------------ inside

    def _command(self, task: Task) -> list[str]:
        if task.exact:
            return ["-U", *(str(self._kept_file(name, version) or name) for name, version in task.wanted.items())]
        if task.everything:
            out = [f"--ignore={word}" for word in (*task.left, *task.limits.hold)]
            return ["-Su", *([_REMOVE_CONFLICTS] if task.limits.full else []), *out]
        ignored = {one.name for one in read_waiting(self._ask("-Qu", accept=(0, 1))) if one.ignored}
        free = sorted(name for name in task.wanted if name not in ignored)
        return ["-S", "--needed", *free] if free else []

    def _pushed_out(self, steps: Sequence[Listed], state: State, *, full: bool) -> list[str]:
        """Installed packages that new ones replace, or conflict with; the latter only a full upgrade removes."""
        installed = {
            name: version for name, version in state.versions.items() if name not in {one.name for one in steps}
        }
        names = [f"{one.repository}/{one.name}" for one in steps]
        gone: dict[str, None] = {}
        for block in read_info(self._ask("-Si", *names)) if names else ():
            gone.update(dict.fromkeys(names_met(block.get(_REPLACES, ""), installed)))
            conflicts = [name for name in names_met(block.get(_CONFLICTS, ""), installed) if name not in gone]
            if conflicts and not full:
                raise PackageManagerError(
                    f"{block.get('Name', 'A package')} cannot be on one host with {', '.join(conflicts)}: take it out "
                    "of the request, or allow a full upgrade to remove what is in the way. Nothing was changed."
                )
            gone.update(dict.fromkeys(conflicts))
        return list(gone)

    def _kept_file(self, name: str, version: str) -> Optional[Path]:
        """The package file of this version that pacman kept."""
        files = Path(self.root, _CACHE).glob(f"{name}-{version}-*.pkg.tar*")
        return next((file for file in sorted(files) if file.suffix != ".sig"), None)

    def _listed(self) -> list[Listed]:
        return read_listed(self._ask("-Sl", accept=(0, 1))) if read_repositories(self.root) else []

    def _lists(self) -> Path:
        """Our own lists when they are not older than the host's."""
        host = Path(self.root, _HOST)
        return self._own if _newest(self._own) >= _newest(host) and _newest(self._own) else host

    def _ask(self, *arguments: str, accept: Sequence[int] = (0,)) -> str:
        try:
            return look([*self._program(self._lists()), *arguments], self._variables, accept)
        except PackageManagerError as problem:
            raise CAUSES.explained(problem) from problem

    def _run(self, arguments: Sequence[str], shown: str, line: Line, database: Path, timeout_seconds: int) -> None:
        wait_until_free([str(database / _LOCK)], line, time.monotonic(), timeout_seconds, _holder)
        argv = [*self._program(database), "--noconfirm", "--noprogressbar", *arguments]
        finished = stream(argv, self._variables, line, shown)
        if finished.stopped:
            raise failure(argv, finished)
        if finished.code:
            raise CAUSES.explained(failure(argv, finished))

    def _program(self, database: Path) -> list[str]:
        argv = ["pacman", "--color", "never", "--dbpath", os.path.abspath(database)]
        if self.root == "/":
            return argv
        root = os.path.abspath(self.root)
        places = {
            "root": root,
            "config": f"{root}/etc/pacman.conf",
            "cachedir": f"{root}/{_CACHE}",
            "logfile": f"{root}/var/log/pacman.log",
            "gpgdir": f"{root}/etc/pacman.d/gnupg",
            "hookdir": f"{root}/etc/pacman.d/hooks",
        }
        return [*argv, *(word for option, place in places.items() for word in (f"--{option}", place))]


def _newest(database: Path) -> float:
    return max((file.stat().st_mtime for file in (database / "sync").glob("*.db")), default=0.0)


def _holder(paths: Sequence[str]) -> Optional[Holder]:
    """The lock is a file that is there or not, without a word of whose it is."""
    return next((Holder(path, 0, "") for path in paths if os.path.exists(path)), None)
