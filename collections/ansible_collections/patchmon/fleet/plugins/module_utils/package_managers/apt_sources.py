"""Reads apt's package sources: sources.list lines and deb822 .sources files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator
from urllib.parse import urlsplit

from .apt_policy import without_userinfo
from .base import Repository

_ONE_LINE = re.compile(r"^(deb|deb-src)\s+(?:\[[^\]]*\]\s+)?(cdrom:\[[^\]]*\]\S*|\S+)\s+(\S+)\s*(.*)$")
_TRUE = ("yes", "true", "with", "on", "enable", "1", "")


def read_sources(etc_apt: Path) -> list[Repository]:
    """Every source below an etc/apt folder, in apt's own reading order, each once; unreadable files are left out."""
    parts = sorted(etc_apt.glob("sources.list.d/*"))
    found: dict[Repository, None] = {}
    for path in (etc_apt / "sources.list", *parts):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            if path.suffix == ".sources":
                found.update(dict.fromkeys(read_deb822(text)))
            elif path.suffix == ".list":
                found.update(dict.fromkeys(read_one_line(text)))
    return list(found)


def read_one_line(text: str) -> Iterator[Repository]:
    """Parse the classic format; a line that is commented out is no repository."""
    for line in text.splitlines():
        entry = _ONE_LINE.match(line.partition("#")[0].strip())
        if entry:
            kind, url, suite, components = entry.groups()
            yield _repository(kind, url, suite, components.split(), enabled=True)


def read_deb822(text: str) -> Iterator[Repository]:
    """Parse stanzas; one stanza stands for every combination of its types, addresses and suites."""
    for stanza in _stanzas(text):
        enabled = stanza.get("enabled", "yes").lower() in _TRUE
        for kind in stanza.get("types", "").split():
            for url in stanza.get("uris", "").split():
                for suite in stanza.get("suites", "").split():
                    yield _repository(kind, url, suite, stanza.get("components", "").split(), enabled=enabled)


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    stanza: dict[str, str] = {}
    field = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if stanza:
                yield stanza
            stanza, field = {}, ""
        elif line[0].isspace():
            if field:
                stanza[field] += " " + line.strip()
        else:
            name, _, value = line.partition(":")
            field = name.strip().lower()
            stanza[field] = value.strip()


def _repository(kind: str, address: str, suite: str, components: list[str], *, enabled: bool) -> Repository:
    url = _as_apt_says(address)
    words = [_place(url), suite, *components]
    return Repository(
        name=" ".join(word for word in words if word),
        url=url,
        distribution=suite,
        components=" ".join(components),
        repo_type=kind,
        enabled=enabled,
        secure=url.partition(":")[0].split("+")[-1] == "https",
    )


def _as_apt_says(address: str) -> str:
    """The address as apt's own output has it, so that packages and repositories can be joined."""
    return re.sub(r"^(file|copy):///", r"\1:/", without_userinfo(address)).rstrip("/")


def _place(url: str) -> str:
    """Host of an address, or its path for local ones."""
    parts = urlsplit(url) if not url.startswith("cdrom:") else None
    if parts is None:
        return "cdrom"
    return parts.hostname or parts.path
