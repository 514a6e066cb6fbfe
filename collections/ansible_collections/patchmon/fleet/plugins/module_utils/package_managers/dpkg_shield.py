"""Keeps a stop signal from reaching dpkg in the middle of a package."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Iterator, Optional

from .leftovers import owned, sweep

_FOLDERS = (None, "/var/tmp", "/var/lib")  # noqa: S108 - a private folder is made inside
_PREFIX = "patchmon-dpkg-"
_SCRIPT = """#!/bin/sh
trap '' INT
exec /usr/bin/dpkg "$@"
"""


@contextlib.contextmanager
def shielded_dpkg() -> Iterator[list[str]]:
    """Settings that let apt run dpkg with SIGINT ignored; none where no folder allows programs.

    Whoever stops a job signals every process below it. Apt then stops after the dpkg call at hand, but dpkg itself
    would die at once and leave a package half unpacked.
    """
    with contextlib.ExitStack() as stack:
        script = next((found for folder in _FOLDERS if (found := _script(stack, folder))), None)
        yield [f"Dir::Bin::dpkg={script}"] if script else []


def _script(stack: contextlib.ExitStack, folder: Optional[str]) -> Optional[Path]:
    try:
        sweep(_PREFIX, folder)
        private = stack.enter_context(tempfile.TemporaryDirectory(prefix=owned(_PREFIX), dir=folder))
        if os.statvfs(private).f_flag & os.ST_NOEXEC:
            return None
        script = Path(private, "dpkg")
        script.write_text(_SCRIPT, encoding="ascii")
        script.chmod(0o700)
    except OSError:
        return None
    return script
