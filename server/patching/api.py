"""Runs and policies for programs, and the live output of a run."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import orjson
from aiohttp import web

from server.core.log import get_log
from server.core.loop import Keeper
from server.patching import policies, rollback, schemas, service, stream
from server.patching.errors import BadRun
from server.patching.models import Listed, Status
from server.patching.queries.runs import ORDERS
from server.web.forms import query_number, read_json
from server.web.handler_code import documented
from server.web.live import Happening, sse
from server.web.problems import json_answer
from server.web.repeats import key_of, replay_headers
from server.web.routing import Routes, call, gated, path_text

log = get_log(__name__)
routes: Final = Routes()

_VIEW: Final = "can_view_hosts"
_MANAGE: Final = "can_manage_patching"
_MODULE: Final = "patching"
_POLICIES: Final = "patching_policies"
_RECENT: Final = 10
_PING_SECONDS: Final = 30.0
_WRITE_SECONDS: Final = 10.0
_HEARD_BYTES: Final = 1024


# ---------------------------------------------------------------- runs


@routes.get("/api/v1/patching/dashboard")
@gated(_VIEW, module=_MODULE)
async def dashboard(request: web.Request) -> web.Response:
    """Answer the tiles, the newest runs and those under way."""
    asked = call(request)
    recent, _ = await service.runs(asked, Listed(limit=_RECENT))
    active, _ = await service.runs(asked, Listed(status="active", limit=200))
    return json_answer(
        {
            "summary": schemas.summary(await service.counts(asked)),
            "recent_runs": [schemas.run_view(row) for row in recent],
            "active_runs": [schemas.run_view(row) for row in active],
        }
    )


@routes.get("/api/v1/patching/preview-run")
@gated(_VIEW, module=_MODULE)
async def preview(request: web.Request) -> web.Response:
    """Answer which policy holds for a host and when a run would begin."""
    host = request.query.get("host_id", "") or request.query.get("hostId", "")
    if not host:
        raise BadRun.of({"host_id": "host_id is required"})
    return json_answer(schemas.preview_view(await service.preview(call(request), host)))


@routes.post("/api/v1/patching/trigger")
@gated(_MANAGE, module=_MODULE)
async def trigger(request: web.Request) -> web.Response:
    """Make one run per host, to begin now, at its policy's time, or once somebody approves."""
    wanted = (await read_json(request, schemas.TriggerBody)).wanted()
    made, replayed = await service.trigger_once(call(request), wanted, key_of(request))
    return json_answer(schemas.trigger_view(made, wanted), headers=replay_headers(replayed=replayed))


@routes.get("/api/v1/patching/runs")
@gated(_VIEW, module=_MODULE)
async def list_runs(request: web.Request) -> web.Response:
    """Answer runs without their output, newest first unless asked otherwise."""
    query = request.query
    asked = Listed(
        host=query.get("host_id", ""),
        status=_one_of(query.get("status", ""), ("active", *Status)),
        patch_type=_one_of(query.get("type", "") or query.get("patch_type", ""), ("patch_all", "patch_package")),
        sort_by=_one_of(query.get("sort_by", ""), tuple(ORDERS)) or "created_at",
        sort_dir=_one_of(query.get("sort_dir", ""), ("asc", "desc")) or "desc",
        limit=query_number(request, "limit", 25, most=200),
        offset=query_number(request, "offset", 0, least=0, most=10_000_000),
    )
    rows, total = await service.runs(call(request), asked)
    return json_answer(schemas.page_view(rows, total, asked.limit, asked.offset))


def _one_of(value: str, known: tuple[str, ...]) -> str:
    return value if value in known else ""


@routes.get("/api/v1/patching/runs/active")
@gated(_VIEW, module=_MODULE)
async def list_active(request: web.Request) -> web.Response:
    """Answer the runs that are queued or running."""
    rows, _ = await service.runs(call(request), Listed(status="active", limit=200))
    return json_answer({"runs": [schemas.run_view(row) for row in rows]})


