"""Tells who holds a package manager that writes its process number into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Sequence

from .locks import Holder, holder


def pid_holder(paths: Sequence[str]) -> Optional[Holder]:
    """The first living process of these files, else who holds a lock of the kernel on one; stale files hold nobody."""
    for path in paths:
        pid = _written(Path(path))
        if pid and Path("/proc", str(pid)).exists():
            program = Path("/proc", str(pid), "comm")
            name = program.read_text(encoding="utf-8", errors="replace").strip() if program.exists() else ""
            return Holder(path, pid, name)
    return holder(paths)


def _written(path: Path) -> int:
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0
