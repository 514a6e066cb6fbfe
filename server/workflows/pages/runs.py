"""The list of runs, and one of them, live."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from aiohttp import web

from server.web.filters import Filter
from server.web.forms import posted
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Column, Listing, Table, listing, parse, settled
from server.workflows import drawing, rules, service
from server.workflows.drawing import Drawing
from server.workflows.models import Row, RunState
from server.workflows.pages.frame import VIEW, WORKFLOWS, back

routes: Final = Routes()

_RUNS: Final = ("Runs", "/workflows/runs")
TABLE: Final = Table(
    name="workflow-runs",
    path="/workflows/runs",
    noun="run",
    columns=(
        Column("name", "Workflow", place="title", fixed=True),
        Column("status", "State", place="state", fixed=True),
        Column("steps", "Steps", numeric=True),
        Column("by", "Started by"),
        Column("began", "Began"),
        Column("took", "Took", numeric=True),
    ),
    filters=(
        Filter("status", "State", "choice", choices=(("active", "under way"), *((one, str(one)) for one in RunState))),
    ),
    search="Find runs",
    empty="No workflow has run yet.",
    empty_icon="sitemap",
)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in a list."""

    url: str
    name: str
    status: str
    look: str
    live: bool
    reason: str
    ended: int
    total: int
    by: str
    cause: str
    created_at: datetime
    seconds: float | None


@dataclass(frozen=True, slots=True)
class RunsPage(Page):
    """templates/workflows/runs.html."""

    template: ClassVar[str] = "workflows/runs.html"
    title: ClassVar[str] = "Workflow runs"
    listing: Listing
    rows: list[RunRow]


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step of a run; ``decide`` is where it is approved or rejected, empty when nobody is asked for."""

    key: str
    title: str
    kind: str
    state: str
    look: str
    reason: str
    job_url: str
    started_at: datetime | None
    due_at: datetime | None
    seconds: float | None
    decide: str


@dataclass(frozen=True, slots=True)
class RunPage(Page):
    """templates/workflows/run.html."""

    template: ClassVar[str] = "workflows/run.html"
    title: ClassVar[str] = "Workflow run"
    run: RunRow
    id: str
    workflow_url: str
    earlier_url: str
    drawing: Drawing
    steps: list[StepRow]
    can_cancel: bool
    can_relaunch: bool


@routes.get("/workflows/runs")
@gated(VIEW)
async def show_list(request: web.Request) -> web.Response:
    """Show runs, newest first."""
    asked, wanted = call(request), parse(TABLE, request.query)
    headers = settled(request, wanted)
    page = await service.page_of_runs(asked, wanted.window, status=wanted.value("status"), search=wanted.search)
    found = listing(wanted, page.total, may=asked.actor.may)
    crumbs = (WORKFLOWS, ("Runs", ""))
    return render(request, RunsPage(found, [run_row(one) for one in page.items]), headers=headers, breadcrumbs=crumbs)


def run_row(row: Row) -> RunRow:
    """Return a run as lists show it."""
    over = row["status"] in rules.OVER
    return RunRow(
        url=f"/workflows/runs/{row['id']}",
        name=row["name"],
        status=row["status"],
        look=drawing.SHOWN.get(row["status"], "neutral"),
        live=not over,
        reason=row["reason"],
        ended=row.get("ended", 0),
        total=row.get("total", 0),
        by=row.get("started_by") or "",
        cause=row["cause"],
        created_at=row["created_at"],
        seconds=(row["finished_at"] - row["created_at"]).total_seconds() if row["finished_at"] else None,
    )


@routes.get("/workflows/runs/{run}")
@gated(VIEW)
async def show(request: web.Request) -> web.Response:
    """Show one run as it stands; the page looks again while it goes on."""
    asked = call(request)
    found = await service.fetch_run(asked, path_text(request, "run"))
    may = await service.may_launch(asked, found["graph"])
    links = {one["key"]: f"/jobs/{one['job']}" for one in found["nodes"] if one["job"]}
    states = {one["key"]: one["state"] for one in found["nodes"]}
    ended = sum(state in rules.ENDED for state in states.values())
    row = {**found, "started_by": found["starter"]["name"], "ended": ended, "total": len(states)}
    over = found["status"] in rules.OVER
    page = RunPage(
        run=run_row(row),
        id=str(found["id"]),
        workflow_url=f"/workflows/{found['workflow_id']}" if found["workflow_id"] else "",
        earlier_url=f"/workflows/runs/{found['relaunch_of']}" if found["relaunch_of"] else "",
        drawing=drawing.drawn(found["graph"], states, links),
        steps=[_step(found, one, may=may) for one in found["nodes"]],
        can_cancel=may and not over and found["status"] != RunState.CANCELLING,
        can_relaunch=may and found["status"] in {RunState.FAILED, RunState.CANCELLED},
    )
    return render(request, page, breadcrumbs=(WORKFLOWS, _RUNS, (found["name"], "")))


def _step(run: Row, node: Row, *, may: bool) -> StepRow:
    began, ended = node["started_at"], node["finished_at"]
    return StepRow(
        key=node["key"],
        title=node["title"],
        kind=node["kind"],
        state=node["state"],
        look=drawing.SHOWN.get(node["state"], "neutral"),
        reason=node["reason"],
        job_url=f"/jobs/{node['job']}" if node["job"] else "",
        started_at=began,
        due_at=node["due_at"],
        seconds=(ended - began).total_seconds() if began and ended else None,
        decide=f"/workflows/runs/{run['id']}/steps/{node['key']}" if may and node["state"] == "waiting" else "",
    )


@routes.post("/workflows/runs/{run}/cancel")
@gated(VIEW)
async def cancel(request: web.Request) -> web.Response:
    """End a run."""
    await posted(request)
    run = path_text(request, "run")
    await service.cancel(call(request), run)
    return back(request, f"/workflows/runs/{run}", "The run was cancelled; jobs under way are told to stop.")


@routes.post("/workflows/runs/{run}/relaunch")
@gated(VIEW)
async def relaunch(request: web.Request) -> web.Response:
    """Start again where a run failed."""
    await posted(request)
    made = await service.relaunch(call(request), path_text(request, "run"))
    return back(request, f"/workflows/runs/{made['id']}", "It begins again where it failed.")


@routes.post("/workflows/runs/{run}/steps/{step}/approve")
@gated(VIEW)
async def approve(request: web.Request) -> web.Response:
    """Let a run go on that waits for somebody, or end a pause."""
    return await _decided(request, "The run goes on.", approve=True)


@routes.post("/workflows/runs/{run}/steps/{step}/reject")
@gated(VIEW)
async def reject(request: web.Request) -> web.Response:
    """Let the step fail that waits for somebody."""
    return await _decided(request, "The step was rejected.", approve=False)


async def _decided(request: web.Request, text: str, *, approve: bool) -> web.Response:
    await posted(request)
    run = path_text(request, "run")
    await service.decide(call(request), run, path_text(request, "step"), approve=approve)
    return back(request, f"/workflows/runs/{run}", text)
