"""Two scans beside each other: what got better, what got worse."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from server.compliance import service
from server.compliance.errors import BadRequest
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
