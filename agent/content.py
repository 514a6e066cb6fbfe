"""Keeps the server's security guide for this host's system, which compliance scans read."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence, Tuple
from urllib.parse import urlencode

from agent.link.http import BadAnswer, Http, Unreachable
from agent.system import files

FOLDER = "ssg-content"
_NAME = re.compile(r"^ssg-[a-z0-9]+-ds\.xml$")
_DIGEST = re.compile(r"^[0-9a-f]{64}$")
_PIECE_BYTES = 1024 * 1024
_OK = 200
_MISSING = 404


class NoContent(Exception):
    """The server has no guide for this system, or it did not come; the text says which."""


@dataclass(frozen=True)
class Guide:
    """A guide on this host; ``changed`` when it was fetched just now, ``tailoring`` what changes its profiles."""

    path: Path
    version: str
    changed: bool
    tailoring: Optional[Path]


def fetch(http: Http, state: Path, wanted: Sequence[str], profile: str = "") -> Guide:
    """Return by what the server has this host scanned, fetched unless it is here already.

    Raises:
        NoContent: there is none, or it could not be fetched.
        OSError: it cannot be written.
    """
    try:
        query = urlencode({"names": ",".join(wanted), "profile": profile})
        answer = http.get(f"/compliance/guide?{query}")
        if answer.status == _MISSING:
            raise NoContent(f"the server has no guide for this system ({', '.join(wanted)})")
        if answer.status != _OK:
            raise NoContent(f"the server has no content for scanners ({answer.status})")
        told = answer.fields()
        name, digest = str(told.get("name")), str(told.get("sha256"))
        if name not in wanted or not _NAME.match(name) or not _DIGEST.match(digest):
            raise NoContent("the server's answer names no guide of this system")
        folder = files.private_folder(state / FOLDER)
        path, changed = _kept(http, folder, name, f"/compliance/ssg-content/{name}", digest)
        return Guide(path, str(told.get("version") or ""), changed, _tailoring(http, folder, told.get("tailoring")))
    except (Unreachable, BadAnswer) as error:
        raise NoContent(str(error)) from error


def _tailoring(http: Http, folder: Path, digest: object) -> Optional[Path]:
    if not digest:
        return None
    if not isinstance(digest, str) or not _DIGEST.match(digest):
        raise NoContent("the server's answer names no tailoring file")
    path, _ = _kept(http, folder, "tailoring.xml", f"/compliance/tailoring/{digest}", digest)
    return path


def _kept(http: Http, folder: Path, name: str, url: str, digest: str) -> Tuple[Path, bool]:
    """Return a file that has this digest, and whether it was fetched just now."""
    file = folder / name
    if file.is_file() and _digest_of(file) == digest:
        return file, False
    part = folder / f".{name}.part"
    try:
        with part.open("wb") as opened:
            http.download(url, opened.write)
        if _digest_of(part) != digest:
            raise NoContent(f"{name} did not arrive as the server has it; try again")
        for old in folder.glob("ssg-*-ds.xml") if _NAME.match(name) else ():
            old.unlink()
        part.replace(file)
    finally:
        if part.exists():
            part.unlink()
    return file, True


def _digest_of(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        for piece in iter(lambda: opened.read(_PIECE_BYTES), b""):
            digest.update(piece)
    return digest.hexdigest()
