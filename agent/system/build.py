"""What this copy of the agent was built from: the built-in project, Ansible, the collection."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Dict, FrozenSet

from agent.protocol import archive
from agent.system.files import read_object

_PLAYS_NEED = (3, 11)


def root() -> Path:
    """Return the folder this program runs from: an unpacked agent file or a source tree."""
    return Path(__file__).resolve().parents[2]


def builtin_projects() -> FrozenSet[str]:
    """Return the digests of the projects that ``automation: builtin`` lets run."""
    recorded = read_object(root() / "build.json").get("builtin_projects")
    if isinstance(recorded, list):
        return frozenset(str(item) for item in recorded)
    playbooks = root() / "playbooks"
    if not playbooks.is_dir():
        return frozenset()
    return frozenset([archive.digest(archive.pack(archive.read_folder(playbooks)))])


def versions() -> Dict[str, str]:
    """Return the versions of Ansible and of our collection, without importing either; empty when there is none."""
    recorded = read_object(root() / "build.json")
    if recorded:
        return {key: str(recorded.get(key) or "") for key in ("ansible", "collection")}
    return {"ansible": _ansible(), "collection": _collection()}


def can_play() -> bool:
    """Say whether plays can run on this host."""
    return sys.version_info >= _PLAYS_NEED and bool(versions()["ansible"])


def _ansible() -> str:
    found = importlib.util.find_spec("ansible")
    if found is None or not found.origin:
        return ""
    release = Path(found.origin).with_name("release.py")
    return _first(r"""__version__ = ['"]([^'"]+)""", release)


def _collection() -> str:
    folder = root() / "collections" / "ansible_collections" / "patchmon" / "fleet"
    return _first(r"""(?m)^version:\s*['"]?([^'"\s]+)""", folder / "galaxy.yml")


def _first(pattern: str, file: Path) -> str:
    try:
        found = re.search(pattern, file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    return found.group(1) if found else ""
