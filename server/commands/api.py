"""Asking agents for something, for people's programs."""

from typing import Any, Final

from aiohttp import web

from server.commands import service
from server.commands.models import Kind
from server.commands.schemas import HostsBody
from server.core.words import counted
from server.hosts import service as hosts
from server.web.forms import read_json
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()
_HOST: Final = "/api/v1/hosts/{host}"


@routes.post("/api/v1/hosts/bulk/fetch-report")
@gated("can_manage_hosts")
async def fetch_reports(request: web.Request) -> web.Response:
    """Ask many hosts for a report now."""
    body = await read_json(request, HostsBody)
    results = await service.ask_many(call(request), body.host_ids, "report_now")
    sent = sum(one.success for one in results)
    told = [{"id": one.id, "success": one.success, "error": one.error or None} for one in results]
    return json_answer(
        {"message": f"Asked {counted(sent, 'host')} for a report", "success": True, "enqueued": sent, "results": told}
    )


async def _asked(request: web.Request, kind: Kind, message: str) -> dict[str, Any]:
    asked, uuid = call(request), path_text(request, "host")
    job = await service.ask(asked, uuid, kind)
    head = await hosts.head(asked, uuid)
    host = {"id": head.id, "friendly_name": head.name, "api_id": head.api_id}
    return {"success": True, "message": message, "jobId": job, "host": host}


@routes.post(f"{_HOST}/fetch-report")
@gated("can_manage_hosts")
async def fetch_report(request: web.Request) -> web.Response:
    """Ask a host for a report now."""
    return json_answer(await _asked(request, "report_now", "Report fetch command sent to the agent"))


@routes.post(f"{_HOST}/refresh-integration-status")
@routes.post(f"{_HOST}/integrations/refresh-status")
@gated("can_manage_hosts")
async def refresh_status(request: web.Request) -> web.Response:
    """Ask a host how ready its integrations are."""
    return json_answer(await _asked(request, "refresh_integration_status", "Integration status refresh requested"))


@routes.post(f"{_HOST}/integrations/compliance/request-status")
@gated("can_view_hosts", module="compliance")
async def request_compliance_status(request: web.Request) -> web.Response:
    """Ask a host how ready its compliance set-up is."""
    return json_answer(await _asked(request, "refresh_integration_status", "Compliance status requested"))


@routes.post(f"{_HOST}/refresh-docker")
@gated("can_manage_hosts", module="docker")
async def refresh_docker(request: web.Request) -> web.Response:
    """Ask a host for its Docker inventory now."""
    return json_answer(await _asked(request, "docker_inventory_refresh", "Docker inventory refresh requested"))


@routes.post(f"{_HOST}/force-agent-update")
@routes.post(f"{_HOST}/update-agent")
@gated("can_manage_hosts")
async def update_agent(request: web.Request) -> web.Response:
    """Ask a host's agent to replace itself now, whatever the settings say."""
    return json_answer(await _asked(request, "update_agent", "Agent update command sent"))


@routes.post(f"{_HOST}/integrations/apply-pending-config")
@routes.post(f"{_HOST}/integrations/apply")
@gated("can_manage_hosts")
async def apply_pending(request: web.Request) -> web.Response:
    """Send a host the switches that wait for it."""
    job = await service.apply(call(request), path_text(request, "host"))
    return json_answer({"success": True, "message": "Configuration sent to the agent", "jobId": job})
