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


def packages_hash(packages: Sequence[ReportedPackage]) -> str:
    """Return the section hash of packages as they were received.

    Nearly every inventory is already in its normal form; then the hashed bytes are what the encoder writes, an eighth
    of the
    time of building them field by field. Anything else goes the long way.
    """
    if any(_is_ragged(package) for package in packages):
        return _packages_hash_at_length(packages)
    chosen = sorted({package.name: package for package in packages}.values(), key=_name)
    text = _ENCODER.encode(chosen)
    if not text.isascii() and not unicodedata.is_normalized("NFC", text.decode()):
        return _packages_hash_at_length(packages)
    # Only texts can hold these characters, so replacing them in the finished JSON is safe.
    text = text.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
    text = text.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return hashlib.sha256(text).hexdigest()


def _name(package: ReportedPackage) -> str:
    return package.name


def _is_ragged(package: ReportedPackage) -> bool:
    # str.strip() removes a little more than the contract; what it leaves alone needs no trimming for certain.
    return (
        package.name.strip() != package.name
        or package.description.strip() != package.description
        or package.current_version.strip() != package.current_version
        or package.available_version.strip() != package.available_version
        or package.source_repository.strip() != package.source_repository
        or package.category.strip() != package.category
        or bool(package.wua_guid or package.wua_kb or package.wua_severity or package.wua_support_url)
        or package.wua_categories is not None
    )


def _packages_hash_at_length(packages: Sequence[ReportedPackage]) -> str:
    return hashes.packages_hash([msgspec.to_builtins(package) for package in packages])


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


def marked(reported: Iterable[ReportedPackage], resolver: Resolver) -> dict[int, Marked]:
    """Return a host's packages by fingerprint; of those with the same name the last counts."""
    chosen: dict[str, ReportedPackage] = {}
    for package in reported:
        if name := clean(package.name, _NAME_BYTES):
            chosen[name] = package
    lines = _ENCODER.encode_lines(chosen.values()).split(b"\n")
    resolve = resolver.repository_of
    found = {}
    for (name, package), line in zip(chosen.items(), lines, strict=False):
        repository = resolve(package.source_repository)
        found[_fingerprint(line, repository)] = Marked(name, package, repository)
    return found


def _fingerprint(line: bytes, repository: int | None) -> int:
    # The line holds the name: two of 1,500 packages share their 64 bits by a chance of one in 10^13.
    text = line if repository is None else b"%s %d" % (line, repository)
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big", signed=True)


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
    gone = [package for package, fingerprint in zip(*stored, strict=True) if fingerprint not in wanted]
    return Change(written, gone)


def _row(fingerprint: int, one: Marked) -> Row:
    package = one.package
    return Row(
        n=one.name,
        f=fingerprint,
        c=clean(package.current_version, _VERSION_BYTES),
        a=clean(package.available_version, _VERSION_BYTES),
        d=clean(package.description),
        g=clean(package.category, _PART_BYTES),
        u=package.needs_update,
        s=package.is_security_update,
        o=clean(package.source_repository, _PART_BYTES),
        r=one.repository_id,
        w=_windows(package),
    )


def counts_of(wanted: Mapping[int, Marked]) -> Counts:
    """Return a host's counts."""
    updates = sum(one.package.needs_update for one in wanted.values())
    security = sum(one.package.is_security_update for one in wanted.values())
    return Counts(len(wanted), updates, security)
