"""Every host in one answer for programs: thousands of lines, made into JSON beside the loop."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from server.core.call import Call
from server.core.loop import in_thread
from server.hosts import fleet
from server.hosts.listed import Listed
from server.hosts.queries import plain

_Rows = list[dict[str, Any]]
_NO_TAGS: Final = orjson.Fragment("{}")


async def everything(call: Call) -> bytes:
    """Return every host that the asker sees, with what tells it apart and what it needs, as JSON."""
    rows = await plain.list_plain(call.db, call.actor.scope, (await fleet.times(call))[0])
    marks = await plain.list_group_marks(call.db, call.actor.scope)
    return await in_thread(_written, rows, marks)


async def matching(call: Call, asked: Listed) -> bytes:
    """Return every host that matches as JSON, with the fields of the list of hosts."""
    rows = await plain.list_listed(
        call.db, call.actor.scope, asked, await fleet.times(call), await fleet.stale_before(call)
    )
    marks = await plain.list_group_marks(call.db, call.actor.scope)
    return await in_thread(_written, rows, marks)


def _written(rows: _Rows, marks: _Rows) -> bytes:
    sets = _sets(rows, marks)
    for row in rows:
        row["host_groups"] = sets[row["host_groups"]]
        if "tags" in row:
            row["tags"] = _NO_TAGS if row["tags"] == "{}" else orjson.Fragment(row["tags"])
    return orjson.dumps(rows, option=orjson.OPT_APPEND_NEWLINE)


def _sets(rows: Sequence[Mapping[str, Any]], marks: _Rows) -> dict[str, orjson.Fragment]:
    """Return each set of groups that is in use; groups that the asker does not see are left out."""
    shown = {mark.pop("key"): mark for mark in marks}
    return {
        keys: orjson.Fragment(orjson.dumps([shown[key] for key in _in_order(keys, shown)]))
        for keys in {row["host_groups"] for row in rows}
    }


def _in_order(keys: str, shown: Mapping[int, object]) -> list[int]:
    held = {int(key) for key in keys.strip("{}").split(",") if key}
    return [key for key in shown if key in held]
