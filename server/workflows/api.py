"""Workflows, their runs and schedules for programs."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from server.core.call import Call
from server.core.paging import Window
from server.web.forms import query_number, read_json
from server.web.live import Happening, last_seen, sse
from server.web.problems import json_answer
from server.web.repeats import key_of, replay_headers
from server.web.routing import Routes, call, gated, path_text
from server.workflows import rules, schedules, schemas, service, stream

routes: Final = Routes()

_VIEW: Final = "can_view_hosts"
_MANAGE: Final = "can_manage_automation"


def _window(request: web.Request) -> Window:
    return Window(query_number(request, "page", 1), query_number(request, "limit", 100, most=1000))


def _text(request: web.Request, name: str) -> str:
    return request.query.get(name, "").replace("\0", "")


# ---------------------------------------------------------------- workflows


@routes.get("/api/v1/workflows")
@gated(_VIEW)
async def list_workflows(request: web.Request) -> web.Response:
    """Answer workflows by name."""
    page = await service.page(call(request), _window(request), search=_text(request, "search"))
    return json_answer({"workflows": [schemas.workflow_view(row) for row in page.items], "total": page.total})


@routes.post("/api/v1/workflows")
@gated(_MANAGE)
async def create_workflow(request: web.Request) -> web.Response:
    """Make a workflow."""
    wanted = (await read_json(request, schemas.WorkflowBody)).workflow()
    return json_answer(schemas.workflow_view(await service.create(call(request), wanted)), 201)


@routes.get("/api/v1/workflows/{workflow}")
@gated(_VIEW)
async def show_workflow(request: web.Request) -> web.Response:
    """Answer one workflow."""
    return json_answer(schemas.workflow_view(await service.fetch(call(request), path_text(request, "workflow"))))


@routes.put("/api/v1/workflows/{workflow}")
@gated(_MANAGE)
async def change_workflow(request: web.Request) -> web.Response:
    """Change a workflow; a masked secret keeps its value."""
    wanted = (await read_json(request, schemas.WorkflowBody)).workflow()
    changed = await service.change(call(request), path_text(request, "workflow"), wanted)
    return json_answer(schemas.workflow_view(changed))


@routes.delete("/api/v1/workflows/{workflow}")
@gated(_MANAGE)
async def delete_workflow(request: web.Request) -> web.Response:
    """Remove a workflow and its schedules."""
    await service.delete(call(request), path_text(request, "workflow"))
    return json_answer({"message": "Workflow deleted"})


@routes.post("/api/v1/workflows/{workflow}/launch")
@gated(_VIEW)
async def launch_workflow(request: web.Request) -> web.Response:
    """Start a workflow."""
    run, replayed = await service.launch(call(request), path_text(request, "workflow"), key_of(request))
    headers = {"Location": f"/api/v1/workflow-runs/{run['id']}", **replay_headers(replayed=replayed)}
    return json_answer(schemas.run_view(run), 201, headers)


# ---------------------------------------------------------------- runs


@routes.get("/api/v1/workflow-runs")
@gated(_VIEW)
async def list_runs(request: web.Request) -> web.Response:
    """Answer runs without their steps, newest first; ``status`` is a state or ``active``."""
    page = await service.page_of_runs(
        call(request),
        _window(request),
        workflow=_text(request, "workflow"),
        status=_text(request, "status"),
        search=_text(request, "search"),
    )
    return json_answer({"runs": page.items, "total": page.total})


@routes.get("/api/v1/workflow-runs/{run}")
@gated(_VIEW)
async def show_run(request: web.Request) -> web.Response:
    """Answer one run with its steps."""
    return json_answer(schemas.run_view(await service.fetch_run(call(request), path_text(request, "run"))))


@routes.get("/api/v1/workflow-runs/{run}/stream", name="api.workflow_runs.stream")
@gated(_VIEW)
async def follow_run(request: web.Request) -> web.StreamResponse:
    """Stream a run whenever it moves (``run``) until its end (``end``)."""
    run = await service.fetch_run(call(request), path_text(request, "run"))
    return await sse(request, _happenings(call(request), str(run["id"]), last_seen(request)))


async def _happenings(asked: Call, run: str, after: int) -> AsyncIterator[Happening | None]:
    async for row in stream.follow(asked, run, after):
        if row is None:
            yield None
            continue
        over = row["status"] in rules.OVER
        yield Happening("end" if over else "run", schemas.run_view(row), row["position"])


@routes.post("/api/v1/workflow-runs/{run}/cancel")
@gated(_VIEW)
async def cancel_run(request: web.Request) -> web.Response:
    """End a run."""
    return json_answer(schemas.run_view(await service.cancel(call(request), path_text(request, "run"))))


@routes.post("/api/v1/workflow-runs/{run}/relaunch")
@gated(_VIEW)
async def relaunch_run(request: web.Request) -> web.Response:
    """Start again where a run failed."""
    return json_answer(schemas.run_view(await service.relaunch(call(request), path_text(request, "run"))), 201)


@routes.post("/api/v1/workflow-runs/{run}/nodes/{node}/approve")
@gated(_VIEW)
async def approve_node(request: web.Request) -> web.Response:
    """Let a run go on that waits for somebody, or end a pause."""
    return await _decided(request, approve=True)


@routes.post("/api/v1/workflow-runs/{run}/nodes/{node}/reject")
@gated(_VIEW)
async def reject_node(request: web.Request) -> web.Response:
    """Let the step fail that waits for somebody."""
    return await _decided(request, approve=False)


async def _decided(request: web.Request, *, approve: bool) -> web.Response:
    run, node = path_text(request, "run"), path_text(request, "node")
    return json_answer(schemas.run_view(await service.decide(call(request), run, node, approve=approve)))


# ---------------------------------------------------------------- schedules


@routes.get("/api/v1/schedules")
@gated(_MANAGE)
async def list_schedules(request: web.Request) -> web.Response:
    """Answer schedules by name, with their next times."""
    page = await schedules.page(call(request), _window(request), search=_text(request, "search"))
    return json_answer({"schedules": [schemas.schedule_view(row) for row in page.items], "total": page.total})


@routes.post("/api/v1/schedules")
@gated(_MANAGE)
async def create_schedule(request: web.Request) -> web.Response:
    """Make a schedule."""
    wanted = (await read_json(request, schemas.ScheduleBody)).schedule()
    return json_answer(schemas.schedule_view(await schedules.create(call(request), wanted)), 201)


@routes.get("/api/v1/schedules/{schedule}")
@gated(_MANAGE)
async def show_schedule(request: web.Request) -> web.Response:
    """Answer one schedule and what it started lately."""
    return json_answer(schemas.schedule_view(await schedules.fetch(call(request), path_text(request, "schedule"))))


@routes.put("/api/v1/schedules/{schedule}")
@gated(_MANAGE)
async def change_schedule(request: web.Request) -> web.Response:
    """Change a schedule; from then on it starts in the asker's name."""
    wanted = (await read_json(request, schemas.ScheduleBody)).schedule(path_text(request, "schedule"))
    return json_answer(schemas.schedule_view(await schedules.change(call(request), wanted)))


@routes.delete("/api/v1/schedules/{schedule}")
@gated(_MANAGE)
async def delete_schedule(request: web.Request) -> web.Response:
    """Remove a schedule."""
    await schedules.delete(call(request), path_text(request, "schedule"))
    return json_answer({"message": "Schedule deleted"})


@routes.post("/api/v1/schedules/{schedule}/pause")
@gated(_MANAGE)
async def pause_schedule(request: web.Request) -> web.Response:
    """Let it start nothing until it is resumed."""
    found = await schedules.switch(call(request), path_text(request, "schedule"), enabled=False)
    return json_answer(schemas.schedule_view(found))


@routes.post("/api/v1/schedules/{schedule}/resume")
@gated(_MANAGE)
async def resume_schedule(request: web.Request) -> web.Response:
    """Let it start again by itself."""
    found = await schedules.switch(call(request), path_text(request, "schedule"), enabled=True)
    return json_answer(schemas.schedule_view(found))


@routes.post("/api/v1/schedules/{schedule}/start")
@gated(_MANAGE)
async def start_schedule(request: web.Request) -> web.Response:
    """Start now what it starts, beside its times."""
    return json_answer(await schedules.start_now(call(request), path_text(request, "schedule")), 201)
