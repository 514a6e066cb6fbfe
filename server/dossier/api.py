"""One host across rooms, for people's programs."""

from typing import Any, Final

import orjson
from aiohttp import web

from server.core.paging import Window
from server.dossier import service
from server.dossier.models import Queued, Report
from server.hosts import service as hosts
from server.hosts.models import HostHead
from server.packages.models import VersionChange
from server.web.forms import query_number
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()
_SEEN: Final = "/api/v1/dashboard/hosts/{host}"
_HOST: Final = "/api/v1/hosts/{host}"
_OPEN: Final = ("waiting", "active", "delayed", "failed")


async def _head(request: web.Request) -> HostHead:
    return await hosts.head(call(request), path_text(request, "host"))


@routes.get(_SEEN)
@gated("can_view_hosts")
async def show(request: web.Request) -> web.Response:
    """Answer a host with its packages, its newest reports and its counts."""
    asked, head = call(request), await _head(request)
    size, offset = query_number(request, "limit", 10, most=100), query_number(request, "offset", 0, least=0, most=10**8)
    found = orjson.loads(await hosts.one_as_json(asked, head.id))
    reports = await service.reports_from(asked, head, size, offset)
    packages = await service.packages_of(asked, head) if asked.actor.may("can_view_packages") else []
    found["host_packages"] = packages
    found["update_history"] = [_report(one) for one in reports.items]
    found["pagination"] = {"total": reports.total, "limit": size, "offset": offset,
                           "hasMore": offset + len(reports.items) < reports.total}  # fmt: skip
    found["stats"] = {
        "total_packages": head.packages_total,
        "outdated_packages": head.updates,
        "security_updates": head.security,
        "total_repos": head.repositories_total,
    }
    return json_answer(found)


def _report(one: Report) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "status": "error" if one.kind == "error" else "success",
        "date": one.at,
        "total_packages": one.packages or 0,
        "outdated_packages": one.updates or 0,
        "security_updates": one.security or 0,
        "payload_kb": round(one.payload_kb, 2),
        "execution_time_seconds": one.agent_ms / 1000,
        "error_message": one.error or None,
    }


@routes.get(f"{_SEEN}/queue")
@gated("can_view_hosts")
async def queue(request: web.Request) -> web.Response:
    """Answer what waits for a host's agent and what it did."""
    head = await _head(request)
    found = await service.queue(call(request), head, query_number(request, "limit", 20, most=500))
    data = {
        "hostId": head.id,
        "apiId": head.api_id,
        "friendlyName": head.name,
        **{name: found.counts[name] for name in _OPEN},
        "jobHistory": [_queued(one) for one in found.lines],
    }
    return json_answer({"success": True, "data": data})


def _queued(one: Queued) -> dict[str, Any]:
    return {
        "id": one.id,
        "job_id": one.id,
        "job_name": one.title,
        "status": one.status,
        "attempt": 1,
        "created_at": one.created_at,
        "completed_at": one.finished_at,
        "error_message": one.error or None,
        "output": None,
    }


@routes.get(f"{_SEEN}/activity")
@gated("can_view_hosts")
async def activity(request: web.Request) -> web.Response:
    """Answer what happened to a host, newest first."""
    head, query = await _head(request), request.query
    wanted = service.Feed(
        direction=query.get("direction", ""),
        kind=query.get("type", ""),
        status=query.get("status", ""),
        search=query.get("search", "")[:200],
        since=query.get("since", ""),
        limit=query_number(request, "limit", 50, most=200),
        offset=query_number(request, "offset", 0, least=0, most=5000),
    )
    items, stats = await service.feed(call(request), head, wanted)
    shown = items[wanted.offset : wanted.offset + wanted.limit]
    told = [
        {
            "type": one.kind,
            "direction": one.direction,
            "status": one.status,
            "timestamp": one.at,
            "title": one.title,
            "message": one.text,
            "by": one.who or None,
        }
        for one in shown
    ]
    names = {"hostId": head.id, "apiId": head.api_id, "friendlyName": head.name}
    return json_answer({**names, "stats": stats, "items": told, "total": len(items)})


@routes.get(f"{_HOST}/package-reports")
@gated("can_view_packages")
async def reports(request: web.Request) -> web.Response:
    """Answer a host's newest reports."""
    asked, head = call(request), await _head(request)
    page = await service.reports_from(asked, head, query_number(request, "limit", 10, most=1000), 0)
    told = [_report(one) for one in page.items]
    return json_answer({"host_id": head.id, "reports": told, "total": page.total})


@routes.get(f"{_HOST}/package-reports/between")
@gated("can_view_packages")
async def between(request: web.Request) -> web.Response:
    """Answer what differs between two reports."""
    asked, head = call(request), await _head(request)
    one = await service.report(asked, head, request.query.get("from", ""))
    other = await service.report(asked, head, request.query.get("to", ""))
    older, newer, found = await service.between(asked, head, one, other)
    return json_answer({"from": _report(older), "to": _report(newer), "changes": [_change(c) for c in found.changes]})


@routes.get(f"{_HOST}/package-reports/{{report}}")
@gated("can_view_packages")
async def report(request: web.Request) -> web.Response:
    """Answer one report: what it changed, and everything that was installed then."""
    asked, head = call(request), await _head(request)
    one = await service.report(asked, head, path_text(request, "report"))
    changed = await service.changed_by(asked, head, one)
    page, _ = await service.state_at(asked, head, one, "", Window(1, 1_000_000))
    installed = [{"name": package.name, "version": package.version} for package in page.items]
    return json_answer({**_report(one), "changes": [_change(c) for c in changed.changes], "packages": installed})


def _change(one: VersionChange) -> dict[str, Any]:
    return {
        "name": one.name,
        "change": one.kind,
        "from_version": one.from_version or None,
        "to_version": one.to_version or None,
        "was_security_update": one.security,
    }


@routes.get(f"{_HOST}/agent-queue")
@gated("can_view_hosts")
async def agent_queue(request: web.Request) -> web.Response:
    """Answer a host's queue as the scoped API does."""
    head = await _head(request)
    found = await service.queue(call(request), head, query_number(request, "limit", 10, most=500))
    return json_answer(
        {
            "host_id": head.id,
            "queue_status": {name: found.counts[name] for name in _OPEN},
            "job_history": [_queued(one) for one in found.lines],
            "total_jobs": found.counts["total"],
        }
    )


@routes.get(f"{_HOST}/notes")
@gated("can_view_hosts")
async def notes(request: web.Request) -> web.Response:
    """Answer a host's notes."""
    head = await _head(request)
    return json_answer({"host_id": head.id, "notes": head.notes})


@routes.get(f"{_HOST}/compare")
@gated("can_view_packages")
async def compare(request: web.Request) -> web.Response:
    """Answer in which packages a host is not like most hosts of its system, or not like one of them (``with``)."""
    asked, head = call(request), await _head(request)
    if request.query.get("with"):
        other, found = await service.compare_with(asked, head, request.query["with"])
        compared: dict[str, Any] = {"with": other.id}
    else:
        whole = await service.compare(asked, head, "")
        found = whole.deviations
        peers = [
            {"id": one.id, "name": one.name, "missing": one.missing, "extra": one.extra, "other": one.other}
            for one in whole.peers
        ]
        compared = {"alike": whole.alike, "compared": whole.compared, "hosts": peers}
    told = [
        {"name": one.name, "difference": one.kind, "here": one.ours or None, "there": one.theirs or None}
        for one in found
    ]
    return json_answer({"host_id": head.id, **compared, "packages": told})
