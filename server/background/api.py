"""Background work for programs."""

from typing import Final

from aiohttp import web

from server.background import schemas, service
from server.core.paging import Window
from server.web.forms import query_number
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text, work

routes: Final = Routes()


@routes.get("/api/v1/automation/overview")
@gated("can_view_dashboard")
async def overview(request: web.Request) -> web.Response:
    """Answer what runs by the clock and how it went."""
    asked = call(request)
    numbers = await service.numbers(asked)
    scheduled = await service.schedule(asked, work(request))
    data = {
        "scheduledTasks": numbers.waiting,
        "runningTasks": numbers.running,
        "failedTasks": numbers.failed,
        "totalAutomations": len(scheduled),
        "automations": [schemas.scheduled(one) for one in scheduled],
    }
    return json_answer({"success": True, "data": data})


@routes.get("/api/v1/automation/stats")
@gated("can_view_dashboard")
async def stats(request: web.Request) -> web.Response:
    """Answer how much work there is."""
    numbers = await service.numbers(call(request))
    data = {
        "waiting": numbers.waiting,
        "active": numbers.running,
        "failed": numbers.failed,
        "completed": numbers.done,
        "delayed": 0,
    }
    return json_answer({"success": True, "data": data})


@routes.get("/api/v1/automation/jobs/{queue}")
@gated("can_view_dashboard")
async def jobs(request: web.Request) -> web.Response:
    """Answer the newest runs of a task, by its own name or the one it is started by."""
    asked, name = call(request), path_text(request, "queue")
    names = [task.name for task in work(request) if name in {task.name, task.also}]
    window = Window(1, query_number(request, "limit", 50, most=200))
    found = (await service.runs(asked, names, "", window)).items if names else []
    shown = [service.hidden(one) for one in found] if asked.actor.groups is not None else found
    return json_answer({"success": True, "data": [schemas.run(one) for one in shown]})


@routes.post("/api/v1/automation/trigger/{job}")
@gated("can_manage_automation")
async def trigger(request: web.Request) -> web.Response:
    """Start a task by hand."""
    run = await service.start(call(request), work(request), path_text(request, "job"))
    return json_answer({"success": True, "data": {"jobId": run.id, "message": f"{run.name} was started"}})
