"""The fleet, scans, rules and tasks of compliance for programs."""

from dataclasses import replace
from typing import Final

from aiohttp import web

from server.compliance import guides, rules, schemas, service
from server.compliance.errors import BadRequest
from server.compliance.models import KINDS, Sought
from server.settings import service as settings
from server.web.forms import query_number, read_json
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

VIEW: Final = "can_view_reports"
MANAGE: Final = "can_manage_compliance"
MODULE: Final = "compliance"
_API: Final = "/api/v1/compliance"


def _sought(request: web.Request, *, size: int = 25, most: int = 200) -> Sought:
    """Return what a query asks for; nonsense counts as absent."""
    query = request.query
    kind = query.get("profile_type", "")
    limit = query_number(request, "limit", size, most=most)
    page = query_number(request, "page", 1, most=1_000_000)
    return Sought(
        status=query.get("status", ""),
        severity=query.get("severity", "").lower(),
        kind=kind if kind in KINDS else "",
        host=query.get("host_id", "") or query.get("hostId", ""),
        search=query.get("search", "").replace("\0", "")[:200].strip(),
        section=query.get("section", ""),
        sort=query.get("sort_by", ""),
        direction="asc" if query.get("sort_dir", "desc") == "asc" else "desc",
        limit=limit,
        offset=query_number(request, "offset", (page - 1) * limit, least=0, most=10_000_000),
    )


def _of_rules(request: web.Request, *, size: int, most: int) -> Sought:
    """Return the same where states are those of rules, under any of their names."""
    found = _sought(request, size=size, most=most)
    status = rules.state_word(found.status) if found.status else ""
    if found.status and not status:
        raise BadRequest.of({"status": "status must be pass, fail, warn, error, skipped or notapplicable"})
    return replace(found, status=status)


# ---------------------------------------------------------------- looking


@routes.get(f"{_API}/dashboard")
@gated(VIEW, module=MODULE)
async def dashboard(request: web.Request) -> web.Response:
    """Answer the fleet's overview."""
    kind = request.query.get("profile_type", "")
    board = await service.fleet(call(request), kind if kind in {"openscap", "docker-bench"} else "")
    return json_answer(schemas.dashboard(board))


@routes.get(f"{_API}/profiles")
@gated(VIEW, module=MODULE)
async def profiles(request: web.Request) -> web.Response:
    """Answer the profiles that can be chosen; with ``host_id`` also those that its agent has."""
    host = request.query.get("host_id", "")
    asked = call(request)
    one = await service.target(asked, host) if host else None
    found = schemas.profiles(schemas.told_profiles(one) if one else ())
    offered = await guides.offers(asked, [one.uuid] if one else None)
    return json_answer(
        schemas.with_offers(found, [each for each in offered if not (each.tailored and one and one.native)])
    )


@routes.get(f"{_API}/scans/active")
@gated(VIEW, module=MODULE)
async def active(request: web.Request) -> web.Response:
    """Answer the scans that run."""
    rows = await service.active(call(request))
    return json_answer({"activeScans": [schemas.scan_view(row) for row in rows], "count": len(rows)})


@routes.get(f"{_API}/scans/stalled")
@gated(VIEW, module=MODULE)
async def stalled(request: web.Request) -> web.Response:
    """Answer the scans that run for more than three hours."""
    rows = await service.stalled(call(request))
    return json_answer({"stalledScans": [schemas.scan_view(row) for row in rows], "count": len(rows)})


@routes.get(f"{_API}/scans/history")
@gated(VIEW, module=MODULE)
async def history(request: web.Request) -> web.Response:
    """Answer all scans ever, newest first."""
    sought = _sought(request, most=100)
    return json_answer(schemas.scans_page(*await service.history(call(request), sought), sought))


@routes.get(f"{_API}/scans/{{host}}")
@gated(VIEW, module=MODULE)
async def of_host(request: web.Request) -> web.Response:
    """Answer the scans of a host, newest first."""
    asked, found = call(request), _sought(request, most=100)
    one = await service.target(asked, path_text(request, "host"))
    sought = Sought(kind=found.kind, status=found.status, host=one.uuid, limit=found.limit, offset=found.offset)
    return json_answer(schemas.scans_page(*await service.history(asked, sought), sought))