@routes.get("/api/v1/patching/runs/{run}")
@gated(_VIEW, module=_MODULE)
async def show_run(request: web.Request) -> web.Response:
    """Answer one run with its output."""
    return json_answer(schemas.run_view(await service.fetch(call(request), path_text(request, "run"))))


@routes.post("/api/v1/patching/runs/{run}/approve")
@gated(_MANAGE, module=_MODULE)
async def approve(request: web.Request) -> web.Response:
    """Sign a run off and answer the real run that follows."""
    body = await read_json(request, schemas.ApproveBody) if request.can_read_body else schemas.ApproveBody()
    made = await service.approve(
        call(request), path_text(request, "run"), immediately=body.schedule_override == "immediate"
    )
    answer = {
        "message": "Patch run approved",
        "patch_run_id": made.id,
        "validation_run_id": made.validation_run_id,
        "status": made.status,
        "run_at": made.run_at,
    }
    return json_answer(answer)


@routes.post("/api/v1/patching/runs/{run}/retry-validation")
@gated(_MANAGE, module=_MODULE)
async def retry(request: web.Request) -> web.Response:
    """Queue a dry run once more."""
    again = await service.retry(call(request), path_text(request, "run"))
    return json_answer({"message": "Validation queued again", "patch_run_id": again.id})


@routes.post("/api/v1/patching/runs/{run}/stop")
@gated(_MANAGE, module=_MODULE)
async def stop(request: web.Request) -> web.Response:
    """Ask the host to end a run; its last word follows on the stream."""
    await service.stop(call(request), path_text(request, "run"))
    return json_answer({"ok": True, "cancelled_via": "agent_signal"}, 202)


@routes.post("/api/v1/patching/runs/{run}/rollback")
@gated(_MANAGE, module=_MODULE)
async def roll_back(request: web.Request) -> web.Response:
    """Start a job that puts back the versions a run replaced; without a word about it, a dry run."""
    body = await read_json(request, schemas.RollbackBody) if request.can_read_body else schemas.RollbackBody()
    begun = await rollback.begin(call(request), path_text(request, "run"), dry_run=body.dry_run, partial=body.partial)
    answer = {
        "message": "Dry run of the rollback queued" if begun.dry_run else "Rollback queued",
        "job_id": begun.job,
        "dry_run": begun.dry_run,
        "packages": list(begun.packages),
    }
    return json_answer(answer, 202)


@routes.delete("/api/v1/patching/runs/{run}")
@gated(_MANAGE, module=_MODULE)
async def delete(request: web.Request) -> web.Response:
    """Remove a run that has not begun."""
    await service.delete(call(request), path_text(request, "run"))
    return json_answer({"message": "Patch run deleted"})


# ---------------------------------------------------------------- live


@routes.get("/api/v1/patching/runs/{run}/stream", name="api.patching.stream")
@documented(answers={101: ""})
@gated(_VIEW, module=_MODULE)
async def watch(request: web.Request) -> web.StreamResponse:
    """Send a run's output over a WebSocket: one ``snapshot``, each ``chunk``, one ``done``; then it closes."""
    found = await service.fetch(call(request), path_text(request, "run"))
    ws = web.WebSocketResponse(heartbeat=_PING_SECONDS, max_msg_size=_HEARD_BYTES, compress=False)
    await ws.prepare(request)
    keeper = Keeper()
    keeper.start("patch-stream", _send(ws, stream.follow(call(request), found["id"])))
    try:
        async for _ in ws:
            # Watchers have nothing to say; reading answers their pings and sees them leave.
            continue
    finally:
        await keeper.close()
    return ws


async def _send(ws: web.WebSocketResponse, messages: AsyncIterator[stream.Message | None]) -> None:
    try:
        async for message in messages:
            if message is not None:
                async with asyncio.timeout(_WRITE_SECONDS):
                    await ws.send_str(orjson.dumps(message).decode())
    except (ConnectionError, TimeoutError) as error:
        log.info("patching: stream reader dropped", reason=type(error).__name__)
    await ws.close()


