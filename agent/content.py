"""Keeps the server's security guide for this host's system, which compliance scans read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from agent.link.http import BadAnswer, Http, Unreachable
from agent.system import files

FOLDER = "ssg-content"
_MARKER = ".ssg-version"
_NAME = re.compile(r"^ssg-[a-z0-9]+-ds\.xml$")
_OK = 200


class NoContent(Exception):
    """The server has no guide for this system, or it did not come; the text says which."""


@dataclass(frozen=True)
class Guide:
    """A guide on this host; ``changed`` when it was fetched just now."""

    path: Path
    version: str
    changed: bool


def fetch(http: Http, state: Path, wanted: Sequence[str]) -> Guide:
    """Return the first of these guides that the server has, fetched unless this host has that version.

    Raises:
        NoContent: there is none, or it could not be fetched.
        OSError: it cannot be written.
    """
    try:
        answer = http.get("/compliance/ssg-version")
        if answer.status != _OK:
            raise NoContent(f"the server has no content for scanners ({answer.status})")
        told = answer.fields()
        version, offered = str(told.get("version") or ""), told.get("files")
        names = offered if isinstance(offered, list) else []
        name = next((one for one in wanted if one in names and _NAME.match(one)), "")
        if not name:
            raise NoContent(f"the server has no guide for this system ({', '.join(wanted)})")
        return _kept(http, files.private_folder(state / FOLDER), name, version)
    except (Unreachable, BadAnswer) as error:
        raise NoContent(str(error)) from error


def _kept(http: Http, folder: Path, name: str, version: str) -> Guide:
    file, marker = folder / name, folder / _MARKER
    known = marker.read_text(encoding="utf-8").strip() if marker.is_file() else ""
    if file.is_file() and version and known == version:
        return Guide(file, version, changed=False)
    part = folder / f".{name}.part"
    try:
        with part.open("wb") as opened:
            http.download(f"/compliance/ssg-content/{name}", opened.write)
        # The marker speaks for every file, so it goes before one changes and comes back behind it.
        marker.unlink(missing_ok=True)
        for old in folder.glob("ssg-*-ds.xml"):
            old.unlink()
        part.replace(file)
        marker.write_text(f"{version}\n", encoding="utf-8")
    finally:
        part.unlink(missing_ok=True)
    return Guide(file, version, changed=True)