@routes.get(f"{_API}/scans/{{host}}/latest")
@gated(VIEW, module=MODULE)
async def latest(request: web.Request) -> web.Response:
    """Answer a host's newest completed scan with everything it found."""
    asked, kind = call(request), request.query.get("profile_type", "")
    rows = await service.latest(asked, path_text(request, "host"))
    chosen = [row for row in rows if not kind or row["kind"] == kind]
    if not chosen:
        return json_answer({"error": "No scans found"}, 404)
    found, _ = await service.results(asked, chosen[0]["id"], Sought(limit=10_000))
    return json_answer({**schemas.scan_view(chosen[0]), "compliance_results": [schemas.result_view(r) for r in found]})


@routes.get(f"{_API}/scans/{{host}}/latest-by-type")
@gated(VIEW, module=MODULE)
async def latest_by_type(request: web.Request) -> web.Response:
    """Answer a host's newest completed scan by each scanner."""
    rows = await service.latest(call(request), path_text(request, "host"))
    return json_answer({row["kind"]: schemas.scan_view(row) for row in rows})


@routes.get(f"{_API}/results/{{scan}}")
@gated(VIEW, module=MODULE)
async def results(request: web.Request) -> web.Response:
    """Answer what a scan found, the worst first."""
    asked, uuid = call(request), path_text(request, "scan")
    sought = _of_rules(request, size=50, most=1000)
    rows, total = await service.results(asked, uuid, sought)
    severities: dict[str, int] = {}
    for row in await service.breakdown(asked, uuid):
        if row["state"] == "f":
            severities[row["severity"]] = severities.get(row["severity"], 0) + row["number"]
    return json_answer(
        {
            "results": [schemas.result_view(row) for row in rows],
            "pagination": schemas.pagination(total, sought.limit, sought.offset),
            "severity_breakdown": severities,
        }
    )


@routes.get(f"{_API}/rules")
@gated(VIEW, module=MODULE)
async def list_rules(request: web.Request) -> web.Response:
    """Answer the rules that any host was held against, with on how many hosts each stands how."""
    sought = _of_rules(request, size=50, most=200)
    rows, total = await service.rule_list(call(request), sought)
    return json_answer(
        {
            "rules": [schemas.rule_view(row) for row in rows],
            "pagination": schemas.pagination(total, sought.limit, sought.offset),
        }
    )


@routes.get(f"{_API}/rules/{{rule}}")
@gated(VIEW, module=MODULE)
async def show_rule(request: web.Request) -> web.Response:
    """Answer one rule, and the hosts with how it stands there."""
    sought = _of_rules(request, size=200, most=1000)
    if "sort_dir" not in request.query:
        sought = Sought(status=sought.status, limit=sought.limit, offset=sought.offset)
    found = await service.rule(call(request), path_text(request, "rule"), sought)
    return json_answer(schemas.rule_detail(found, sought))


@routes.get(f"{_API}/hosts")
@gated(VIEW, module=MODULE)
async def list_hosts(request: web.Request) -> web.Response:
    """Answer the hosts that compliance is on for, or that ever scanned."""
    sought = _sought(request, size=50)
    rows, total = await service.host_list(call(request), sought)
    return json_answer(
        {
            "hosts": [schemas.host_view(row) for row in rows],
            "pagination": schemas.pagination(total, sought.limit, sought.offset),
        }
    )


@routes.get(f"{_API}/trends/{{host}}")
@gated(VIEW, module=MODULE)
async def trend(request: web.Request) -> web.Response:
    """Answer how the scores of a host went."""
    text = request.query.get("days", "30")
    days = int(text) if text.isdecimal() and len(text) <= 6 else 0  # noqa: PLR2004 (digits)
    return json_answer(await service.trend(call(request), path_text(request, "host"), days))


# ---------------------------------------------------------------- acting


@routes.post(f"{_API}/trigger/bulk")
@gated(MANAGE, module=MODULE)
async def trigger_many(request: web.Request) -> web.Response:
    """Ask many hosts to scan; what is refused by one stops none of the others."""
    body = await read_json(request, schemas.BulkBody)
    return json_answer(schemas.triggered_many(await service.trigger_many(call(request), body.hosts, body.wanted())))


@routes.post(f"{_API}/trigger/{{host}}")
@gated(MANAGE, module=MODULE)
async def trigger(request: web.Request) -> web.Response:
    """Ask a host to scan; one that is away scans when it returns."""
    body = await read_json(request, schemas.TriggerBody) if request.can_read_body else schemas.TriggerBody()
    made = await service.trigger(call(request), path_text(request, "host"), body.wanted())
    return json_answer(schemas.triggered(made))