@routes.get("/api/v1/patching/runs/{run}/events/stream", name="api.patching.events")
@gated(_VIEW, module=_MODULE)
async def follow(request: web.Request) -> web.StreamResponse:
    """Send the same messages as Server-Sent Events, named as their types."""
    found = await service.fetch(call(request), path_text(request, "run"))
    return await sse(request, _happenings(stream.follow(call(request), found["id"])))


async def _happenings(messages: AsyncIterator[stream.Message | None]) -> AsyncIterator[Happening | None]:
    async for message in messages:
        yield None if message is None else Happening(str(message["type"]), message)


# ---------------------------------------------------------------- policies


@routes.get("/api/v1/patching/policies")
@gated(_VIEW, module=_POLICIES)
async def list_policies(request: web.Request) -> web.Response:
    """Answer every policy."""
    return json_answer([schemas.policy_view(row) for row in await policies.everything(call(request))])


@routes.post("/api/v1/patching/policies")
@gated(_MANAGE, module=_POLICIES)
async def create_policy(request: web.Request) -> web.Response:
    """Make a policy."""
    body = await read_json(request, schemas.PolicyBody)
    return json_answer(schemas.policy_view(await policies.create(call(request), body.policy())), 201)


@routes.get("/api/v1/patching/policies/{policy}")
@gated(_VIEW, module=_POLICIES)
async def show_policy(request: web.Request) -> web.Response:
    """Answer one policy with its assignments and exclusions."""
    return json_answer(schemas.policy_view(await policies.fetch(call(request), path_text(request, "policy"))))


@routes.put("/api/v1/patching/policies/{policy}")
@gated(_MANAGE, module=_POLICIES)
async def change_policy(request: web.Request) -> web.Response:
    """Change a policy for future runs."""
    body = await read_json(request, schemas.PolicyBody)
    changed = await policies.change(call(request), body.policy(path_text(request, "policy")))
    return json_answer(schemas.policy_view(changed))


@routes.delete("/api/v1/patching/policies/{policy}")
@gated(_MANAGE, module=_POLICIES)
async def delete_policy(request: web.Request) -> web.Response:
    """Remove a policy."""
    await policies.delete(call(request), path_text(request, "policy"))
    return web.Response(status=204)


@routes.get("/api/v1/patching/policies/{policy}/assignments")
@gated(_VIEW, module=_POLICIES)
async def list_assignments(request: web.Request) -> web.Response:
    """Answer whom a policy is given to."""
    return json_answer((await policies.fetch(call(request), path_text(request, "policy")))["assignments"])


@routes.post("/api/v1/patching/policies/{policy}/assignments")
@gated(_MANAGE, module=_POLICIES)
async def assign(request: web.Request) -> web.Response:
    """Give a policy to a host or a host group."""
    body = await read_json(request, schemas.AssignmentBody)
    policy = path_text(request, "policy")
    return json_answer(await policies.assign(call(request), policy, body.target_type, body.target_id), 201)


@routes.delete("/api/v1/patching/policies/{policy}/assignments/{assignment}")
@gated(_MANAGE, module=_POLICIES)
async def unassign(request: web.Request) -> web.Response:
    """Take a policy away."""
    await policies.unassign(call(request), path_text(request, "policy"), path_text(request, "assignment"))
    return web.Response(status=204)


@routes.post("/api/v1/patching/policies/{policy}/exclusions")
@gated(_MANAGE, module=_POLICIES)
async def exclude(request: web.Request) -> web.Response:
    """Leave a host out of a policy."""
    body = await read_json(request, schemas.ExclusionBody)
    return json_answer(await policies.exclude(call(request), path_text(request, "policy"), body.host_id), 201)


@routes.delete("/api/v1/patching/policies/{policy}/exclusions/{host}")
@gated(_MANAGE, module=_POLICIES)
async def include(request: web.Request) -> web.Response:
    """Let a policy hold for a host again."""
    await policies.include(call(request), path_text(request, "policy"), path_text(request, "host"))
    return web.Response(status=204)
