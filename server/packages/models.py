"""What hosts report about packages and repositories, and what is kept of it."""

from datetime import datetime
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from server.packages.versions import is_newer

Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]


class ReportedPackage(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One package as agents send it; the order and the wire names of the fields are those of the section hash."""

    name: str = ""
    description: str = ""
    category: str = ""
    current_version: str = ""
    available_version: str = ""
    needs_update: bool = False
    is_security_update: bool = False
    source_repository: str = ""
    wua_guid: str = ""
    wua_kb: str = ""
    wua_severity: str = ""
    wua_categories: list[str] | None = None
    wua_support_url: str = ""
    wua_revision_number: Int32 = 0


class ReportedRepository(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One package source as agents send it."""

    name: str = ""
    url: str = ""
    distribution: str = ""
    components: str = ""
    repo_type: str = ""
    is_enabled: bool = False
    is_secure: bool = False


class StoredRepository(NamedTuple):
    """A repository a host uses, as far as a package's source is resolved by it."""

    id: int
    name: str
    url: str
    distribution: str
    components: str


class Stored(NamedTuple):
    """What is kept of a host: its packages' ids and fingerprints in the same order, and its repositories."""

    package_ids: list[int]
    fingerprints: list[int]
    repositories: list[StoredRepository]


class Change(NamedTuple):
    """How a host's rows must change to be what it reported."""

    written: "list[Row]"
    gone: list[int]


class Row(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A package of a host as it is written; short names because thousands travel at once."""

    n: str
    f: int
    c: str = ""
    a: str = ""
    d: str = ""
    g: str = ""
    u: bool = False
    s: bool = False
    o: str = ""
    r: int | None = None
    w: "Windows | None" = None


class Windows(msgspec.Struct, frozen=True, gc=False):
    """What only Windows updates have."""

    guid: str
    kb: str
    severity: str
    categories: list[str] | None
    support_url: str
    revision_number: int


#: A reported package under the name it is stored by, with the repository it comes from.
Marked = tuple[str, ReportedPackage, int | None]


class Counts(NamedTuple):
    """A host's counts after duplicates were removed."""

    packages: int
    updates: int
    security: int


class PackageRow(NamedTuple):
    """A line of a host's packages page.

    Attributes:
        outdated_since: since when something newer waits.
        kb, severity: what Windows says of an update.
    """

    id: str
    name: str
    current_version: str
    available_version: str
    needs_update: bool
    security: bool
    repository: str
    description: str
    outdated_since: datetime | None
    repository_id: str
    kb: str
    severity: str


class RepositoryRow(NamedTuple):
    """A line of a host's repositories page."""

    id: str
    name: str
    url: str
    distribution: str
    components: str
    repo_type: str
    enabled: bool
    secure: bool


class VersionChange(NamedTuple):
    """How a package of a host differs between two moments; an empty version is one that was not installed.

    Attributes:
        security: a security update was waiting for it before.
    """

    name: str
    from_version: str
    to_version: str
    security: bool

    @property
    def kind(self) -> Literal["installed", "removed", "upgraded", "downgraded"]:
        """What happened to it."""
        if not self.from_version:
            return "installed"
        if not self.to_version:
            return "removed"
        return "upgraded" if is_newer(self.to_version, self.from_version) else "downgraded"


class Installed(NamedTuple):
    """A package and the version that was installed."""

    name: str
    version: str
