"""What is shown of one host across rooms."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from server.packages.models import VersionChange

Kind = Literal["report", "check_in", "refused", "packages", "reboot", "job", "command", "deed"]
#: What the filter of the timeline offers: value, word, the kinds it shows.
SHOWS: Final[tuple[tuple[str, str, tuple[Kind, ...]], ...]] = (
    ("", "All", ("report", "refused", "packages", "reboot", "job", "command", "deed")),
    ("reports", "Reports", ("report", "refused", "check_in")),
    ("packages", "Packages", ("packages",)),
    ("reboots", "Reboots", ("reboot",)),
    ("jobs", "Jobs", ("job", "command")),
    ("deeds", "Changes", ("deed",)),
)


@dataclass(frozen=True, slots=True)
class Happening:
    """A line of the timeline; ``state`` is good, attention, bad or neutral."""

    at: datetime
    kind: str
    icon: str
    state: str
    title: str
    text: str = ""
    url: str = ""
    who: str = ""

    @property
    def direction(self) -> str:
        """Whether it came from the host (in), went to it (out), or happened here (server)."""
        return {"job": "out", "command": "out", "deed": "server"}.get(self.kind, "in")

    @property
    def status(self) -> str:
        """How it ended, in one word."""
        return {"bad": "failed", "good": "success", "attention": "cancelled"}.get(self.state, "info")

    @property
    def day(self) -> str:
        """The day it happened on, in UTC."""
        return self.at.strftime("%Y-%m-%d")


@dataclass(frozen=True, slots=True)
class Report:
    """A report of a host.

    Attributes:
        id: its number, unique among all hosts' reports.
        before_at: when the report before it came; ``None`` when that is not kept.
        packages: how many it told; ``None`` when it did not bring packages.
    """

    id: int
    at: datetime
    kind: str
    packages: int | None
    updates: int | None
    security: int | None
    payload_kb: float
    agent_ms: int
    server_ms: int
    error: str
    sections: list[str]
    before_at: datetime | None


@dataclass(frozen=True, slots=True)
class Difference:
    """How packages differ, counted and in full."""

    changes: list[VersionChange]

    @property
    def counts(self) -> list[tuple[str, int, str]]:
        """How many of each kind, as (word, number, state)."""
        kinds = [one.kind for one in self.changes]
        return [
            ("installed", kinds.count("installed"), "good"),
            ("upgraded", kinds.count("upgraded"), "good"),
            ("downgraded", kinds.count("downgraded"), "attention"),
            ("removed", kinds.count("removed"), "bad"),
        ]


@dataclass(frozen=True, slots=True)
class Peer:
    """Another host, and by how many packages it differs.

    Attributes:
        missing: it has them, this host has not.
        extra: this host has them, it has not.
        other: both have them, in different versions.
    """

    id: str
    name: str
    missing: int
    extra: int
    other: int

    @property
    def total(self) -> int:
        """All differences."""
        return self.missing + self.extra + self.other


@dataclass(frozen=True, slots=True)
class Deviation:
    """A package in which a host is not like others; an empty version is one that is not installed.

    Attributes:
        theirs: the version of the other host, or of most hosts.
        hosts: on how many of the compared hosts it is that version.
    """

    name: str
    ours: str
    theirs: str
    hosts: int = 1

    @property
    def kind(self) -> Literal["missing", "extra", "other"]:
        """What is different on this host."""
        if not self.ours:
            return "missing"
        return "other" if self.theirs else "extra"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A host against hosts like it.

    Attributes:
        alike: how many hosts run the same system, in the chosen group.
        compared: how many of them were compared.
    """

    alike: int
    compared: int
    peers: list[Peer]
    deviations: list[Deviation]


@dataclass(frozen=True, slots=True)
class Queued:
    """A line of the agent's queue: a command or a job; ``status`` as background work names them."""

    id: str
    title: str
    status: str
    state: str
    asked_by: str
    created_at: datetime
    finished_at: datetime | None
    error: str
    url: str = ""
