"""The agent files the server hands out: which there are, their versions and digests."""

import hashlib
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from server.core.loop import in_thread
from server.hosts.models import Platform
from server.hosts.rules import ARCHITECTURES

PYZ: Final = "patchmon-agent.pyz"
#: How the programs of the Go agents carry their version: the link flag, else the module's.
_GO_VERSION: Final = re.compile(
    rb"(?:-X [^\s\"']*[vV]ersion=|\bmod\s+patchmon-agent\s+)v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)"
)
_PY_VERSION: Final = re.compile(rb"""^__version__\s*(?::\s*[^=]+)?=\s*["']([^"']+)["']""", re.MULTILINE)
_CHUNK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class AgentFile:
    """A file an agent can be installed or replaced with."""

    path: Path
    name: str
    version: str
    sha256: str
    size_bytes: int


class Shelf:
    """The folder of agent files; a replaced file is noticed by its time and size, without a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, tuple[tuple[int, int], AgentFile | None]] = {}

    async def find(self, system: Platform, architecture: str, kind: str) -> AgentFile | None:
        """Return the file for this machine; ours runs on every architecture and serves where there is no other.

        ``kind`` is "pyz" for ours, "binary" for a compiled one, "go" for a compiled one or else ours. A file without a
        version that can be told counts as missing.
        """
        names = [PYZ] if kind == "pyz" else [_contract_name(system, architecture)]
        if kind == "go" and system != "windows":
            names.append(PYZ)
        return await in_thread(self._first, names)

    async def everything(self) -> list[tuple[Platform, str, AgentFile | None]]:
        """Return system, architecture and file of every kind of machine; ``None`` where there is no file."""
        return [
            (system, architecture, await self.find(system, architecture, "go"))
            for system, architectures in ARCHITECTURES.items()
            for architecture in architectures
        ]

    def _first(self, names: list[str]) -> AgentFile | None:
        for name in names:
            found = self._look(self._folder / name)
            if found is not None:
                return found
        return None

    def _look(self, path: Path) -> AgentFile | None:
        try:
            stat = path.stat()
        except OSError:
            return None
        seen = (stat.st_mtime_ns, stat.st_size)
        known = self._known.get(path)
        if known is None or known[0] != seen:
            known = (seen, _examine(path, stat.st_size))
            self._known[path] = known
        return known[1]


def _contract_name(system: Platform, architecture: str) -> str:
    suffix = ".exe" if system == "windows" else ""
    return f"patchmon-agent-{system}-{architecture}{suffix}"


def _examine(path: Path, size: int) -> AgentFile | None:
    version = _pyz_version(path) if path.name == PYZ else _go_version(path)
    if not version:
        return None
    with path.open("rb") as file:
        return AgentFile(path, path.name, version, hashlib.file_digest(file, "sha256").hexdigest(), size)


def _pyz_version(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [
                name
                for name in archive.namelist()
                if name == "agent/__init__.py" or name.endswith("/agent/__init__.py")
            ]
            found = next((match for name in names if (match := _PY_VERSION.search(archive.read(name)))), None)
    except (OSError, zipfile.BadZipFile):
        return ""
    return found[1].decode() if found else ""


def _go_version(path: Path) -> str:
    tail = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            # The overlap keeps a version together that lies across two chunks.
            if match := _GO_VERSION.search(tail + chunk):
                return match[1].decode()
            tail = chunk[-512:]
    return ""


SHELF: Final = web.AppKey("shelf", Shelf)
