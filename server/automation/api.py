"""Jobs and playbooks for programs, and the door by which agents hand in result files."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import orjson
from aiohttp import web

from server.automation import artifacts, schemas, service, stream
from server.automation.errors import BadResult
from server.automation.models import EventLine, Job
from server.core.call import Call
from server.core.paging import Window
from server.web.forms import query_number, read_bytes, read_json
from server.web.live import Happening, last_seen, sse
from server.web.problems import json_answer
from server.web.repeats import key_of, replay_headers
from server.web.routing import Routes, agent_only, call, gated, path_text

routes = Routes()

_VIEW: Final = "can_view_hosts"
_RESULT_BYTES: Final = 64 * 1024**2
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@routes.get("/api/v1/playbooks")
@gated(_VIEW)
async def list_playbooks(request: web.Request) -> web.Response:
    """Answer every playbook and its variables."""
    return json_answer(
        {"playbooks": [schemas.playbook_view(found) for found in await service.playbooks(call(request))]}
    )


@routes.get("/api/v1/jobs")
@gated(_VIEW)
async def list_jobs(request: web.Request) -> web.Response:
    """Answer jobs, newest first."""
    window = Window(query_number(request, "page", 1), query_number(request, "limit", 50, most=500))
    query = {name: schemas.plain(request.query.get(name, "")) for name in ("playbook", "q", "only")}
    page = await service.page_of_jobs(
        call(request), window, playbook=query["playbook"], search=query["q"], only=query["only"]
    )
    return json_answer({"jobs": [schemas.job_view(job) for job in page.items], "total": page.total})


@routes.post("/api/v1/jobs")
@gated(_VIEW)
async def launch(request: web.Request) -> web.Response:
    """Start a job."""
    asked, order = call(request), (await read_json(request, schemas.LaunchBody)).order()
    job = await service.launch(asked, replace(order, idempotency_key=key_of(request) or order.idempotency_key))
    # What was launched under the same key before was not made by this request.
    headers = {"Location": f"/api/v1/jobs/{job.uuid}", **replay_headers(replayed=job.created_at != asked.now)}
    return json_answer(await _detail(asked, job), status=201, headers=headers)


@routes.get("/api/v1/jobs/{job}")
@gated(_VIEW)
async def show(request: web.Request) -> web.Response:
    """Answer one job and its hosts."""
    return json_answer(await _detail(call(request), await _job(request)))


@routes.post("/api/v1/jobs/{job}/stop")
@gated(_VIEW)
async def stop(request: web.Request) -> web.Response:
    """End a job or some of its hosts."""
    body = await read_json(request, schemas.StopBody) if request.can_read_body else schemas.StopBody()
    return json_answer(
        await _detail(call(request), await service.stop(call(request), path_text(request, "job"), body.hosts))
    )


@routes.post("/api/v1/jobs/{job}/approve")
@gated(_VIEW)
async def approve(request: web.Request) -> web.Response:
    """Let a job go out that somebody else launched."""
    job = await service.approve(call(request), path_text(request, "job"))
    return json_answer(await _detail(call(request), await service.fetch(call(request), job)))


@routes.post("/api/v1/jobs/{job}/relaunch")
@gated(_VIEW)
async def relaunch(request: web.Request) -> web.Response:
    """Run a job again where it failed, or everywhere."""
    body = await read_json(request, schemas.RelaunchBody) if request.can_read_body else schemas.RelaunchBody()
    job = await service.relaunch(
        call(request), path_text(request, "job"), failed_only=body.failed_only, variables=body.variables
    )
    return json_answer(await _detail(call(request), job), status=201)


@routes.get("/api/v1/jobs/{job}/events")
@gated(_VIEW)
async def list_events(request: web.Request) -> web.Response:
    """Answer events behind a position; PostgreSQL wrote the JSON, it is only put together here."""
    job = await _job(request)
    host = (
        await service.host_of(call(request), job, schemas.plain(request.query["host"]))
        if request.query.get("host")
        else None
    )
    limit = query_number(request, "limit", 1000, most=5000)
    lines = await service.event_lines(call(request), job, after=last_seen(request), limit=limit, host=host)
    more = len(lines) == limit
    body = {
        "events": [orjson.Fragment(line.text) for line in lines],
        "more": more,
        "position": lines[-1].position if lines else 0,
    }
    return json_answer(body)


@routes.get("/api/v1/jobs/{job}/stream", name="api.jobs.stream")
@gated(_VIEW)
async def follow(request: web.Request) -> web.StreamResponse:
    """Stream a job's events and states as they are stored; ``Last-Event-ID`` resumes without gaps or doubles."""
    news = stream.follow_lines(call(request), await _job(request), last_seen(request))
    return await sse(request, _happenings(news))


async def _happenings(news: AsyncIterator[stream.Progress[EventLine] | None]) -> AsyncIterator[Happening | None]:
    async for progress in news:
        if progress is None:
            yield None
            continue
        # States come first and without a number: a reader cut off after them hears them again.
        for host in progress.hosts:
            yield Happening("host", schemas.host_view(host))
        for line in progress.events:
            yield Happening("event", orjson.Fragment(line.text), line.position)
        if progress.hosts or progress.over:
            yield Happening("job", schemas.job_view(progress.job), progress.position)
        if progress.over:
            yield Happening("end", schemas.job_view(progress.job), progress.position)


@routes.get("/api/v1/jobs/{job}/artifacts.tar.gz", name="api.jobs.artifacts")
@gated(_VIEW)
async def take_artifacts(request: web.Request) -> web.StreamResponse:
    """Stream what a job left behind, as ansible-runner lays it out."""
    job = await _job(request)
    name = f'attachment; filename="{job.uuid}.tar.gz"'
    response = web.StreamResponse(headers={"Content-Type": "application/gzip", "Content-Disposition": name})
    await response.prepare(request)
    async for piece in artifacts.packed(call(request), job):
        await response.write(piece)
    await response.write_eof()
    return response


@routes.get("/api/v1/jobs/{job}/hosts/{host}/results/{digest}")
@gated(_VIEW)
async def show_result(request: web.Request) -> web.Response:
    """Answer a module's result file."""
    host = await service.host_of(call(request), await _job(request), schemas.plain(path_text(request, "host")))
    content = await service.result(call(request), host.uuid, schemas.plain(path_text(request, "digest")))
    return web.Response(body=content, content_type="application/json", headers={"X-Content-Type-Options": "nosniff"})


@routes.put("/api/v1/agent/results/{digest}", name="agent.results.upload")
@agent_only()
async def keep_result(request: web.Request) -> web.Response:
    """Take a result file from an agent; the name proves the content, so handing it in twice is harmless."""
    digest = path_text(request, "digest")
    if not _DIGEST.fullmatch(digest):
        raise BadResult
    content = await read_bytes(request, _RESULT_BYTES)
    return json_answer(
        {"digest": digest}, status=201 if await service.keep_result(call(request), digest, content) else 200
    )


async def _job(request: web.Request) -> Job:
    return await service.fetch(call(request), path_text(request, "job"))


async def _detail(asked: Call, job: Job) -> dict[str, object]:
    hosts = await service.hosts_of(asked, job)
    return schemas.job_detail(job, hosts, await service.results_of_job(asked, job))
