"""Every host in one answer for programs: thousands of lines, made into JSON beside the loop."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from server.core.call import Call
from server.core.loop import in_thread
from server.hosts import fleet, patched
from server.hosts.listed import Listed
from server.hosts.queries import plain

_AS_WRITTEN: Final = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z

_Rows = list[dict[str, Any]]
#: The text of a set of keys, and the groups in it as JSON.
_Sets = dict[str, orjson.Fragment]


async def everything(call: Call) -> bytes:
    """Return every host that the asker sees, with what tells it apart and what it needs, as JSON."""
    rows = await plain.list_plain(call.db, call.actor.scope, (await fleet.times(call))[0])
    marks = await plain.list_group_marks(call.db, call.actor.scope)
    return await in_thread(_plain, rows, marks)


async def matching(call: Call, asked: Listed) -> bytes:
    """Return every host that matches as JSON, with the fields of the list of hosts."""
    rows = await plain.list_listed(call.db, call.actor.scope, asked, await fleet.times(call))
    marks = await plain.list_group_marks(call.db, call.actor.scope)
    return await in_thread(_listed, rows, marks, await fleet.stale_before(call))


def _plain(rows: _Rows, marks: _Rows) -> bytes:
    sets = _sets(rows, marks)
    for row in rows:
        row["host_groups"] = sets[row["host_groups"]]
    return orjson.dumps(rows, option=_AS_WRITTEN)


def _listed(rows: _Rows, marks: _Rows, unpatched: datetime) -> bytes:
    sets = _sets(rows, marks)
    return orjson.dumps([_told(row, sets, unpatched) for row in rows], option=_AS_WRITTEN)


def _told(row: dict[str, Any], sets: _Sets, unpatched: datetime) -> dict[str, Any]:
    status = row["status"]
    row.update(patched.as_json(patched.taken(row, unpatched, joined=status != "pending")))
    row["effective_status"], row["isStale"] = status, status == "inactive"
    row["updatesCount"], row["securityUpdatesCount"] = row["updates_count"], row["security_updates_count"]
    row["totalPackagesCount"] = row["total_packages"]
    row["host_groups"], row["tags"] = sets[row["host_groups"]], orjson.Fragment(row["tags"])
    return row


def _sets(rows: Sequence[Mapping[str, Any]], marks: _Rows) -> _Sets:
    """Return each set of groups that is in use; groups that the asker does not see are left out."""
    shown = {mark.pop("key"): mark for mark in marks}
    return {
        keys: orjson.Fragment(orjson.dumps([shown[key] for key in _in_order(keys, shown)]))
        for keys in {row["host_groups"] for row in rows}
    }


def _in_order(keys: str, shown: Mapping[int, object]) -> list[int]:
    held = {int(key) for key in keys.strip("{}").split(",") if key}
    return [key for key in shown if key in held]
