"""The agent replaces its own file: only by one whose digest the server named, that runs here and reaches the server."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List

from agent import __version__
from agent.link.http import BadAnswer, Unreachable, expect_ok
from agent.system import files, program
from agent.system.lock import AlreadyRunning, Lock
from agent.system.run import CommandFailed
from agent.updates import trial

if TYPE_CHECKING:
    from agent.config import Config, Environment
    from agent.link.http import Http
    from agent.system.log import Log

MARKER = ".last_update_timestamp"
_COOLDOWN_SECONDS = 300
_KEPT_BACKUPS = 3
_PROGRAM_MODE = 0o755
_BACKUP_MODE = 0o700
_CHECK_SECONDS = 60
_VERSION_SECONDS = 10
_READ_BYTES = 1024 * 1024


class CannotUpdate(Exception):
    """The file stays what it is; the text says why."""


@dataclass(frozen=True)
class Offer:
    """What the server says about versions; ``has_update``: this host shall take it by itself."""

    latest: str
    has_update: bool
    disabled: bool
    sha256: str


def ask(http: Http, state: Path) -> Offer:
    """Ask the server for the newest version.

    Raises:
        Unreachable, BadAnswer: it did not say.
    """
    answer = expect_ok(http.get(f"/hosts/agent/version?{_query()}{_taken_back(state)}", attempts=1)).fields()
    return Offer(
        latest=str(answer.get("latestVersion") or __version__),
        has_update=answer.get("hasUpdate") is True,
        disabled=answer.get("autoUpdateDisabled") is True,
        sha256=str(answer.get("hash") or ""),
    )


def wanted(offer: Offer, state: Path) -> bool:
    """Say whether the service takes an offer by itself: not one that was taken back today."""
    before = trial.refused(state)
    return offer.has_update and (before is None or before.sha256 != offer.sha256)


class Updater:
    """One update of one installed agent."""

    def __init__(self, config: Config, environment: Environment, http: Http, log: Log) -> None:
        self._config = config
        self._environment = environment
        self._http = http
        self._log = log

    def run(self, *, automatic: bool) -> str:
        """Replace the installed file and return the new version; empty when there is nothing to take.

        The running service is another matter: it takes over the new file once it is told to.

        Raises:
            CannotUpdate: nothing was changed.
        """
        try:
            return self._run(automatic=automatic)
        except (Unreachable, BadAnswer, CommandFailed, OSError) as error:
            raise CannotUpdate(f"update failed: {error}") from error

    def _run(self, *, automatic: bool) -> str:
        installed = program.program_file()
        if installed is None:
            raise CannotUpdate("update failed: this agent was not started from its installed file")
        state = files.private_folder(self._config.state)
        lock = Lock(state / "update.lock")
        try:
            lock.take()
        except AlreadyRunning as error:
            raise CannotUpdate("update failed: another update is under way") from error
        try:
            self._cool_down()
            offer = ask(self._http, state)
            if offer.latest == __version__ and not offer.has_update:
                return ""
            if automatic and not wanted(offer, state):
                return ""
            self._replace(installed, offer, state)
            return offer.latest
        finally:
            lock.release()

    def _cool_down(self) -> None:
        try:
            age = time.time() - (self._config.file.parent / MARKER).stat().st_mtime
        except FileNotFoundError:
            return
        # A marker of the future says that the clock was set, nothing else.
        if 0 <= age < _COOLDOWN_SECONDS:
            raise CannotUpdate(f"update was performed {_ago(age)} ago, skipping")

    def _replace(self, installed: Path, offer: Offer, state: Path) -> None:
        if not offer.sha256:
            raise CannotUpdate("update failed: the server supplies no hash for its agent")
        self._log.info("Updating the agent", version=__version__, latest=offer.latest)
        # Beside the installed file: what replaces it must be on the same file system.
        fresh = installed.with_name(f".{installed.name}.new")
        files_digest = ""
        try:
            self._download(fresh, offer)
            _keep_interpreter(installed, fresh)
            files_digest = _digest(fresh)
            self._verify(fresh, offer)
            backup = _back_up(installed)
            trial.begin(
                state, trial.Trial(offer.latest, __version__, str(installed), str(backup), files_digest), offer.sha256
            )
            os.replace(fresh, installed)  # noqa: PTH105 (as the rest of what must be atomic)
        except (CannotUpdate, Unreachable, BadAnswer, CommandFailed, OSError):
            fresh.unlink(missing_ok=True)
            trial.confirm(state)
            if files_digest:
                # The trial run unpacked it.
                files.remove_tree(state / files_digest)
            raise
        _prune(installed)
        marker = self._config.file.parent / MARKER
        marker.write_text(time.strftime("%Y-%m-%dT%H:%M:%SZ\n", time.gmtime()), encoding="ascii")
        self._log.info("Agent file replaced", version=offer.latest, before=__version__, backup=backup.name)

    def _download(self, fresh: Path, offer: Offer) -> None:
        digest = hashlib.sha256()
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _BACKUP_MODE)
        with os.fdopen(handle, "wb") as file:

            def take(part: bytes) -> None:
                digest.update(part)
                try:
                    file.write(part)
                except OSError as error:
                    raise CannotUpdate(f"update failed: {fresh}: {error.strerror}") from error

            self._http.download(f"/hosts/agent/download?{_query(version=False)}&force=binary", take)
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != offer.sha256:
            raise CannotUpdate(f"update failed: hash mismatch: expected {offer.sha256}, got {digest.hexdigest()}")

    def _verify(self, fresh: Path, offer: Offer) -> None:
        environment = self._environment.for_children()
        code, said = program.run_file(fresh, ["--version"], environment, _VERSION_SECONDS)
        if code != 0 or said != f"PatchMon Agent v{offer.latest}":
            raise CannotUpdate(
                f"update failed: binary verification failed: it says {said[-200:]!r} instead of version {offer.latest}"
            )
        config = ["--config", str(self._config.file)]
        code, said = program.run_file(fresh, [*config, "check-version"], environment, _CHECK_SECONDS)
        if code != 0:
            raise CannotUpdate(f"update failed: binary verification failed: check-version says {said[-200:]!r}")


def service_pid(state: Path) -> int:
    """Return the process id of the running service; 0 when none runs."""
    lock = Lock(state / "agent.lock")
    try:
        lock.take()
    except AlreadyRunning as error:
        return error.pid
    except OSError:
        return 0
    lock.release()
    return 0


def _query(*, version: bool = True) -> str:
    system = "freebsd" if sys.platform.startswith("freebsd") else "linux"
    architecture = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "i686": "386"}
    known: Dict[str, str] = architecture
    asked = f"arch={known.get(os.uname().machine, 'arm')}&os={system}&type=pyz"
    return f"{asked}&currentVersion={__version__}" if version else asked


def _taken_back(state: Path) -> str:
    before = trial.refused(state)
    return f"&takenBack={before.version}" if before else ""


def _keep_interpreter(installed: Path, fresh: Path) -> None:
    """Give the new file the first line of the old one: the installer may have named another Python there."""
    with installed.open("rb") as file:
        first = file.readline(256)
    with fresh.open("rb") as file:
        given = file.readline(256)
        rest = b"" if first == given or not first.startswith(b"#!") else file.read()
    if rest:
        fresh.write_bytes(first + rest)


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        for part in iter(lambda: opened.read(_READ_BYTES), b""):
            digest.update(part)
    return digest.hexdigest()


def _back_up(installed: Path) -> Path:
    backup = installed.with_name(f"{installed.name}.backup.{time.strftime('%Y%m%d_%H%M%S')}")
    shutil.copyfile(installed, backup)
    backup.chmod(_BACKUP_MODE)
    return backup


def _prune(installed: Path) -> None:
    installed.chmod(_PROGRAM_MODE)
    found: List[Path] = sorted(installed.parent.glob(f"{installed.name}.backup.*"), reverse=True)
    for old in found[_KEPT_BACKUPS:]:
        old.unlink()


def _ago(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
