"""The doors through which scripts enrol hosts, and get the scripts themselves."""

import shlex
from pathlib import Path
from typing import Final

from aiohttp import web

from server.core.loop import in_thread
from server.core.secretbox import Secret
from server.integrations import schemas, service
from server.integrations.addresses import server_url
from server.integrations.api.doors import worded
from server.integrations.errors import BadScriptType, CredentialsNeeded, QueryCredentialsNeeded, ScriptMissing
from server.integrations.models import Caller
from server.settings import service as settings
from server.web.forms import read_json_value
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.proxy import origin
from server.web.render import TEMPLATES
from server.web.routing import Routes, call, open_to_all

routes: Final = Routes()

_WHY: Final = "the token in the headers is what proves who asks"
_SCRIPTS: Final = {"proxmox-lxc": "proxmox_auto_enroll.sh", "direct-host": "direct_host_auto_enroll.sh"}
SCRIPTS: Final[Path] = TEMPLATES / "integrations"
_UNKEPT: Final = {"Cache-Control": "no-store, no-cache, must-revalidate", "Pragma": "no-cache"}


def _caller(request: web.Request) -> Caller:
    key = request.headers.get("X-Auto-Enrollment-Key", "")
    secret = request.headers.get("X-Auto-Enrollment-Secret", "")
    if not key or not secret:
        raise CredentialsNeeded
    return Caller(key, Secret(secret), origin(request).address)


@routes.post("/api/v1/auto-enrollment/enroll")
@documented(body=schemas.EnrolBody, body_kind="application/json")
@open_to_all(_WHY, limit="auth")
@worded("Failed to enroll host")
async def enrol(request: web.Request) -> web.Response:
    """Add a host and answer its credentials, this one time."""
    caller = _caller(request)
    token = await service.admit(call(request), caller)
    asked = service.acting(call(request), token, caller.address)
    await service.demand_room(asked, token)
    host = await service.enrol(asked, token, schemas.wanted(await read_json_value(request)))
    return json_answer(schemas.enrolled(host), 201, {"Cache-Control": "no-store"})


@routes.post("/api/v1/auto-enrollment/enroll/bulk")
@documented(body=schemas.BulkBody, body_kind="application/json")
@open_to_all(_WHY, limit="auth")
@worded("Failed to enroll hosts")
async def enrol_many(request: web.Request) -> web.Response:
    """Add up to fifty hosts and answer their credentials; agents are installed separately."""
    caller = _caller(request)
    token = await service.admit(call(request), caller)
    asked = service.acting(call(request), token, caller.address)
    wanted = schemas.many_wanted(await read_json_value(request))
    made, failed = await service.enrol_all(asked, token, wanted)
    return json_answer(schemas.enrolled_many(made, failed), 201, {"Cache-Control": "no-store"})


@routes.get("/api/v1/auto-enrollment/script")
@documented(answers={200: "text/plain"})
@open_to_all("the token in the query is what proves who asks", limit="auth")
@worded("Failed to load enrollment script")
async def script(request: web.Request) -> web.Response:
    """Hand out the script that enrols containers of a Proxmox host, or the machine it runs on."""
    kind = request.query.get("type", "")
    key, secret = request.query.get("token_key", ""), request.query.get("token_secret", "")
    if kind and kind not in _SCRIPTS:
        raise BadScriptType
    if not key or not secret:
        raise QueryCredentialsNeeded
    if not kind:
        raise BadScriptType
    asked = call(request)
    await service.admit(asked, Caller(key, Secret(secret), origin(request).address), from_address=False)
    insecure = (await settings.effective(asked)).ignore_ssl_self_signed
    given = {
        "PATCHMON_URL": await server_url(request),
        "AUTO_ENROLLMENT_KEY": key,
        "AUTO_ENROLLMENT_SECRET": secret,
        "CURL_FLAGS": "-sk" if insecure else "-s",
        "FORCE_INSTALL": "true" if request.query.get("force") == "true" else "false",
    }
    name = f"{kind}_auto_enroll.sh"
    return web.Response(
        text=_prologue(given) + await _text_of(kind),
        content_type="text/plain",
        charset="utf-8",
        headers={**_UNKEPT, "Content-Disposition": f'inline; filename="{name}"'},
    )


def _prologue(given: dict[str, str]) -> str:
    # What the environment says wins over what the server says.
    lines = [f"{name}=${{{name}:-{shlex.quote(value)}}}" for name, value in given.items()]
    return "\n".join(["#!/bin/sh", "# Made for one token: whoever has this text can enrol hosts with it.", *lines, ""])


async def _text_of(kind: str) -> str:
    try:
        text = await in_thread((SCRIPTS / _SCRIPTS[kind]).read_text, encoding="utf-8")
    except FileNotFoundError as error:
        raise ScriptMissing(type=kind) from error
    return "# " + text
