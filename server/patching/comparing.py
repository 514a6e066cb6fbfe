"""What a dry run said against what the run did."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from server.patching.recorded import Difference, Part


def parts(rows: Iterable[Mapping[str, Any]]) -> list[Part]:
    """Read the packages of a transaction as they are stored; what has no name is no package."""
    return [
        Part(str(row["name"]), _text(row, "from"), _text(row, "to"), _text(row, "action") or "upgrade")
        for row in rows
        if isinstance(row, Mapping) and row.get("name")
    ]


def differences(planned: Sequence[Part], done: Sequence[Part]) -> list[Difference]:
    """Return every package that was planned and not done, done and not planned, or done otherwise; by name.

    The version that was there before does not count: it may have changed between the two, with the same end.
    """
    before, after = {one.name: one for one in planned}, {one.name: one for one in done}
    found = []
    for name in sorted(before.keys() | after.keys()):
        said, did = before.get(name), after.get(name)
        if said is None or did is None or (said.after, said.action) != (did.after, did.action):
            found.append(Difference(name, said, did))
    return found


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    return "" if value is None else str(value)
