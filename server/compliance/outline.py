"""What a guide or a tailoring file says of itself, read as a stream: nothing of it is kept, however large it is."""

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from server.compliance import guide_xml
from server.compliance.errors import BadGuide

Form = Literal["datastream", "tailoring"]

_TEXT_MOST: Final = 500
_PROFILES_MOST: Final = 200
_SPACE: Final = re.compile(r"\s+")
_PROFILE: Final = re.compile(r"[a-zA-Z0-9_.-]{1,256}")
_SOURCE: Final = "http://scap.nist.gov/schema/scap/source/1.2"
_XCCDF: Final = ("http://checklists.nist.gov/xccdf/1.2", "http://checklists.nist.gov/xccdf/1.1")
_ROOTS: Final[dict[str, Form]] = {
    f"{_SOURCE} data-stream-collection": "datastream",
    **{f"{one} Tailoring": "tailoring" for one in _XCCDF},
}
_UNFIT: Final = {
    "Benchmark": "This is a benchmark without its checks. Upload the datastream, which is called ssg-…-ds.xml",
    "TestResult": "This is the result of a scan, not a guide",
    "asset-report-collection": "This is the result of a scan, not a guide",
    "oval_definitions": "These are checks without a benchmark. Upload the datastream, which is called ssg-…-ds.xml",
}
#: CPE's maker and product of a system, and how guides for it are called; with its whole version, its major, or none.
_SYSTEMS: Final = {
    "debian:debian_linux": ("debian", "major"),
    "canonical:ubuntu_linux": ("ubuntu", "whole"),
    "redhat:enterprise_linux": ("rhel", "major"),
    "centos:centos": ("centos", "major"),
    "rocky:rocky": ("rl", "major"),
    "rocky:rocky_linux": ("rl", "major"),
    "almalinux:almalinux": ("almalinux", "major"),
    "oracle:linux": ("ol", "major"),
    "fedoraproject:fedora": ("fedora", ""),
    "suse:linux_enterprise_server": ("sle", "major"),
    "suse:linux_enterprise_desktop": ("sle", "major"),
    "opensuse:leap": ("opensuse", ""),
    "opensuse:opensuse": ("opensuse", ""),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """A choice of rules; ``extends`` names what a tailored one begins with."""

    id: str
    title: str
    extends: str = ""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a file says of itself.

    Attributes:
        platforms: CPE names of the systems it is for; ``systems`` says the same as guides are called (``debian12``).
        base: for a tailoring file, the file or the benchmark it names as what it changes.
        rules: how many there are; 0 when only the head was read.
    """

    form: Form
    benchmark: str
    title: str
    version: str
    platforms: tuple[str, ...]
    profiles: tuple[Profile, ...]
    rules: int
    base: str

    @property
    def systems(self) -> tuple[str, ...]:
        """Return how guides for its systems are called."""
        return tuple(dict.fromkeys(found for one in self.platforms if (found := system_of(one))))


def system_of(cpe: str) -> str:
    """Return how guides for a system are called, by its CPE name of either spelling; empty for what has none."""
    parts = cpe.strip().removeprefix("cpe:2.3:").removeprefix("cpe:/").split(":")
    if len(parts) < 3 or parts[0] != "o":  # noqa: PLR2004 (part, maker, product)
        return ""
    name, kept = _SYSTEMS.get(":".join(parts[1:3]).lower(), ("", ""))
    version = re.sub(r"[^0-9.]", "", parts[3]) if len(parts) > 3 else ""  # noqa: PLR2004 (then comes the version)
    if not name or (kept and not version):
        return ""
    return name + {"major": version.partition(".")[0], "whole": version.replace(".", "")}.get(kept, "")


class _Enough(Exception):
    """The head was read."""


@dataclass
class _Reader:
    """Takes what the parser meets.

    Attributes:
        open: the names of the elements around, without their namespaces.
        taking: where the text that comes belongs, with what came of it.
    """

    head_only: bool
    form: Form | None = None
    benchmark: str = ""
    title: str = ""
    version: str = ""
    base: str = ""
    rules: int = 0
    platforms: list[str] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    taking: list[str] | None = None

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if not self.open:
            self._root(name)
        space, _, local = name.rpartition(" ")
        around = self.open[-1] if self.open else ""
        self.open.append(local if space in _XCCDF else "")
        if space in _XCCDF:
            self._met(local, around, attributes)

    def _root(self, name: str) -> None:
        self.form = _ROOTS.get(name)
        if self.form is None:
            local = name.rpartition(" ")[2]
            raise BadGuide(reason=_UNFIT.get(local, f"This is neither a datastream nor a tailoring file: {local[:60]}"))

    def _met(self, local: str, around: str, attributes: dict[str, str]) -> None:
        if local == "Benchmark":
            self.benchmark = self.benchmark or attributes.get("id", "")[:256]
        elif local == "Rule":
            self.rules += 1
        elif local == "Profile":
            self._profile(attributes)
        elif local == "benchmark" and around == "Tailoring":
            self.base = (attributes.get("href") or attributes.get("id") or "")[:1000]
        elif local == "platform" and around == "Benchmark":
            self.platforms.append(attributes.get("idref", "")[:256])
        elif local in {"title", "version"} and around in {"Benchmark", "Profile", "Tailoring"}:
            self.taking = []
        if self.head_only and local in {"Group", "Rule"} and self.profiles:
            raise _Enough

    def _profile(self, attributes: dict[str, str]) -> None:
        name, extends = attributes.get("id", ""), attributes.get("extends", "")
        if not _PROFILE.fullmatch(name) or (extends and not _PROFILE.fullmatch(extends)):
            raise BadGuide(reason=f"A profile has a name that cannot be used: {name[:60]!r}")
        if len(self.profiles) >= _PROFILES_MOST:
            raise BadGuide(reason=f"It has more than {_PROFILES_MOST} profiles")
        if all(one.id != name for one in self.profiles):
            self.profiles.append(Profile(name, "", extends))

    def text(self, piece: str) -> None:
        if self.taking is not None:
            self.taking.append(piece[:_TEXT_MOST])
            del self.taking[_TEXT_MOST:]

    def end(self, name: str) -> None:  # noqa: ARG002 (the parser's shape)
        local = self.open.pop()
        if self.taking is None or local not in {"title", "version"}:
            return
        told = _SPACE.sub(" ", "".join(self.taking)).strip()[:_TEXT_MOST]
        self.taking, around = None, self.open[-1]
        if around == "Profile" and local == "title":
            last = self.profiles[-1]
            self.profiles[-1] = Profile(last.id, last.title or told, last.extends)
        elif local == "title":
            self.title = self.title or told
        elif around != "Profile":
            self.version = self.version or told[:60]

    def outline(self) -> Outline:
        if self.form is None:
            raise BadGuide(reason="It is empty")
        if not self.profiles:
            raise BadGuide(reason="It has no profile")
        named = tuple(Profile(one.id, one.title or one.id, one.extends) for one in self.profiles)
        title = self.title or (named[0].title if self.form == "tailoring" else self.benchmark)
        platforms = tuple(dict.fromkeys(self.platforms))
        return Outline(self.form, self.benchmark, title, self.version, platforms, named, self.rules, self.base)


def read(path: Path, *, head_only: bool = False) -> Outline:
    """Return what a file says of itself; blocks. ``head_only`` stops where the rules begin.

    Document types are refused before anything of them is read, and with them entities and what lies elsewhere.

    Raises:
        BadGuide: it is not such a file, not whole, or hostile; the text says which.
    """
    reader = _Reader(head_only)
    with suppress(_Enough):
        guide_xml.stream(path, reader)
    return reader.outline()


@lru_cache(maxsize=128)
def of_file(path: Path, size_bytes: int, modified_ns: int) -> Outline:  # noqa: ARG001 (they tell changed files apart)
    """Return what the head of a file of the server's own folder says; blocks the first time."""
    return read(path, head_only=True)


@lru_cache(maxsize=128)
def digest_of(path: Path, size_bytes: int, modified_ns: int) -> str:  # noqa: ARG001 (they tell changed files apart)
    """Return the SHA-256 of a file of the server's own folder; blocks the first time."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
