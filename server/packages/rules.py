"""Pure work on whole inventories: their hash, cleaning, where packages come from, what differs from what is stored."""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from agent.protocol import hashes
from server.packages.models import (
    Change,
    Counts,
    Marked,
    ReportedPackage,
    ReportedRepository,
    Row,
    Stored,
    StoredRepository,
    Windows,
)

_ENCODER: Final = msgspec.json.Encoder()
#: Sources that name no repository.
_NO_REPOSITORY: Final = frozenset({"", "local", "unknown", "foreign", "@System"})

# PostgreSQL's indexes take at most some 2,700 bytes; real names and URLs are far below these limits.
_NAME_BYTES: Final = 400
_VERSION_BYTES: Final = 400
_TEXT_BYTES: Final = 8000
_URL_BYTES: Final = 1400
_PART_BYTES: Final = 500


class Inventory:
    """A host's packages as it reported them: each name once, the last counting, written out once for hash and rows."""

    def __init__(self, reported: Sequence[ReportedPackage]) -> None:
        self._reported = reported
        self._chosen: dict[str, ReportedPackage] = {}
        for package in reported:
            if name := clean(package.name, _NAME_BYTES):
                self._chosen[name] = package
        self._lines = _ENCODER.encode_lines(self._chosen.values()).split(b"\n")[:-1]

    def section_hash(self) -> str:
        """Return the section hash of the packages as they were received, before any cleaning.

        Nearly every inventory is already in its normal form; then the hashed bytes are what the encoder writes, an
        eighth of the time of building them field by field. Anything else goes the long way.
        """
        if self._is_ragged():
            return hashes.packages_hash([msgspec.to_builtins(package) for package in self._reported])
        order = sorted(zip(self._chosen, self._lines, strict=True))
        text = b"[" + b",".join([line for _, line in order]) + b"]"
        # Only texts can hold these characters, so replacing them in the finished JSON is safe.
        text = text.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
        text = text.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
        return hashlib.sha256(text).hexdigest()

    def _is_ragged(self) -> bool:
        if any(map(_needs_care, self._reported)) or any(name != one.name for name, one in self._chosen.items()):
            return True
        wide = b"".join([line for line in self._lines if not line.isascii()])
        return not unicodedata.is_normalized("NFC", wide.decode())

    def counts(self) -> Counts:
        """Return the host's counts."""
        updates = sum([package.needs_update for package in self._chosen.values()])
        security = sum([package.is_security_update for package in self._chosen.values()])
        return Counts(len(self._chosen), updates, security)

    def marked(self, resolver: "Resolver") -> dict[int, Marked]:
        """Return the packages by fingerprint, which covers the whole row and its repository.

        Two of 1,500 packages share their 64 bits by a chance of one in 10^13.
        """
        resolve, digest, number = resolver.repository_of, hashlib.blake2b, int.from_bytes
        found = {}
        for (name, package), line in zip(self._chosen.items(), self._lines, strict=True):
            repository = resolve(package.source_repository)
            text = line if repository is None else b"%s %d" % (line, repository)
            found[number(digest(text, digest_size=8).digest(), signed=True)] = (name, package, repository)
        return found


def _needs_care(one: ReportedPackage) -> bool:
    # str.strip() removes a little more than the contract; what it leaves alone needs no trimming for certain.
    return (
        not one.name
        or one.name.strip() != one.name
        or one.description.strip() != one.description
        or one.current_version.strip() != one.current_version
        or one.available_version.strip() != one.available_version
        or one.source_repository.strip() != one.source_repository
        or one.category.strip() != one.category
        or one.wua_categories is not None
        or bool(one.wua_guid or one.wua_kb or one.wua_severity or one.wua_support_url)
    )


def repositories_hash(repositories: Sequence[ReportedRepository]) -> str:
    """Return the section hash of repositories as they were received."""
    return hashes.repositories_hash([msgspec.to_builtins(repository) for repository in repositories])


