"""The list of hosts for people's programs: parts of it, its numbers, what it can be narrowed by, and files of it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from aiohttp import web

from server.core.call import Call
from server.core.errors import Refused
from server.core.ids import is_uuid
from server.hosts import fleet, patched, table, whole
from server.hosts.bulk import ids_of
from server.hosts.listed import HostRow, Listed
from server.web.compression import packed
from server.web.exports import Row, send_csv, send_json
from server.web.forms import BadBody, query_number
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated
from server.web.tables import parse

routes: Final = Routes()

_FILTERS: Final = (
    "search",
    "group",
    "status",
    "os",
    "osVersion",
    "filter",
    "connection",
    "tag",
    "package",
    "repo",
    "selected",
    "reboot",
    "hideStale",
    "unpatched_days",
    "sort",
    "order",
)
_COLUMNS: Final = (
    "id",
    "friendly_name",
    "hostname",
    "ip",
    "groups",
    "tags",
    "os_type",
    "os_version",
    "agent_version",
    "auto_update",
    "connected",
    "secure",
    "status",
    "needs_reboot",
    "reboot_reason",
    "updates_count",
    "security_updates_count",
    "total_packages",
    "last_update",
    "created_at",
    "last_patched_at",
    "last_patch_status",
    "patch_failures",
    "patch_failure_cause",
)
_MOST: Final = 10_000
_TRUE: Final = frozenset({"true", "1", "yes"})


async def _asked(request: web.Request) -> Listed:
    """Return what the query asks for, in the words of the page or in those of other programs."""
    query = table.known(request.query)
    if query.get("group") and not is_uuid(query["group"]):
        query["group"] = {"ungrouped": "none"}.get(query["group"].lower(), query["group"])
    if query.get("reboot", "").lower() in _TRUE and not query.get("filter"):
        query["filter"] = "reboot"
    asked = call(request)
    wanted = parse(await table.described(asked, query), query)
    if wanted.complaints:
        raise BadBody(dict(wanted.complaints))
    found = await table.listed(asked, wanted)
    chosen = [one for one in query.get("selected", "").split(",") if one]
    return replace(found, selected=ids_of(chosen)) if chosen else found


def as_json(row: HostRow) -> dict[str, object]:
    """Return a line of the list as programs get it."""
    return {
        "id": row.id,
        "friendly_name": row.name,
        "hostname": row.hostname,
        "ip": row.ip,
        "api_id": row.api_id,
        "os_type": row.os,
        "os_version": row.os_version,
        "agent_version": row.agent_version,
        "auto_update": row.auto_update,
        "connected": row.online,
        "secure": row.online and row.secure,
        "status": row.status,
        "effective_status": row.status,
        "isStale": row.status == "inactive",
        "needs_reboot": row.needs_reboot,
        "reboot_reason": row.reboot_reason,
        "updatesCount": row.updates,
        "updates_count": row.updates,
        "securityUpdatesCount": row.security,
        "security_updates_count": row.security,
        "totalPackagesCount": row.packages,
        "total_packages": row.packages,
        "last_update": row.last_seen_at,
        "created_at": row.created_at,
        "host_groups": [{"id": one.id, "name": one.name, "color": one.color} for one in row.groups],
        "tags": dict(row.tags),
        "unfinished_packages": row.unfinished,
        **patched.as_json(row.patched),
    }


@routes.get("/api/v1/dashboard/hosts")
@documented(query=_FILTERS)
@gated("can_view_hosts")
async def hosts(request: web.Request) -> web.Response:
    """Answer the hosts that match; with ``limit`` a part of them and how many there are."""
    limit = query_number(request, "limit", _MOST, most=_MOST)
    offset = query_number(request, "offset", 0, least=0, most=1_000_000)
    asked = await _asked(request)
    if "limit" not in request.query and not offset:
        return await packed(request, await whole.matching(call(request), asked), "application/json")
    found, total = await fleet.part(call(request), asked, limit, offset)
    items = [as_json(row) for row in found]
    return json_answer(
        items if "limit" not in request.query else {"items": items, "total": total, "limit": limit, "offset": offset}
    )


@routes.get("/api/v1/dashboard/host-counts")
@gated("can_view_hosts")
async def counts(request: web.Request) -> web.Response:
    """Answer how many hosts are connected (``up``) or not, silent, or in need of something."""
    found = await fleet.counts(call(request))
    return json_answer(
        {
            "total": found.total,
            "up": found.online,
            "stale": found.stale,
            "down": found.offline,
            "inactive": found.inactive,
            "pending": found.pending,
            "active": found.active,
            "error": found.error,
            "needsReboot": found.reboot,
            "needsUpdates": found.updates,
            "needsSecurityUpdates": found.security,
        }
    )


@routes.get("/api/v1/dashboard/host-filter-options")
@gated("can_view_hosts")
async def filter_options(request: web.Request) -> web.Response:
    """Answer the operating systems there are, the most common first."""
    found = await fleet.systems(call(request))
    rows = [
        {"name": one.name, "count": one.hosts, "os_type": one.os_type, "os_version": one.os_version} for one in found
    ]
    return json_answer({"osDistribution": rows})


@routes.get("/api/v1/hosts/export.csv", name="hosts.csv.download")
@documented(query=_FILTERS, answers={200: "text/csv"})
@gated("can_export_data")
async def export_csv(request: web.Request) -> web.StreamResponse:
    """Send every host that matches, as a table."""
    return await send_csv(request, "hosts", _COLUMNS, await _found(request))


@routes.get("/api/v1/hosts/export.json", name="hosts.json.download")
@documented(query=_FILTERS, answers={200: "application/json"})
@gated("can_export_data")
async def export_json(request: web.Request) -> web.StreamResponse:
    """Send every host that matches, as one JSON list."""
    return await send_json(request, "hosts", await _found(request))


async def _found(request: web.Request) -> AsyncIterator[Sequence[Row]]:
    asked = call(request)
    if not asked.actor.may("can_view_hosts"):
        raise Refused
    wanted = await _asked(request)
    return _handfuls(asked, wanted)


async def _handfuls(asked: Call, wanted: Listed) -> AsyncIterator[Sequence[Row]]:
    async for handful in fleet.export(asked, wanted):
        yield [_row(row) for row in handful]


def _row(row: HostRow) -> Mapping[str, object]:
    told = as_json(row)
    flat = {"groups": [group.name for group in row.groups], "tags": [f"{k}={v}" if v else k for k, v in row.tags]}
    return {name: flat[name] if name in flat else told[name] for name in _COLUMNS}
