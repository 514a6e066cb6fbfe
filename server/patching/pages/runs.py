"""Runs & History: the list, and what is done with lines of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.core.errors import Problem
from server.patching import history, service
from server.patching.pages import words
from server.patching.pages.frame import MANAGE, MODULE, may_manage
from server.patching.recorded import Sought
from server.web.filters import Filter
from server.web.flash import back
from server.web.formats import link
from server.web.forms import page_of, posted
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Column, Listing, Table, Wanted, listing, parse, settled

routes: Final = Routes()

HISTORY: Final = Table(
    name="patching-runs",
    path="/patching?tab=runs",
    noun="run",
    columns=(
        Column("host", "Host", place="title", fixed=True),
        Column("type", "Type"),
        Column("status", "Status", place="state"),
        Column("by", "Initiated by"),
        Column("started", "Started"),
        Column("completed", "Completed"),
    ),
    filters=(
        Filter("status", "Status", "choice", (*words.STATUSES[1:], ("dry_run_completed", "Dry run completed"))),
        Filter("type", "Type", "choice", words.TYPES[1:]),
        Filter("host", "Host"),
        Filter("batch", "Started together"),
    ),
    search="Search hosts and packages",
    size=25,
    empty="No patch runs yet. Patch runs triggered from the Overview tab or from host detail pages will appear here.",
    empty_icon="package",
)
_MOST_AT_ONCE: Final = 200
_HOME: Final = "/patching?tab=runs"


@dataclass(frozen=True, slots=True)
class RunsPage(Page):
    """templates/patching/runs.html."""

    template: ClassVar[str] = "patching/runs.html"
    title: ClassVar[str] = "Runs & History"
    listing: Listing
    rows: list[words.RunRow]
    statuses: Sequence[tuple[str, str]]
    types: Sequence[tuple[str, str]]
    can_manage: bool


def sought(wanted: Wanted, host: str = "") -> Sought:
    """Return what the address of a list of runs asks for."""
    return Sought(
        host=host or wanted.value("host"),
        statuses=history.statuses(wanted.value("status")),
        patch_type=wanted.value("type"),
        batch=wanted.value("batch"),
        search=wanted.search,
        sort_by=wanted.sort or "created_at",
        sort_dir=wanted.direction if wanted.sort else "desc",
        limit=wanted.window.size,
        offset=wanted.window.offset,
    )


async def show(request: web.Request) -> web.Response:
    """Show the runs that the address asks for, newest first."""
    asked = call(request)
    wanted = parse(HISTORY, request.query)
    headers = settled(request, wanted)
    lines, total = await history.page(asked, sought(wanted))
    page = RunsPage(
        listing=listing(wanted, total, may=asked.actor.may),
        rows=[words.row(line) for line in lines],
        statuses=words.STATUSES,
        types=words.TYPES,
        can_manage=may_manage(request),
    )
    return render(request, page, headers=headers)


async def _chosen(request: web.Request, name: str) -> tuple[list[str], str]:
    """Return the ids that were ticked, and the list they were ticked in."""
    await posted(request)
    form = await request.post()
    ids = [one for one in form.getall(name, []) if isinstance(one, str)]
    return list(dict.fromkeys(ids))[:_MOST_AT_ONCE], page_of(form, "/patching?", "/hosts/") or _HOME


@routes.post("/patching/runs/delete")
@gated(MANAGE, module=MODULE)
async def delete_chosen(request: web.Request) -> web.Response:
    """Delete the runs whose first box is ticked; those that may not be deleted any more stay, and it is said."""
    asked = call(request)
    ids, home = await _chosen(request, "delete")
    done, failed = 0, []
    for one in ids:
        try:
            await service.delete(asked, one)
        except Problem as refused:
            failed.append(str(refused))
        else:
            done += 1
    if not ids:
        return back(request, home, "attention", "No run was chosen.")
    return back(request, home, *words.outcome("Deleted", done, failed))


@routes.post("/patching/runs/approve")
@gated(MANAGE, module=MODULE)
async def approve_chosen(request: web.Request) -> web.Response:
    """Lead to the wizard for the runs whose second box is ticked, once for all of them."""
    ids, home = await _chosen(request, "approve")
    if not ids:
        return back(request, home, "attention", "No run was chosen.")
    return web.Response(status=303, headers={"Location": link("/patching/approve", {"run": ids})})


@routes.post("/patching/runs/{run}/retry")
@gated(MANAGE, module=MODULE)
async def retry(request: web.Request) -> web.Response:
    """Queue a dry run that waits once more."""
    _, home = await _chosen(request, "run")
    run = await service.retry(call(request), path_text(request, "run"))
    home = home if "here" in await request.post() else f"/patching/runs/{run.id}"
    return back(request, home, "good", f"The validation of {run.host_name} is queued again.")
