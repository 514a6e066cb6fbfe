"""The doors of agents: scans that they hand in, and content that they fetch."""

from typing import Any, Final

import msgspec
from aiohttp import web

from server.compliance import native, reports, schemas, service
from server.compliance.content import path_of
from server.compliance.errors import BadSubmission
from server.compliance.models import Submission
from server.compliance.storing import Sender
from server.core.call import Call
from server.core.db import DatabaseError
from server.core.errors import TooMany
from server.core.log import get_log
from server.core.loop import in_thread
from server.core.redis import Redis, RedisError, key
from server.hosts import service as hosts
from server.web.agent_bodies import first_value
from server.web.forms import BadBody, read_bytes
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import AGENT_INBOXES, TRANSLATORS, Routes, agent_only, call, path_text, world

log = get_log(__name__)
routes: Final = Routes()

_MOST: Final = 10
_WINDOW_MS: Final = 60_000
#: Larger bodies are read beside the loop.
_AT_ONCE_BYTES: Final = 64 * 1024


def set_up(app: web.Application) -> None:
    """Say scan jobs to existing agents, and hear how far they are."""
    app[TRANSLATORS].append(native.ScanCommands())
    app[AGENT_INBOXES].append(native.hearing)


@routes.post("/api/v1/compliance/scans", name="agents.compliance_scans")
@documented(body_kind="application/json")
@agent_only()
async def take(request: web.Request) -> web.Response:
    """Take what a host's scanners found."""
    asked = call(request)
    host = hosts.agent_of(asked)
    await _demand(world(request).redis, host.api_id)
    told = await _submission(request, asked)
    sender = Sender(
        host.id, host.uuid, host.name, host.compliance_openscap_enabled, host.compliance_docker_bench_enabled
    )
    try:
        found = await service.store(asked, sender, told)
    except DatabaseError:
        log.exception("compliance: scans not stored", host=host.name)
        return json_answer({"error": "Failed to save scan results"}, 500)
    return json_answer(schemas.receipt(found))


async def _demand(redis: Redis, api_id: str) -> None:
    """Take ten a minute of each host."""
    name = key("limit", "compliance", api_id)
    try:
        async with redis.pipeline(transaction=False) as pipe:
            pipe.incr(name)
            pipe.pexpire(name, _WINDOW_MS, nx=True)
            pipe.pttl(name)
            asked, _, left_ms = await pipe.execute()
    except RedisError as error:
        log.warning("compliance: submissions not counted", reason=str(error))
        return
    if asked > _MOST:
        raise TooMany(after_seconds=max(1, -(-left_ms // 1000)))


async def _submission(request: web.Request, asked: Call) -> Submission:
    raw = await read_bytes(request)
    try:
        value = await _decoded(raw)
        if not isinstance(value, dict) or not {"scans", "profile_name"} & set(value):
            # Names in another case, or something behind the body: as older servers read it.
            value = await in_thread(first_value, raw)
    except BadBody as error:
        raise BadSubmission from error
    if len(raw) <= _AT_ONCE_BYTES:
        return reports.submission(value, asked.now)
    return await in_thread(reports.submission, value, asked.now)


async def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw) if len(raw) <= _AT_ONCE_BYTES else await in_thread(msgspec.json.decode, raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


@routes.get("/api/v1/compliance/ssg-version", name="agents.ssg_version")
@agent_only(limit="agent")
async def version(request: web.Request) -> web.Response:
    """Answer the version and the files of the scanner content."""
    found = await service.content_here(call(request))
    if not found.files:
        return json_answer({"error": "No SSG content available on server"}, 503)
    return json_answer({"version": found.version, "files": list(found.files)})


@routes.get("/api/v1/compliance/ssg-content/{name}", name="agents.ssg_content")
@agent_only(limit="agent")
async def content(request: web.Request) -> web.FileResponse:
    """Hand out one content file."""
    path = await in_thread(path_of, world(request).env.content_dir, path_text(request, "name"))
    return web.FileResponse(path, headers={"Content-Type": "application/xml"})
