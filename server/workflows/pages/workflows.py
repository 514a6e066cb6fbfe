"""The list of workflows, and one of them with its runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from aiohttp import web

from server.core.paging import Window
from server.web.forms import posted
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Column, Listing, Table, listing, parse, settled
from server.workflows import drawing, service
from server.workflows.drawing import Drawing
from server.workflows.models import Graph, Row
from server.workflows.pages.frame import MANAGE, VIEW, WORKFLOWS, back, may_change
from server.workflows.pages.runs import RunRow, run_row

routes: Final = Routes()

_LATEST: Final = 10
TABLE: Final = Table(
    name="workflows",
    path="/workflows",
    noun="workflow",
    columns=(
        Column("name", "Workflow", sortable=True, place="title", fixed=True),
        Column("steps", "Steps", place="prose"),
        Column("last", "Last run", sortable=True, first="desc"),
        Column("updated", "Changed", sortable=True, first="desc", wide_only=True),
        Column("run", "Run", place="state"),
    ),
    search="Find workflows",
    sort="name",
    empty="No workflow yet. A workflow runs playbooks one after the other, and waits for people where you want it to.",
    empty_icon="sitemap",
    empty_action=("New workflow", "/workflows/new"),
)


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """A workflow in the list; ``steps`` in order."""

    id: str
    url: str
    name: str
    description: str
    steps: list[str]
    last_run: str
    last_status: str
    last_look: str
    last_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class WorkflowsPage(Page):
    """templates/workflows/list.html."""

    template: ClassVar[str] = "workflows/list.html"
    title: ClassVar[str] = "Workflows"
    listing: Listing
    rows: list[WorkflowRow]
    can_change: bool


@dataclass(frozen=True, slots=True)
class WorkflowPage(Page):
    """templates/workflows/workflow.html."""

    template: ClassVar[str] = "workflows/workflow.html"
    title: ClassVar[str] = "Workflow"
    workflow: WorkflowRow
    created_by: str
    graph: Graph
    drawing: Drawing
    runs: list[RunRow]
    total: int
    can_change: bool
    can_launch: bool
    can_schedule: bool


@routes.get("/workflows")
@gated(VIEW)
async def show_list(request: web.Request) -> web.Response:
    """Show every workflow with its last run."""
    asked, wanted = call(request), parse(TABLE, request.query)
    headers = settled(request, wanted)
    page = await service.page(
        asked, wanted.window, search=wanted.search, sort=wanted.sort, descending=wanted.direction == "desc"
    )
    rows = [_row(one) for one in page.items]
    found = listing(wanted, page.total, may=asked.actor.may)
    return render(request, WorkflowsPage(found, rows, may_change(request)), headers=headers)


def _row(found: Row) -> WorkflowRow:
    status = found["last_status"] or ""
    return WorkflowRow(
        id=str(found["id"]),
        url=f"/workflows/{found['id']}",
        name=found["name"],
        description=found["description"],
        steps=[node.shown for node in found["graph"].nodes],
        last_run=f"/workflows/runs/{found['last_run']}" if found["last_run"] else "",
        last_status=status,
        last_look=drawing.SHOWN.get(status, "neutral"),
        last_at=found["last_at"],
        updated_at=found["updated_at"],
    )


@routes.get("/workflows/{workflow}")
@gated(VIEW)
async def show(request: web.Request) -> web.Response:
    """Show one workflow, drawn, and its last runs."""
    asked = call(request)
    found = await service.fetch(asked, path_text(request, "workflow"))
    runs = await service.page_of_runs(asked, Window(1, _LATEST), workflow=str(found["id"]))
    page = WorkflowPage(
        workflow=_row(found),
        created_by=found["created_by"],
        graph=found["graph"],
        drawing=drawing.drawn(found["graph"]),
        runs=[run_row(one) for one in runs.items],
        total=runs.total,
        can_change=may_change(request),
        can_launch=await service.may_launch(asked, found["graph"]),
        can_schedule=asked.actor.may(MANAGE),
    )
    return render(request, page, breadcrumbs=(WORKFLOWS, (found["name"], "")))


@routes.post("/workflows/{workflow}/launch")
@gated(VIEW)
async def launch(request: web.Request) -> web.Response:
    """Start a workflow."""
    await posted(request)
    run, _ = await service.launch(call(request), path_text(request, "workflow"))
    return back(request, f"/workflows/runs/{run['id']}", "The workflow was started.")


@routes.post("/workflows/{workflow}/delete")
@gated(MANAGE)
async def delete(request: web.Request) -> web.Response:
    """Remove a workflow; its runs stay."""
    await posted(request)
    await service.delete(call(request), path_text(request, "workflow"))
    return back(request, "/workflows", "The workflow was deleted. Its runs stay.")
