"""What goes through the letterbox."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from server.hosts.models import Facts, Hashes, Interface
from server.packages.models import ReportedPackage, ReportedRepository

Item = TypeVar("Item")

#: Sections a report may claim; docker and compliance have their own doors.
CLAIMABLE: Final = ("packages", "repos", "interfaces", "hostname")
MOST_PACKAGES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a body arrived: when its handling began on the monotonic clock, and its size."""

    began_seconds: float
    size_bytes: int

    @property
    def size_kb(self) -> float:
        """The size as the history shows it."""
        return round(self.size_bytes / 1024, 2)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a report."""

    processed: int
    updates: int
    security: int


@dataclass(frozen=True, slots=True)
class Sealed(Generic[Item]):
    """A list of a report that is still bytes; ``open`` raises ``BadReport`` when it is not what it should be."""

    raw: bytes
    open: Callable[[], list[Item]]

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing; told without opening it."""
        return self.raw.strip(b"[] \t\r\n") == b""

    @property
    def digest(self) -> str:
        """What names exactly these bytes."""
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True, slots=True)
class ReportedInterface:
    """An interface as it is stored and as it was hashed."""

    interface: Interface
    hashed: dict[str, object]


@dataclass(frozen=True, slots=True)
class Parcel:
    """A report at the door: ``sections`` is ``None`` for a full one, ``facts`` are those of a full one."""

    sections: tuple[str, ...] | None
    hashes: Hashes
    facts: Facts
    packages: Sealed[ReportedPackage]
    repositories: Sealed[ReportedRepository]
    interfaces: Sealed[ReportedInterface]
    hostname: str
    agent_ms: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What a report delivers."""

    full: bool
    sections: frozenset[str]

    def has(self, section: str) -> bool:
        """Whether this section is delivered."""
        return section in self.sections


@dataclass(frozen=True, slots=True)
class PingAnswer:
    """The answer to a check-in."""

    name: str
    docker: bool
    compliance: bool
    wanted: tuple[str, ...] | None
