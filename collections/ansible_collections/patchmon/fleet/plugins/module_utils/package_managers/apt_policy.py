"""Reads what `apt-cache policy` says: candidates, where each version comes from, and which sources mean security."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Iterable, Iterator, NamedTuple, Optional

from .debian_version import key, newer

LOCAL = "local"
_NONE = "(none)"
_STATUS_FILE = "/var/lib/dpkg/status"
_VERSION = re.compile(r"^ (?:\*\*\*|   ) (\S+) (-?\d+)")
_SOURCE = re.compile(r"^ {6,}\s*-?\d+ (.+)$")
_FILE = re.compile(r"^ {0,5}-?\d+ (.+)$")
_DESCRIBED = re.compile(r"^(\S+) (\S+)(?: \S+)? Packages$")
_USERINFO = re.compile(r"(?<=//)[^/@]*@")


class Version(NamedTuple):
    """One version in a package's table; `sources` are apt's own words for its origins."""

    number: str
    priority: int
    sources: tuple[str, ...]


class Policy(NamedTuple):
    """What apt knows of one package; empty text for what it does not have."""

    name: str
    installed: str
    candidate: str
    versions: tuple[Version, ...]

    def version(self, number: str) -> Optional[Version]:
        """The table's entry for one version."""
        return next((version for version in self.versions if version.number == number), None)

    @property
    def upgradable(self) -> bool:
        """Tell whether a newer version than the installed one would be chosen."""
        return bool(self.installed and self.candidate) and newer(self.candidate, self.installed)

    def security_version(self, security: frozenset[str]) -> str:
        """Newest version from a security source between the installed one and the candidate; empty if there is none.

        It may be older than the candidate: a later ordinary update does not make the missing fix less urgent.
        """
        if not self.upgradable:
            return ""
        fixes = [
            version.number
            for version in self.versions
            if version.priority >= 0
            and newer(version.number, self.installed)
            and not newer(version.number, self.candidate)
            and not security.isdisjoint(version.sources)
        ]
        return max(fixes, key=key, default="")

    def repository(self, number: str, security: frozenset[str]) -> str:
        """`URL suite/component` of one version, the security source first; `local` when it is in no repository."""
        found = self.version(number)
        sources = [source for source in found.sources if not source.endswith(_STATUS_FILE)] if found else []
        first = next((source for source in sources if source in security), sources[0] if sources else "")
        return repository_name(first) if first else LOCAL


@lru_cache(maxsize=1024)
def repository_name(source: str) -> str:
    """Turn `http://host/debian bookworm/main amd64 Packages` into `http://host/debian bookworm/main`."""
    described = _DESCRIBED.match(source)
    if described is None:
        return source
    return f"{without_userinfo(described.group(1)).rstrip('/')} {described.group(2)}"


def without_userinfo(url: str) -> str:
    """Drop a user name and password from an address: they are nobody's business in a report."""
    return _USERINFO.sub("", url)


def read_policies(text: str) -> dict[str, Policy]:
    """Parse the output for named packages."""
    return {policy.name: policy for policy in _policies(text.splitlines())}


def read_security_sources(text: str) -> frozenset[str]:
    """Parse the output for no package at all; the result holds apt's words for each source of security updates."""
    found: set[str] = set()
    source = ""
    for line in text.splitlines():
        if line.startswith("Pinned packages"):
            break
        words = line.strip()
        if words.startswith("release "):
            if _means_security(source, _release(words)):
                found.add(source)
            continue
        described = _FILE.match(line)
        if described is None:
            continue
        source = described.group(1)
        if _means_security(source, {}):
            found.add(source)
    return frozenset(found)


def _release(words: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in words[len("release ") :].split(","))
    return {name: value for name, _, value in pairs}


def _means_security(source: str, release: dict[str, str]) -> bool:
    """Tell by the suite or the label, so that renamed mirrors count, and by Ubuntu's paid archives' origin."""
    described = _DESCRIBED.match(source)
    suite = described.group(2).split("/")[0] if described else ""
    suites = (suite, release.get("a", ""), release.get("n", ""))
    return (
        any(name.endswith("-security") for name in suites)
        or release.get("l", "").lower().startswith("debian-security")
        or release.get("o", "").startswith("UbuntuESM")
    )


def _policies(lines: Iterable[str]) -> Iterator[Policy]:
    block: list[str] = []
    for line in lines:
        if line and not line.startswith((" ", "N:", "W:")):
            if block:
                yield _policy(block)
            block = [line]
        elif block:
            block.append(line)
    if block:
        yield _policy(block)


@lru_cache(maxsize=1024)
def _source(line: str) -> str:
    """The source that a line names, empty for other lines; the same few come once per package."""
    found = _SOURCE.match(line)
    return found.group(1) if found else ""


def _policy(block: list[str]) -> Policy:
    fields = {"Installed": "", "Candidate": ""}
    versions: list[tuple[str, int, list[str]]] = []
    for line in block[1:]:
        source = _source(line)
        if source and versions:
            versions[-1][2].append(source)
            continue
        version = _VERSION.match(line)
        if version:
            versions.append((version.group(1), int(version.group(2)), []))
            continue
        name, _, value = line.strip().partition(": ")
        if name in fields and value != _NONE:
            fields[name] = value
    table = tuple(Version(number, priority, tuple(sources)) for number, priority, sources in versions)
    return Policy(block[0].rstrip(":"), fields["Installed"], fields["Candidate"], table)
