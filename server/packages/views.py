"""What lists of packages and repositories are asked for, and what a line of each of them shows."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Generic, NamedTuple, TypeVar

from server.core.paging import Window

Row = TypeVar("Row")

#: Which packages are wanted: those with updates, with security updates, with updates none of which is for security.
STATES: Final = ("outdated", "security", "regular")


@dataclass(frozen=True, slots=True)
class Asked:
    """A page of the fleet's packages.

    Attributes:
        state: one of ``STATES``, or empty for all.
        sort: name, installs, state, latest or category.
        host_id: only what this host has; repository_id: only what comes from this repository. Keys.
    """

    search: str = ""
    category: str = ""
    state: str = ""
    host_id: int | None = None
    repository_id: int | None = None
    sort: str = "name"
    direction: str = "asc"
    window: Window = field(default_factory=Window)

    @property
    def narrowed(self) -> bool:
        """Whether it leaves any package out."""
        return bool(self.search or self.category or self.state) or not (self.host_id is self.repository_id is None)


class Source(NamedTuple):
    """A repository packages come from."""

    id: str
    name: str
    url: str
    secure: bool

    @property
    def label(self) -> str:
        """Its name as people read it."""
        return display_name(self.name, self.url)


@dataclass(frozen=True, slots=True)
class PackageLine:
    """A package over all hosts that are seen."""

    id: str
    name: str
    description: str
    category: str
    latest_version: str
    installs: int
    outdated: int
    security: int
    sources: tuple[Source, ...] = ()

    @property
    def url(self) -> str:
        """Its page."""
        return f"/packages/{self.id}"


@dataclass(frozen=True, slots=True)
class FleetCounts:
    """The cards above the list: what matches, in numbers.

    Attributes:
        hosts: how many hosts are behind on any of these packages; ``hosts_at_most``: nobody counted them exactly.
        counted_at: when the numbers were counted; ``None``: just now.
    """

    packages: int
    installs: int
    outdated: int
    security: int
    hosts: int
    hosts_at_most: bool = False
    counted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """A page of rows with how many there are in all."""

    rows: list[Row]
    total: int


@dataclass(frozen=True, slots=True)
class PackageHead:
    """A package and its numbers over all hosts that are seen.

    Attributes:
        seen_at: when a host that has it was last heard of.
    """

    key: int
    name: str
    description: str
    category: str
    latest_version: str
    installs: int
    outdated: int
    security: int
    seen_at: datetime | None
    sources: tuple[Source, ...]

    @property
    def url(self) -> str:
        """Its page."""
        return f"/packages/{self.key}"


@dataclass(frozen=True, slots=True)
class PackageHost:
    """A host that has a package.

    Attributes:
        repository: the source as the host names it; ``source``, if that is a repository we know.
        outdated_since: since when something newer waits.
        kb, severity: what Windows says of an update.
        patchable: whether updates can be started from here.
    """

    id: str
    name: str
    hostname: str
    os: str
    current_version: str
    available_version: str
    needs_update: bool
    security: bool
    repository: str
    source: Source | None
    outdated_since: datetime | None
    kb: str
    severity: str
    seen_at: datetime | None
    patchable: bool


class Passed(NamedTuple):
    """Something that happened to a package on a host."""

    at: datetime
    host_id: str
    host_name: str
    from_version: str
    to_version: str
    kind: str
    security: bool


@dataclass(frozen=True, slots=True)
class RepositoriesAsked:
    """A page of repositories.

    Attributes:
        security: secure, insecure or empty; state: active, inactive or empty.
        sort: name, url, distribution, security, state or hosts.
        host_id: only what this host uses, by its key.
    """

    search: str = ""
    security: str = ""
    state: str = ""
    host_id: int | None = None
    sort: str = "name"
    direction: str = "asc"
    window: Window = field(default_factory=Window)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository over all hosts that are seen.

    Attributes:
        active: nobody switched it off here, and at least one host has it enabled.
        seen_at: when a host that uses it was last heard of; only known of one that was looked up by itself.
    """

    key: int
    id: str
    name: str
    url: str
    distribution: str
    components: str
    repo_type: str
    description: str
    secure: bool
    active: bool
    switched_off: bool
    priority: int | None
    hosts: int
    created_at: datetime
    updated_at: datetime
    seen_at: datetime | None = None

    @property
    def label(self) -> str:
        """Its name as people read it."""
        return display_name(self.name, self.url)

    @property
    def page(self) -> str:
        """The address of its page."""
        return f"/repositories/{self.id}"


class RepositoryCounts(NamedTuple):
    """The cards above the list of repositories.

    Attributes:
        links: how many times a host has one enabled.
    """

    total: int
    active: int
    secure: int
    links: int

    @property
    def score(self) -> int:
        """How many of a hundred are secure; none while there is no repository."""
        return round(100 * self.secure / self.total) if self.total else 0


@dataclass(frozen=True, slots=True)
class RepositoryHost:
    """A host that uses a repository."""

    id: str
    name: str
    hostname: str
    ip: str
    os: str
    enabled: bool
    priority: int | None
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Words:
    """What a person says of a package; ``None`` leaves a part as it is, and where nothing is said reports say it."""

    description: str | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """What a person changes of a repository's record; ``None`` leaves a part as it is.

    Attributes:
        sets_priority: whether ``priority`` counts; then nothing takes a priority away.
    """

    name: str | None = None
    description: str | None = None
    active: bool | None = None
    priority: int | None = None
    sets_priority: bool = False


_KINDS: Final = ("deb-src-", "deb-")


def display_name(name: str, url: str) -> str:
    """Return a repository's name as people read it: without the kind of line it was, its address if it has none."""
    for kind in _KINDS:
        if name.startswith(kind):
            return name.removeprefix(kind) or name
    return name or url
