"""The doors for agents and their installers."""

import functools
import shlex
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web
from markupsafe import Markup

from server.core.call import Actor, Call
from server.core.db import DatabaseError
from server.core.log import get_log
from server.core.loop import Keeper
from server.core.secretbox import Secret
from server.hosts import enrolment, rollouts, rules, schemas, service
from server.hosts.addresses import server_url
from server.hosts.binaries import SHELF, AgentFile, Shelf
from server.hosts.check_ins import Directory
from server.hosts.errors import AgentFileMissing
from server.hosts.models import AgentActor, Platform
from server.hosts.packing import Packer, takes_packed
from server.settings import service as settings
from server.web.agent_bodies import read_first_value
from server.web.forms import BadBody, parse
from server.web.problems import json_answer
from server.web.render import fragment
from server.web.routing import AGENT_VERIFIER, WORLD, Routes, Verifier, agent_only, call, open_to_all

log = get_log(__name__)
routes: Final = Routes()

_LONGEST_VERSION: Final = 100
_KEEPER: Final = web.AppKey("hosts_keeper", Keeper)
_PACKER: Final = web.AppKey("packer", Packer)


def set_up(app: web.Application) -> None:
    """Tell the doorkeeper how hosts are recognised."""
    app[_KEEPER] = Keeper()
    verifier: Verifier = functools.partial(verify, Directory(app[WORLD], app[_KEEPER]))
    app[AGENT_VERIFIER] = verifier
    app[SHELF] = Shelf(app[WORLD].env.agents_dir)
    app[_PACKER] = Packer()


async def resources(app: web.Application) -> AsyncIterator[None]:
    """End what ``set_up`` began."""
    yield
    await app[_KEEPER].close()


async def verify(directory: Directory, asked: Call, api_id: str, api_key: str) -> Actor:
    """Return the actor behind a host's credentials."""
    try:
        host = await service.authenticate(asked, directory, api_id, api_key)
    except DatabaseError as error:
        log.exception("host_lookup_failed")
        raise web.HTTPInternalServerError(reason="Failed to look up host: database error") from error
    return AgentActor("agent", id=host.api_id, name=host.name, host=host)


@routes.get("/api/v1/hosts/install")
@agent_only()
async def install(request: web.Request) -> web.Response:
    """Hand out the install script of the host that asks, with a token that works once."""
    asked = call(request)
    host = service.agent_of(asked)
    system = rules.system_of(_asked_system(request), host.expected_platform, host.os_type)
    insecure = (await settings.effective(asked)).ignore_ssl_self_signed
    token = await enrolment.issue_token(asked, host.api_id, Secret(request.headers["X-API-KEY"]))
    architecture = request.query.get("arch", "")
    if system == "windows":
        return _script(
            fragment(
                request,
                "install/agent.ps1.j2",
                server_url=_literal(await server_url(request)),
                token=_literal(token),
                ignore_ssl=_literal("true" if insecure else "false"),
                architecture=_literal(architecture if architecture in rules.ARCHITECTURES[system] else ""),
            ),
            "patchmon_install_windows.ps1",
        )
    script = fragment(
        request,
        "install/agent.sh.j2",
        server_url=_quoted(await server_url(request)),
        system=_quoted(system),
        token=_quoted(token),
        curl_flags=_quoted("-sk" if insecure else "-s"),
        skip_ssl_verify=_quoted("true" if insecure else "false"),
        force=_quoted("true" if request.query.get("force") in {"true", "1"} else "false"),
        architecture=_quoted(architecture if architecture in rules.ARCHITECTURES[system] else ""),
    )
    return _script(script, "patchmon_install.sh")


@routes.get("/api/v1/hosts/remove")
@open_to_all("removing an agent must work when its credentials do not")
async def remove(request: web.Request) -> web.Response:
    """Hand out the script that removes an agent."""
    if request.query.get("os", "").lower() == "windows":
        return _script(fragment(request, "install/remove.ps1.j2"), "patchmon_remove_windows.ps1")
    insecure = (await settings.effective(call(request))).ignore_ssl_self_signed
    return _script(
        fragment(request, "install/remove.sh.j2", curl_flags=_quoted("-sk" if insecure else "-s")), "patchmon_remove.sh"
    )


