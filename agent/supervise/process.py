"""What the kernel says about processes: who lives, who descends from whom."""

from __future__ import annotations

import ctypes
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, List

_PR_SET_CHILD_SUBREAPER = 36
_ZOMBIE_AFTER_SECONDS = 60.0
#: Programs that write a package database; killing one in the middle leaves the host half patched.
PACKAGE_WRITERS = frozenset(
    (
        "dpkg",
        "apt",
        "apt-get",
        "aptitude",
        "rpm",
        "dnf",
        "dnf5",
        "yum",
        "zypper",
        "pacman",
        "apk",
        "pkg",
        "unattended-upgr",
    ),
)


@dataclass(frozen=True)
class Process:
    """A line of the process table; pid and start_ticks together name it beyond doubt within one boot."""

    pid: int
    parent: int
    state: str
    name: str
    start_ticks: int

    @property
    def dead(self) -> bool:
        """It ended and only waits to be collected."""
        return self.state in ("Z", "X")


def boot_id() -> str:
    """Return the kernel's name of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def find(pid: int) -> Process | None:
    """Return the process with this id, dead or alive."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name stands in parentheses and may hold parentheses and spaces itself.
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    return Process(pid, int(fields[1]), fields[0], name, int(fields[19]))


def descendants(of: int) -> List[Process]:
    """Return everything below a process, dead ones included; the process itself is not in it."""
    children: Dict[int, List[Process]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 (a thousand Path objects per look cost more than the look)
        process = find(int(entry)) if entry.isdigit() else None
        if process:
            children.setdefault(process.parent, []).append(process)
    found: List[Process] = []
    waiting = [of]
    while waiting:
        below = children.pop(waiting.pop(), [])
        found += below
        waiting += [process.pid for process in below]
    return found


def become_subreaper() -> None:
    """Let orphans among our descendants become our children, so that none escapes.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


class Collector:
    """Collects dead children that nobody else waits for."""

    def __init__(self) -> None:
        self._seen_at: Dict[int, float] = {}

    def collect(self, family: Iterable[Process], *, everyone: bool) -> None:
        """Reap dead children of this process.

        Without ``everyone`` only those dead for a minute: ansible-runner waits for its own child itself and must find
        its exit code.
        """
        now = time.monotonic()
        dead = [process.pid for process in family if process.dead and process.parent == os.getpid()]
        self._seen_at = {pid: self._seen_at.get(pid, now) for pid in dead}
        for pid, since in self._seen_at.items():
            if everyone or now - since > _ZOMBIE_AFTER_SECONDS:
                reap(pid)


def reap(pid: int) -> None:
    """Collect one dead child; nothing happens when it lives or is not ours."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
