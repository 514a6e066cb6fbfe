"""A new version on trial: it has its time to reach the server; one that cannot is taken back."""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from agent.system import files

_RECORD = "update.json"
_REFUSED = "update-refused.json"
_REFUSED_SECONDS = 24 * 3600
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Trial:
    """Which version came, which file it replaced, and where that one is kept; ``sha256`` is the installed file's."""

    version: str
    before: str
    program: str
    backup: str
    sha256: str


@dataclass(frozen=True)
class Refusal:
    """A version that was taken back; ``sha256`` is what the server says of its file."""

    version: str
    sha256: str


def begin(state: Path, trial: Trial, offered: str) -> None:
    """Put a new version on trial; ``offered`` is the digest the server names for it."""
    files.write_object(state / _RECORD, {**dataclasses.asdict(trial), "offered": offered})


def current(state: Path) -> Optional[Trial]:
    """Return the version that is on trial."""
    record = files.read_object(state / _RECORD)
    names = [field.name for field in dataclasses.fields(Trial)]
    return Trial(*(str(record[name]) for name in names)) if all(name in record for name in names) else None


def confirm(state: Path) -> bool:
    """Keep the version that is on trial; say whether one was."""
    try:
        (state / _RECORD).unlink()
    except FileNotFoundError:
        return False
    return True


def refused(state: Path) -> Optional[Refusal]:
    """Return the version that was taken back during the last day."""
    record = files.read_object(state / _REFUSED)
    at = record.get("at")
    # A clock that was set back must not make this last for years.
    if not isinstance(at, (int, float)) or not 0 <= time.time() - at < _REFUSED_SECONDS:
        return None
    return Refusal(str(record.get("version") or ""), str(record.get("sha256") or ""))


def watch(state: Path, seconds: float, server_answers: Callable[[], bool]) -> Optional[Trial]:
    """Wait until the trial ends; return the version that had its time and did not reach a server that answers us."""
    while True:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if current(state) is None:
                return None
            time.sleep(_LOOK_SECONDS)
        # Nobody can reach a server that is down: that says nothing about the version.
        if server_answers():
            return current(state)


def take_back(state: Path, trial: Trial) -> None:
    """Put the former file back in place and remember not to take that version by itself again today.

    Raises:
        OSError: the former file is not back.
    """
    program = Path(trial.program)
    beside = program.with_name(f".{program.name}.{os.getpid()}")
    shutil.copyfile(trial.backup, beside)
    beside.chmod(0o755)
    beside.replace(program)
    record = files.read_object(state / _RECORD)
    files.write_object(
        state / _REFUSED, {"version": trial.version, "sha256": str(record.get("offered") or ""), "at": time.time()}
    )
    confirm(state)
    files.remove_tree(state / trial.sha256)