@routes.post(f"{_API}/cancel/{{host}}")
@gated(MANAGE, module=MODULE)
async def cancel(request: web.Request) -> web.Response:
    """End a host's scan; without one nothing is wrong."""
    await service.cancel(call(request), path_text(request, "host"))
    return json_answer({"success": True, "message": "Scan cancel sent"})


@routes.post(f"{_API}/scans/cleanup")
@gated(MANAGE, module=MODULE)
async def clean_up(request: web.Request) -> web.Response:
    """End the scans that run for more than three hours."""
    cleaned = await service.clean_up(call(request))
    return json_answer({"success": True, "cleaned": cleaned, "data": {"cleaned": cleaned}})


@routes.post(f"{_API}/remediate/{{host}}")
@gated(MANAGE, module=MODULE)
async def remediate(request: web.Request) -> web.Response:
    """Have a host fix one rule."""
    body = await read_json(request, schemas.RemediateBody)
    host = path_text(request, "host")
    task = await service.remediate(call(request), host, body.rule_id)
    return json_answer({"success": True, "message": "Remediation triggered", "jobId": task, "hostId": host})


@routes.post(f"{_API}/install-scanner/{{host}}")
@gated(MANAGE, module=MODULE)
async def install(request: web.Request) -> web.Response:
    """Have a host install what scans need."""
    host = path_text(request, "host")
    task = await service.install(call(request), host)
    return json_answer({"success": True, "message": "Scanner installation queued", "jobId": task, "hostId": host})


@routes.post(f"{_API}/install-scanner/{{host}}/cancel")
@gated(MANAGE, module=MODULE)
async def cancel_install(request: web.Request) -> web.Response:
    """Give an installation up."""
    there = await service.cancel_install(call(request), path_text(request, "host"))
    message = "Installation cancelled" if there else "No installation in progress"
    return json_answer({"success": True, "message": message})


@routes.get(f"{_API}/install-job/{{host}}")
@gated(VIEW, module=MODULE)
async def install_job(request: web.Request) -> web.Response:
    """Answer how far an installation is."""
    one, task = await service.last_task(call(request), path_text(request, "host"), "install")
    return json_answer(schemas.task_view(task, one.told))


@routes.post(f"{_API}/upgrade-ssg/{{host}}")
@gated(MANAGE, module=MODULE)
async def upgrade(request: web.Request) -> web.Response:
    """Have a host take this server's scanner content."""
    task, version = await service.upgrade(call(request), path_text(request, "host"))
    message = f"SSG upgrade to {version} queued"
    return json_answer({"success": True, "message": message, "version": version, "jobId": task})


@routes.get(f"{_API}/ssg-upgrade-job/{{host}}")
@gated(VIEW, module=MODULE)
async def upgrade_job(request: web.Request) -> web.Response:
    """Answer how far an upgrade of the content is."""
    _, task = await service.last_task(call(request), path_text(request, "host"), "upgrade")
    return json_answer(schemas.task_view(task))


# ---------------------------------------------------------------- settings


@routes.get(f"{_API}/ssg-info")
@gated(VIEW, module=MODULE)
async def content(request: web.Request) -> web.Response:
    """Answer the scanner content that this server hands out."""
    found = await service.content_here(call(request))
    return json_answer({"version": found.version, "files": list(found.files)})


@routes.get(f"{_API}/settings")
@gated(VIEW, module=MODULE)
async def show_settings(request: web.Request) -> web.Response:
    """Answer what the fleet scans by."""
    found = await settings.effective(call(request))
    return json_answer(
        {
            "default_compliance_mode": found.default_compliance_mode,
            "compliance_scan_interval": found.compliance_scan_interval,
            "compliance_remediation_approval": found.compliance_remediation_approval,
        }
    )


@routes.put(f"{_API}/settings")
@gated(MANAGE, "can_manage_settings", module=MODULE)
async def change_settings(request: web.Request) -> web.Response:
    """Change what the fleet scans by."""
    body = await read_json(request, schemas.SettingsBody)
    changes = {name: value for name, value in body.model_dump().items() if value is not None}
    found = await settings.change(call(request), changes)
    return json_answer(
        {
            "default_compliance_mode": found.default_compliance_mode,
            "compliance_scan_interval": found.compliance_scan_interval,
            "compliance_remediation_approval": found.compliance_remediation_approval,
        }
    )