def clean(text: str, most_bytes: int = _TEXT_BYTES) -> str:
    """Return text that PostgreSQL stores: without U+0000, cut to a length no real value has."""
    if "\0" in text:
        text = text.replace("\0", "")
    if len(text) * 4 > most_bytes and len(raw := text.encode()) > most_bytes:
        return raw[:most_bytes].decode(errors="ignore")
    return text


def clean_repositories(reported: Iterable[ReportedRepository]) -> list[ReportedRepository]:
    """Return the repositories as they are stored; of those with the same address the first counts."""
    found: dict[tuple[str, str, str], ReportedRepository] = {}
    for one in reported:
        cleaned = ReportedRepository(
            name=clean(one.name, _NAME_BYTES),
            url=clean(one.url, _URL_BYTES),
            distribution=clean(one.distribution, _PART_BYTES),
            components=clean(one.components, _PART_BYTES),
            repo_type=clean(one.repo_type, _PART_BYTES),
            is_enabled=one.is_enabled,
            is_secure=one.is_secure,
        )
        if cleaned.url:
            found.setdefault((cleaned.url, cleaned.distribution, cleaned.components), cleaned)
    return list(found.values())


class Resolver:
    """Finds the repository a package's source names."""

    def __init__(self, repositories: Iterable[StoredRepository]) -> None:
        self._by_name: dict[str, int] = {}
        self._by_address: dict[tuple[str, str, str], int] = {}
        self._by_components: dict[str, int] = {}
        self._known: dict[str, int | None] = dict.fromkeys(_NO_REPOSITORY)
        for one in repositories:
            self._by_name.setdefault(one.name, one.id)
            self._by_components.setdefault(one.components, one.id)
            for component in (one.components, *one.components.split()):
                self._by_address.setdefault((one.url.rstrip("/"), one.distribution, component), one.id)

    def repository_of(self, source: str) -> int | None:
        """Return its id: by name, else as ``URL suite/component``, else by the components."""
        if source not in self._known:
            self._known[source] = self._look_up(source)
        return self._known[source]

    def _look_up(self, source: str) -> int | None:
        if source in self._by_name:
            return self._by_name[source]
        url, _, rest = source.partition(" ")
        # A suite may hold a slash itself (bookworm/updates), a component never does.
        suite, _, component = rest.rpartition("/")
        found = self._by_address.get((url.rstrip("/"), suite or rest, component))
        return found if found is not None else self._by_components.get(source)


def _windows(package: ReportedPackage) -> Windows | None:
    if not (package.wua_guid or package.wua_kb):
        return None
    return Windows(
        guid=clean(package.wua_guid, _PART_BYTES),
        kb=clean(package.wua_kb, _PART_BYTES),
        severity=clean(package.wua_severity, _PART_BYTES),
        categories=[clean(one, _PART_BYTES) for one in package.wua_categories] if package.wua_categories else None,
        support_url=clean(package.wua_support_url, _URL_BYTES),
        revision_number=package.wua_revision_number,
    )


def difference(stored: Stored, wanted: Mapping[int, Marked]) -> Change:
    """Return what must be written and what must go for the stored rows to be the wanted ones."""
    kept = set(stored.fingerprints)
    written = [_row(fingerprint, one) for fingerprint, one in wanted.items() if fingerprint not in kept]
    gone = [
        package
        for package, fingerprint in zip(stored.package_ids, stored.fingerprints, strict=True)
        if fingerprint not in wanted
    ]
    return Change(written, gone)


def _row(fingerprint: int, one: Marked) -> Row:
    name, package, repository = one
    return Row(
        n=name,
        f=fingerprint,
        c=clean(package.current_version, _VERSION_BYTES),
        a=clean(package.available_version, _VERSION_BYTES),
        d=clean(package.description),
        g=clean(package.category, _PART_BYTES),
        u=package.needs_update,
        s=package.is_security_update,
        o=clean(package.source_repository, _PART_BYTES),
        r=repository,
        w=_windows(package),
    )
