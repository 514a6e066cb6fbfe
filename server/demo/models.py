"""What a demonstration fleet is made of."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of package.

    Attributes:
        place: its line in the catalogue; the first ones are on every host.
        prone: security updates of it are usual.
    """

    place: int
    name: str
    version: str
    section: str
    prone: bool


@dataclass(frozen=True, slots=True)
class Release:
    """An operating system in one version.

    Attributes:
        share: its part of the fleet.
        revision: what follows a package's version there; ``{}`` is the number of the update.
        mirror: where its repositories are.
        suites: word for distribution, components and whether security updates come from there.
    """

    name: str
    os_type: str
    os_version: str
    share: float
    manager: str
    kernel: str
    revision: str
    mirror: str
    suites: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True, slots=True)
class Role:
    """What a host is for.

    Attributes:
        kinds: beginnings of the names of packages that only such hosts have.
    """

    name: str
    share: float
    title: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """One host before it is stored.

    Attributes:
        patched_days: days since its packages were last brought up to date; updates younger than that are missing.
        profile: which set of packages it has.
        cycle_days: every how many days it is patched, for the history.
    """

    uuid: str
    number: int
    name: str
    role: str
    site: str
    stage: str
    release: str
    profile: int
    patched_days: float
    cycle_days: int
    reported_at: datetime
    connected_at: datetime
    disconnected_at: datetime | None
    row: dict[str, object]


@dataclass(frozen=True, slots=True)
class Made:
    """How much there is."""

    hosts: int = 0
    packages: int = 0
    jobs: int = 0
    events: int = 0
    reports: int = 0
