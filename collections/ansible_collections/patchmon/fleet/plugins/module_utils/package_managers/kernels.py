"""Finds out whether a newer kernel waits on the disk."""

from __future__ import annotations

import os
import re
from pathlib import Path

_IMAGE = "vmlinuz-"
_CONTAINER_MARKS = ("run/.containerenv", ".dockerenv", "run/systemd/container")


def running_kernel() -> str:
    """Release of the kernel that runs now."""
    return os.uname().release


def installed_kernel(root: str = "/", running: str = "") -> str:
    """Newest kernel on the disk of the flavour that runs; empty when there is none, as in containers."""
    flavour = _flavour(running or running_kernel())
    same = [release for release in _on_disk(root) if _flavour(release) == flavour]
    return max(same, key=_order, default="")


def needs_new_kernel(root: str = "/", running: str = "") -> str:
    """Sentence that names both kernels when a newer one waits for a restart; empty otherwise."""
    now = running or running_kernel()
    newest = installed_kernel(root, now)
    if not newest or _order(newest) <= _order(now) or _in_container(root):
        return ""
    return f"Kernel {newest} is installed, {now} is running"


def _on_disk(root: str) -> list[str]:
    boot = Path(root, "boot")
    found = boot.glob(_IMAGE + "*") if boot.is_dir() else ()
    return [image.name[len(_IMAGE) :] for image in found if not image.name.endswith((".old", ".dpkg-bak"))]


def _in_container(root: str) -> bool:
    return any(Path(root, mark).exists() for mark in _CONTAINER_MARKS)


def _flavour(release: str) -> str:
    """Everything from the first dashed part that starts with a letter: `6.1.0-18-cloud-amd64` is a `cloud-amd64`."""
    parts = release.split("-")
    named = next((at for at, part in enumerate(parts) if part[:1].isalpha()), len(parts))
    return "-".join(parts[named:])


def _order(release: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|[a-z]+", release)]
