"""Switches of a host's integrations, for people's programs: they wait until they are applied."""

from typing import Any, Final

from aiohttp import web

from server.hosts import forms, service
from server.hosts.errors import UnknownIntegration
from server.hosts.staging import Switches
from server.identity import service as identity
from server.identity.errors import ModuleOff
from server.web.forms import read_json
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()
_SWITCHES: Final = "/api/v1/hosts/{host}/integrations"


@routes.get(_SWITCHES)
@gated("can_view_hosts")
async def show(request: web.Request) -> web.Response:
    """Answer which integrations are on, and what waits to be applied."""
    found = await service.switches(call(request), path_text(request, "host"))
    return json_answer({"success": True, **_told(found)})


def _told(found: Switches) -> dict[str, Any]:
    wanted = found.wanted
    mode = wanted["compliance_mode"]
    return {
        "data": {"docker": wanted["docker_enabled"], "compliance": mode != "disabled"},
        "compliance_mode": mode,
        "compliance_enabled": mode != "disabled",
        "compliance_openscap_enabled": wanted["compliance_openscap_enabled"],
        "compliance_docker_bench_enabled": wanted["compliance_docker_bench_enabled"],
        "compliance_default_profile_id": found.default_profile_id,
        "pending_config_exists": found.pending is not None,
        "pending_config": found.pending,
    }


@routes.get(f"{_SWITCHES}/{{integration}}/status")
@gated("can_view_hosts")
async def status(request: web.Request) -> web.Response:
    """Answer what the agent last said about the set-up of an integration."""
    name = path_text(request, "integration")
    if name not in {"docker", "compliance"}:
        raise UnknownIntegration
    told = (await service.switches(call(request), path_text(request, "host"))).told.get(name)
    found = {"status": told, "source": "cached", "cached_at": told.get("timestamp")} if told else {"status": None}
    return json_answer({"success": True, "source": "cached", **found})


async def _staged(request: web.Request, wanted: dict[str, object], message: str) -> web.Response:
    found = await service.stage(call(request), path_text(request, "host"), wanted)
    told = _told(found)
    return json_answer({"success": True, "message": message, "data": {**told["data"], **told}})


@routes.post(f"{_SWITCHES}/compliance/mode")
@gated("can_manage_hosts", module="compliance")
async def mode(request: web.Request) -> web.Response:
    """Let another mode wait to be applied."""
    body = await read_json(request, forms.ModeBody)
    return await _staged(request, {"compliance_mode": body.mode}, "Compliance mode staged. Apply to send it.")


@routes.post(f"{_SWITCHES}/compliance/scanners")
@gated("can_manage_hosts", module="compliance")
async def scanners(request: web.Request) -> web.Response:
    """Let other scanners wait to be applied."""
    body = await read_json(request, forms.ScannersBody)
    return await _staged(request, body.switches, "Scanner settings staged. Apply to send them.")


@routes.post(f"{_SWITCHES}/compliance/default-profile")
@gated("can_manage_hosts", module="compliance")
async def default_profile(request: web.Request) -> web.Response:
    """Choose the profile of scans that name none; the agent need not know."""
    body = await read_json(request, forms.ProfileBody)
    profile = body.profile_id or None
    await service.edit(call(request), path_text(request, "host"), {"compliance_default_profile_id": profile})
    return json_answer({"success": True, "message": "Default profile updated", "profile_id": profile})


@routes.post(f"{_SWITCHES}/{{integration}}/toggle")
@gated("can_manage_hosts")
async def toggle(request: web.Request) -> web.Response:
    """Let a switch wait to be applied."""
    name = path_text(request, "integration")
    body = await read_json(request, forms.ToggleBody)
    if name not in await identity.modules(call(request)) and name in {"docker", "compliance"}:
        raise ModuleOff
    if name == "docker":
        wanted: dict[str, object] = {"docker_enabled": body.enabled}
    elif name == "compliance":
        wanted = {"compliance_mode": "enabled" if body.enabled else "disabled"}
    else:
        raise UnknownIntegration
    word = "enabled" if body.enabled else "disabled"
    return await _staged(request, wanted, f"{name} will be {word} once the change is applied")
