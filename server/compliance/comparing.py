"""Two scans beside each other: what got better, what got worse; and a host beside a group."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from server.compliance import fleet_report, running, service
from server.compliance.errors import BadRequest, NeverScanned
from server.compliance.models import Sought
from server.core.call import Call

Change = Literal["worse", "better", "new", "gone", "other"]
_ORDER: Final[tuple[Change, ...]] = ("worse", "better", "new", "gone", "other")
_MOST_RULES: Final = 10_000
_AS_REQUIRED: Final = frozenset("pn")
_WANTING: Final = frozenset("fwe")


@dataclass(frozen=True, slots=True)
class Difference:
    """A rule that stands differently; ``before`` or ``after`` is empty where that scan did not look at it."""

    ref: str
    rule_id: str
    title: str
    severity: str
    before: str
    after: str
    change: Change


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two scans, and where they differ, the worst first; ``same`` rules stand alike in both."""

    first: dict[str, Any]
    second: dict[str, Any]
    differences: list[Difference]
    same: int

    def count(self, change: Change) -> int:
        """Return how many rules changed that way."""
        return sum(1 for one in self.differences if one.change == change)


async def compare(call: Call, first: str, second: str) -> Comparison:
    """Compare two scans of the same scanner, of one host or of two; raises ``ScanMissing`` or ``BadRequest``."""
    one, other = await service.scan(call, first), await service.scan(call, second)
    if one["kind"] != other["kind"]:
        raise BadRequest.of({"second": "Scans of two scanners look at different rules: choose two of the same"})
    before, after = [
        {row["ref"]: row for row in (await service.results(call, scan["id"], Sought(limit=_MOST_RULES)))[0]}
        for scan in (one, other)
    ]
    found = [
        _difference(ref, before.get(ref), after.get(ref))
        for ref in sorted(before.keys() | after.keys())
        if before.get(ref, {}).get("state") != after.get(ref, {}).get("state")
    ]
    found.sort(key=lambda line: _ORDER.index(line.change))
    return Comparison(one, other, found, len(before.keys() | after.keys()) - len(found))


def _difference(ref: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> Difference:
    row = after or before or {}
    was, now = (before or {}).get("state", ""), (after or {}).get("state", "")
    return Difference(ref, row["rule_id"], row["title"], row["severity"], was, now, change_of(was, now))


def change_of(before: str, after: str) -> Change:
    """Return what a change from one letter to another is; an empty one: that scan did not look at the rule."""
    if not before:
        return "new"
    if not after:
        return "gone"
    if before in _WANTING and after in _AS_REQUIRED:
        return "better"
    return "worse" if before in _AS_REQUIRED and after in _WANTING else "other"


Side = Literal["worse", "better", "alike"]
_SIDES: Final[tuple[Side, ...]] = ("worse", "better", "alike")
_HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class Beside:
    """A rule on a host and in a group.

    Attributes:
        state: its letter on the host.
        good, hosts: on how many hosts of the group it is as required, of those that it was looked at.
        side: whether the host stands worse or better than most of them.
    """

    ref: str
    rule_id: str
    title: str
    severity: str
    state: str
    good: int
    hosts: int
    side: Side


@dataclass(frozen=True, slots=True)
class GroupComparison:
    """A host's newest scan beside the newest scans of a group, where they differ most first."""

    scan: dict[str, Any]
    group: str
    average: float | None
    lines: list[Beside]

    def count(self, side: Side) -> int:
        """Return on how many rules the host stands so."""
        return sum(1 for one in self.lines if one.side == side)


async def with_group(call: Call, host: str, group: str, kind: str = "openscap") -> GroupComparison:
    """Hold a host's newest scan by a scanner against those of a group's hosts.

    Raises:
        HostMissing, GroupMissing: there is none, or it is not among the asker's.
        NeverScanned: the host never completed such a scan.
        BadRequest: no group is named.
    """
    one = await running.target(call, host)
    if not group:
        raise BadRequest.of({"group": "Name the group that the host is held against"})
    scan = next((each for each in await service.latest(call, one.uuid) if each["kind"] == kind), None)
    asked, name = await fleet_report.about(call, group)
    if scan is None:
        raise NeverScanned(host=one.name)
    mine, _ = await service.results(call, scan["id"], Sought(limit=_MOST_RULES))
    theirs = {row["ref"]: row for row in (await service.rule_list(asked, Sought(kind=kind, limit=_MOST_RULES)))[0]}
    lines = [_beside(row, theirs[row["ref"]]) for row in mine if theirs.get(row["ref"], {}).get("total")]
    lines.sort(key=lambda line: (_SIDES.index(line.side), -abs(line.good / line.hosts - (line.side == "better"))))
    board = await service.fleet(asked, kind)
    return GroupComparison(scan, name, board.summary["average_score"], lines)


def _beside(row: dict[str, Any], group: dict[str, Any]) -> Beside:
    good, hosts = group["passed"] + group["not_applicable"], group["total"]
    return Beside(
        row["ref"], row["rule_id"], row["title"], row["severity"], row["state"], good, hosts,
        side_of(row["state"], good, hosts),
    )  # fmt: skip


def side_of(state: str, good: int, hosts: int) -> Side:
    """Return how a host with this letter stands beside a group of which so many hosts are as required."""
    share = good / hosts
    if state in _WANTING and share > _HALF:
        return "worse"
    return "better" if state in _AS_REQUIRED and share < _HALF else "alike"
