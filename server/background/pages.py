"""The page of background jobs."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.background import rules, service
from server.background.errors import BadState
from server.background.models import STATES, Numbers, Run, Scheduled
from server.core.paging import Page as Part
from server.core.paging import Window
from server.web import flash
from server.web.forms import query_number
from server.web.navigation import Entry
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text, work

routes: Final = Routes()
ENTRIES: Final = (Entry("System", "Background jobs", "/automation", "clock", 70, "can_view_dashboard"),)
_RUNS: Final = 25


@dataclass(frozen=True, slots=True)
class BackgroundPage(Page):
    """templates/background/jobs.html."""

    template: ClassVar[str] = "background/jobs.html"
    title: ClassVar[str] = "Background jobs"
    numbers: Numbers
    scheduled: list[tuple[Scheduled, str]]
    runs: list[tuple[Run, str]]
    page: Part[Run]
    state: str
    can_start: bool


@routes.get("/automation")
@gated("can_view_dashboard")
async def show(request: web.Request) -> web.Response:
    """Show what runs by the clock, and the runs of the last days."""
    asked, tasks, state = call(request), work(request), request.query.get("state", "")
    if state and state not in STATES:
        raise BadState
    titles = {task.name: rules.title(task) for task in tasks}
    page = await service.runs(asked, [], state, Window(query_number(request, "page", 1), _RUNS))
    found = [service.hidden(run) for run in page.items] if asked.actor.groups is not None else page.items
    shown = BackgroundPage(
        numbers=await service.numbers(asked),
        scheduled=[(one, rules.every(one.every_seconds)) for one in await service.schedule(asked, tasks)],
        runs=[(run, titles.get(run.name, run.name)) for run in found],
        page=page,
        state=state,
        can_start=asked.actor.may("can_manage_automation"),
    )
    return render(request, shown)


@routes.post("/automation/start/{job}")
@gated("can_manage_automation")
async def start(request: web.Request) -> web.Response:
    """Start a task by hand."""
    await service.start(call(request), work(request), path_text(request, "job"))
    return _back(request, "Started. Its run appears in the list below.")


@routes.post("/automation/runs/{run}/retry")
@gated("can_manage_automation")
async def retry(request: web.Request) -> web.Response:
    """Do again what failed."""
    await service.retry(call(request), path_text(request, "run"))
    return _back(request, "Started again with the same arguments.")


def _back(request: web.Request, text: str) -> web.Response:
    response = web.Response(status=303, headers={"Location": "/automation"})
    flash.say(response, request, "good", text)
    return response
