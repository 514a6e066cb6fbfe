"""The doors of agents: scans that they hand in, and content that they fetch."""

from datetime import datetime
from typing import Final

from aiohttp import web

from server.compliance import guides, handing, native, reports, schemas, service
from server.compliance.content import path_of
from server.compliance.errors import BadSubmission, ContentMissing, NoScans
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
@documented(body=reports.SubmissionBody)
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
    if len(raw) <= _AT_ONCE_BYTES:
        return _read(raw, asked.now)
    return await in_thread(_read, raw, asked.now)


def _read(raw: bytes, now: datetime) -> Submission:
    try:
        return reports.read(raw, now)
    except (BadSubmission, NoScans):
        # Names in another case, or something behind the body: as older servers read it.
        try:
            value = first_value(raw)
        except BadBody as error:
            raise BadSubmission from error
    return reports.submission(value, now)


@routes.get("/api/v1/compliance/ssg-version", name="agents.ssg_version")
@agent_only(limit="agent")
async def version(request: web.Request) -> web.Response:
    """Answer the version and the files of the scanner content."""
    found = await service.content_here(call(request))
    if not found.files:
        return json_answer({"error": "No SSG content available on server"}, 503)
    return json_answer({"version": found.version, "files": list(found.files)})


@routes.get("/api/v1/compliance/ssg-content/{name}", name="agents.ssg_content.download")
@agent_only(limit="agent")
async def content(request: web.Request) -> web.StreamResponse:
    """Hand out one content file: an uploaded guide for that system before the folder's."""
    asked, name = call(request), path_text(request, "name")
    try:
        found = await guides.choose(asked, [name])
    except ContentMissing:
        # It says as well what is wrong with the name.
        await in_thread(path_of, world(request).env.content_dir, name)
        raise
    return await handing.out(request, found.guide)


@routes.get("/api/v1/compliance/guide", name="agents.guide")
@agent_only(limit="agent")
async def guide(request: web.Request) -> web.Response:
    """Answer by what a host is scanned: the guide of the first of these names, and the profile's tailoring file."""
    asked, query = call(request), request.query
    found = await guides.choose(asked, query.get("names", "")[:500].split(","), query.get("profile", ""))
    here = await service.content_here(asked)
    tailored = found.tailoring
    return json_answer(
        {
            "name": found.name,
            "version": here.version,
            "sha256": await guides.digest(found.guide),
            "tailoring": tailored.sha256 if tailored else None,
        }
    )


@routes.get("/api/v1/compliance/tailoring/{sha256}", name="agents.tailoring.download")
@agent_only(limit="agent")
async def tailoring(request: web.Request) -> web.StreamResponse:
    """Hand out a tailoring file."""
    found = await guides.fetch(call(request), path_text(request, "sha256"))
    return await handing.out(request, found)