def _script(text: str, name: str) -> web.Response:
    return web.Response(
        text=text if text.endswith("\n") else text + "\n",
        content_type="text/plain",
        charset="utf-8",
        headers={"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "no-store"},
    )


def _quoted(text: str) -> Markup:
    # For the shell; HTML escaping would break it.
    return Markup(shlex.quote(text))  # noqa: S704 (the result is a shell script, not a page)


def _literal(text: str) -> Markup:
    # For PowerShell: nothing is read inside single quotes but a doubled one.
    plain = "'" + text.replace("'", "''") + "'"
    return Markup(plain)  # noqa: S704 (the result is a script, not a page)


@routes.post("/api/v1/hosts/bootstrap/exchange")
@open_to_all("the one-time token in the body is the credential")
async def exchange(request: web.Request) -> web.Response:
    """Give an install script its host's credentials, once."""
    body = parse(schemas.TokenBody, await _object(request))
    api_id, api_key = await enrolment.exchange(call(request), body.token)
    return json_answer({"apiId": api_id, "apiKey": api_key.reveal()}, headers={"Cache-Control": "no-store"})


async def _object(request: web.Request) -> object:
    try:
        value = await read_first_value(request)
    except BadBody:
        return {}
    return value if isinstance(value, dict) else {}


@routes.get("/api/v1/hosts/agent/version")
@agent_only()
async def agent_version(request: web.Request) -> web.Response:
    """Say which agent the server holds and whether the asking host should take it."""
    asked = call(request)
    host = service.agent_of(asked)
    system, architecture, kind = _wanted_file(request, host.expected_platform, host.os_type)
    told = request.query.get("currentVersion", "").removeprefix("v")
    allowed = (await settings.effective(asked)).auto_update
    found = await request.app[SHELF].find(system, architecture, kind)
    newer = found is not None and bool(told) and rules.version_key(found.version) > rules.version_key(told)
    reason = _why_disabled(server=allowed, host=host.auto_update)
    if back := request.query.get("takenBack", ""):
        await rollouts.taken_back(asked, host, back[:_LONGEST_VERSION].replace("\0", ""))
    wanted = found is not None and newer and not reason and await rollouts.offers(asked, host, found)
    described = {
        "currentVersion": told or (found.version if found else "unknown"),
        "latestVersion": found.version if found else None,
        "hasUpdate": wanted,
        "autoUpdateDisabled": bool(reason),
        "autoUpdateDisabledReason": reason,
        "downloadUrl": f"/api/v1/hosts/agent/download?arch={architecture}&os={system}",
        "releaseNotes": "",
        "minServerVersion": None,
        "architecture": architecture,
        "agentType": kind,
    }
    if found is None:
        return json_answer({"error": str(AgentFileMissing(system=system, architecture=architecture)), **described}, 404)
    return json_answer({**described, "hash": found.sha256})


def _why_disabled(*, server: bool, host: bool) -> str:
    if not server:
        return "Agent auto-update is disabled in server settings"
    return "" if host else "Agent auto-update is disabled for this host"


@routes.get("/api/v1/hosts/agent/download", name="agent.download")
@agent_only()
async def download(request: web.Request) -> web.StreamResponse:
    """Hand out the agent's file."""
    host = service.agent_of(call(request))
    system, architecture, kind = _wanted_file(request, host.expected_platform, host.os_type)
    found: AgentFile | None = await request.app[SHELF].find(system, architecture, kind)
    if found is None:
        raise AgentFileMissing(system=system, architecture=architecture)
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f'attachment; filename="{found.name}"',
        "Vary": "Accept-Encoding",
    }
    if takes_packed(request, found):
        packed = await request.app[_PACKER].pack(found)
        return web.Response(body=packed, headers={**headers, "Content-Encoding": "gzip", "Accept-Ranges": "none"})
    return web.FileResponse(found.path, headers=headers)


def _wanted_file(request: web.Request, expected: str, reported: str) -> tuple[Platform, str, str]:
    system = rules.system_of(request.query.get("os", ""), expected, reported)
    architecture = rules.architecture_of(request.query.get("arch", ""), system)
    asked = request.query.get("type", "")
    return system, architecture, asked if asked in {"pyz", "binary"} else "go"


def _asked_system(request: web.Request) -> str:
    asked = request.query.get("os", "")
    return asked if asked in {"linux", "freebsd", "windows"} else ""


@routes.get("/api/v1/settings/update-interval")
@agent_only()
async def update_interval(request: web.Request) -> web.Response:
    """Say how many minutes lie between two check-ins."""
    return json_answer({"updateInterval": (await settings.effective(call(request))).update_interval})


@routes.get("/api/v1/hosts/integrations")
@agent_only()
async def integrations(request: web.Request) -> web.Response:
    """Say which integrations are switched on for the host that asks."""
    asked = call(request)
    # Whoever asks takes over what is answered: what was sent holds from now on.
    host = await service.confirm_switches(asked, service.agent_of(asked))
    return json_answer(
        {
            "success": True,
            "integrations": {"docker": host.docker_enabled, "compliance": host.compliance_enabled},
            "compliance_mode": host.compliance_mode,
            "compliance_openscap_enabled": host.compliance_openscap_enabled,
            "compliance_docker_bench_enabled": host.compliance_docker_bench_enabled,
        }
    )


@routes.post("/api/v1/hosts/integration-status")
@agent_only()
async def integration_status(request: web.Request) -> web.Response:
    """Remember how far the set-up of an integration is."""
    asked = call(request)
    try:
        told = parse(schemas.IntegrationBody, await read_first_value(request)).report()
    except BadBody:
        return json_answer({"error": "Invalid JSON body"}, 400)
    await service.note_integration(asked, service.agent_of(asked), told)
    return json_answer({"success": True, "message": "Integration status received"})
