"""Every host in one answer for programs: thousands of lines, made into JSON beside the loop."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson

from server.core.call import Call
from server.core.loop import in_thread
from server.hosts import fleet
from server.hosts.listed import Listed
from server.hosts.queries import plain

Row = dict[str, Any]
_Rows = list[Row]
_NO_GROUPS: Final = orjson.Fragment("[]")
_NO_TAGS: Final = orjson.Fragment("{}")


async def everything(call: Call) -> bytes:
    """Return every host that the asker sees, with what tells it apart and what it needs, as JSON."""
    times = await fleet.times(call)
    rows, sets, marks = await asyncio.gather(
        plain.list_plain(call.db, call.actor.scope, times[0]),
        plain.list_sets(call.db),
        plain.list_group_marks(call.db, call.actor.scope),
    )
    return await in_thread(_written, rows, sets, marks)


async def matching(call: Call, asked: Listed) -> bytes:
    """Return every host that matches as JSON, with the fields of the list of hosts."""
    times, stale_before = await fleet.times(call), await fleet.stale_before(call)
    rows, sets, marks = await asyncio.gather(
        plain.list_listed(call.db, call.actor.scope, asked, times, stale_before),
        plain.list_sets(call.db),
        plain.list_group_marks(call.db, call.actor.scope),
    )
    return await in_thread(_written, rows, sets, marks, _known_by_more_names)


def _written(rows: _Rows, sets: Mapping[int, str], marks: _Rows, told: Callable[[Row], None] | None = None) -> bytes:
    spelled = _spelled(set(sets.values()), marks)
    for row in rows:
        keys = sets.get(row.pop("key"))
        row["host_groups"] = _NO_GROUPS if keys is None else spelled[keys]
        if told is not None:
            told(row)
    return orjson.dumps(rows, option=orjson.OPT_APPEND_NEWLINE)


def _known_by_more_names(row: Row) -> None:
    """Several programs know the same number by different names."""
    row["effective_status"] = status = row["status"]
    row["isStale"] = status == "inactive"
    row["updatesCount"] = row["updates_count"]
    row["securityUpdatesCount"] = row["security_updates_count"]
    row["totalPackagesCount"] = row["total_packages"]
    row["tags"] = _NO_TAGS if row["tags"] == "{}" else orjson.Fragment(row["tags"])


def _spelled(sets: Iterable[str], marks: _Rows) -> dict[str, orjson.Fragment]:
    """Return each set of groups; groups that the asker does not see are left out."""
    shown = {mark.pop("key"): mark for mark in marks}
    return {keys: orjson.Fragment(orjson.dumps([shown[key] for key in _in_order(keys, shown)])) for keys in sets}


def _in_order(keys: str, shown: Mapping[int, object]) -> list[int]:
    held = {int(key) for key in keys.strip("{}").split(",") if key}
    return [key for key in shown if key in held]
