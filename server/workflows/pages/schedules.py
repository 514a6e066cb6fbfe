"""Schedules: the list, one with its next times and what it started, and its form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Final

from aiohttp import web

from server.automation import service as automation
from server.core import zones
from server.core.errors import Invalid
from server.core.paging import Window
from server.web.fields import Field, complained, filled
from server.web.forms import form_values, parse, posted
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Column, Listing, Table, listing, settled
from server.web.tables import parse as parse_list
from server.workflows import schedules, schemas, service
from server.workflows.models import Row
from server.workflows.pages.editor import as_yaml, variables_of, words
from server.workflows.pages.frame import MANAGE, SCHEDULES, back, plain

routes: Final = Routes()

_LOOKS: Final = {"started": "good", "missed": "attention", "refused": "bad"}
TABLE: Final = Table(
    name="schedules",
    path="/schedules",
    noun="schedule",
    columns=(
        Column("name", "Schedule", place="title", fixed=True),
        Column("starts", "Starts"),
        Column("when", "When"),
        Column("next", "Next"),
        Column("last", "Last"),
        Column("owner", "In the name of", wide_only=True),
        Column("state", "State", place="state"),
    ),
    search="Find schedules",
    empty="No schedule yet. A schedule starts a playbook or a workflow by itself.",
    empty_icon="calendar-repeat",
    empty_action=("New schedule", "/schedules/new"),
)
_FIELDS: Final = (
    Field("name", "Name", placeholder="Nightly check"),
    Field(
        "cron",
        "When",
        placeholder="30 2 * * 1-5",
        help="Minute, hour, day of month, month, day of week: 30 2 * * 1-5 is 02:30 from Monday to Friday.",
    ),
    Field("timezone", "Time zone", "choice", "UTC", help="The time above is read there, daylight saving included."),
    Field(
        "missed",
        "When no server was running at its time",
        "choice",
        "once",
        (("once", "Start once, as soon as one runs"), ("record", "Only record it")),
        required=False,
    ),
    Field("enabled", "Enabled", "boolean", value=True, required=False),
)
_WHAT: Final = (Field("starts", "Starts", "choice", help="A workflow brings its own hosts and variables."),)
_TASK: Final = (
    Field("hosts", "Hosts", required=False, placeholder="web-01, web-02", help="Names, with commas in between."),
    Field("groups", "Host groups", required=False, placeholder="web", help="Names; all is every host."),
    Field(
        "variables",
        "Variables",
        "json",
        required=False,
        placeholder="patch_scope: security",
        help="One name: value a line, as YAML. Secrets are shown as ******** and kept.",
    ),
    Field("tags", "Tags", required=False, help="Only what has one of these tags."),
    Field("check", "Dry run: nothing on any host is changed", "boolean", value=False, required=False),
)


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A schedule."""

    id: str
    url: str
    name: str
    what: str
    what_url: str
    where: str
    cron: str
    timezone: str
    enabled: bool
    missed: str
    owner: str
    upcoming: list[datetime]
    last_at: datetime | None
    last_outcome: str
    last_look: str
    last_reason: str
    last_url: str


@dataclass(frozen=True, slots=True)
class StartRow:
    """Something a schedule started, missed, or was refused."""

    due_at: datetime
    by_hand: bool
    outcome: str
    look: str
    reason: str
    url: str


@dataclass(frozen=True, slots=True)
class SchedulesPage(Page):
    """templates/workflows/schedules.html."""

    template: ClassVar[str] = "workflows/schedules.html"
    title: ClassVar[str] = "Schedules"
    listing: Listing
    rows: list[ScheduleRow]


@dataclass(frozen=True, slots=True)
class SchedulePage(Page):
    """templates/workflows/schedule.html."""

    template: ClassVar[str] = "workflows/schedule.html"
    title: ClassVar[str] = "Schedule"
    schedule: ScheduleRow
    starts: list[StartRow]


@dataclass(frozen=True, slots=True)
class ScheduleFormPage(Page):
    """templates/workflows/schedule_form.html; ``schedule`` is empty for a new one."""

    template: ClassVar[str] = "workflows/schedule_form.html"
    title: ClassVar[str] = "Schedule"
    schedule: str
    when: list[Field]
    what: list[Field]
    task: list[Field]
    complaints: Sequence[tuple[str, str] | str]


@routes.get("/schedules")
@gated(MANAGE)
async def show_list(request: web.Request) -> web.Response:
    """Show every schedule with its next time."""
    asked, wanted = call(request), parse_list(TABLE, request.query)
    headers = settled(request, wanted)
    page = await schedules.page(asked, wanted.window, search=wanted.search)
    found = listing(wanted, page.total, may=asked.actor.may)
    return render(request, SchedulesPage(found, [_row(one) for one in page.items]), headers=headers)


def _row(found: Row) -> ScheduleRow:
    task = found["schedule"].task
    url = f"/workflows/{found['workflow_id']}" if found["workflow_id"] else f"/playbooks/{task.playbook}/launch"
    return ScheduleRow(
        id=str(found["id"]),
        url=f"/schedules/{found['id']}",
        name=found["name"],
        what=found["workflow_name"] or task.playbook,
        what_url=url,
        where="" if found["workflow_id"] else ", ".join([*task.groups, *task.hosts]),
        cron=found["cron"],
        timezone=found["timezone"],
        enabled=found["enabled"],
        missed=found["missed"],
        owner=found["owner"],
        upcoming=found["upcoming"],
        last_at=found["last_at"],
        last_outcome=found["last_outcome"] or "",
        last_look=_LOOKS.get(found["last_outcome"] or "", "neutral"),
        last_reason=found["last_reason"] or "",
        last_url=_started(found["last_job"], found["last_run"]),
    )


def _started(job: str | None, run: str | None) -> str:
    return f"/jobs/{job}" if job else f"/workflows/runs/{run}" if run else ""


@routes.get("/schedules/new")
@gated(MANAGE)
async def new(request: web.Request) -> web.Response:
    """Show the form of a new schedule; the address may say what it starts."""
    query = request.query
    workflow, playbook = plain(query.get("workflow", "")), plain(query.get("playbook", ""))
    starts = f"workflow:{workflow}" if workflow else f"playbook:{playbook}" if playbook else ""
    return await _form(request, "", {"starts": starts}, {})


@routes.get("/schedules/{schedule}")
@gated(MANAGE)
async def show(request: web.Request) -> web.Response:
    """Show one schedule."""
    found = await schedules.fetch(call(request), path_text(request, "schedule"))
    starts = [
        StartRow(
            one["due_at"], one["by_hand"], one["outcome"], _LOOKS[one["outcome"]], one["reason"],
            _started(one["job"], one["run_id"]),
        )
        for one in found["starts"]
    ]  # fmt: skip
    return render(request, SchedulePage(_row(found), starts), breadcrumbs=(SCHEDULES, (found["name"], "")))


@routes.get("/schedules/{schedule}/edit")
@gated(MANAGE)
async def edit(request: web.Request) -> web.Response:
    """Show the form of a schedule."""
    found = await schedules.fetch(call(request), path_text(request, "schedule"))
    task = schemas.task_view(found["schedule"].task)
    workflow = found["workflow_id"]
    values = {
        **{name: found[name] for name in ("name", "cron", "timezone", "missed", "enabled")},
        "starts": f"workflow:{workflow}" if workflow else f"playbook:{task['playbook']}",
        "hosts": ", ".join(task["hosts"]),
        "groups": ", ".join(task["groups"]),
        "variables": as_yaml(task["variables"]),
        "tags": ", ".join(task["options"].get("tags") or ()),
        "check": task["check"],
    }
    return await _form(request, str(found["id"]), values, {})


async def _form(
    request: web.Request, schedule: str, values: Mapping[str, Any], said: Mapping[str, str], status: int = 200
) -> web.Response:
    # A label stands before the words here, where programs read the field's name.
    said = {_named(name): text.removeprefix(f"{name} ") for name, text in said.items()}
    places = tuple((zone, zone) for zone in zones.offered())
    when = filled([replace(one, choices=places) if one.name == "timezone" else one for one in _FIELDS], values, said)
    what = filled([replace(_WHAT[0], choices=await _startable(request))], values, said)
    task = filled(_TASK, values, said)
    page = ScheduleFormPage(schedule, when, what, task, complained([*when, *what, *task], said))
    crumbs = (SCHEDULES, (str(values.get("name") or "New"), ""))
    return render(request, page, status=status, breadcrumbs=crumbs)


def _named(name: str) -> str:
    first = name.split(".", maxsplit=1)[0]
    return {"playbook": "starts", "workflow": "starts", "options": "tags"}.get(first, first)


async def _startable(request: web.Request) -> tuple[tuple[str, str], ...]:
    asked = call(request)
    playbooks = [(f"playbook:{one.name}", f"Playbook: {one.title}") for one in await automation.launchable(asked)]
    found = await service.page(asked, Window(1, 1000))
    return (*playbooks, *((f"workflow:{row['id']}", f"Workflow: {row['name']}") for row in found.items))


@routes.post("/schedules")
@gated(MANAGE)
async def create(request: web.Request) -> web.Response:
    """Make a schedule."""
    return await _posted(request, "")


@routes.post("/schedules/{schedule}")
@gated(MANAGE)
async def change(request: web.Request) -> web.Response:
    """Change a schedule; from then on it starts in the name of whoever changed it."""
    return await _posted(request, path_text(request, "schedule"))


async def _posted(request: web.Request, schedule: str) -> web.Response:
    values = {name: _last(value) for name, value in (await form_values(request)).items()}
    asked = call(request)
    try:
        wanted = parse(schemas.ScheduleBody, _body(values)).schedule(schedule)
        made = await (schedules.change(asked, wanted) if schedule else schedules.create(asked, wanted))
    except Invalid as refused:
        said = refused.complaints or {"": str(refused)}
        shown = {**values, **{name: values.get(name) == "true" for name in ("enabled", "check")}}
        return await _form(request, schedule, shown, said, status_of(refused))
    return back(request, f"/schedules/{made['id']}", f"The schedule {made['name']} was saved.")


def _body(values: Mapping[str, Any]) -> dict[str, Any]:
    kind, _, name = plain(values.get("starts")).partition(":")
    tags = words(plain(values.get("tags")))
    return {
        **{field: plain(values.get(field)) for field in ("name", "cron")},
        "timezone": plain(values.get("timezone")) or "UTC",
        "missed": plain(values.get("missed")) or "once",
        "enabled": values.get("enabled") == "true",
        "workflow": name if kind == "workflow" else "",
        "playbook": name if kind == "playbook" else "",
        "hosts": words(plain(values.get("hosts"))),
        "groups": words(plain(values.get("groups"))),
        "variables": variables_of(plain(values.get("variables")), "variables"),
        "options": {"tags": tags} if tags else {},
        "check": values.get("check") == "true",
    }


def _last(value: object) -> object:
    return value[-1] if isinstance(value, list) and value else value


@routes.post("/schedules/{schedule}/pause")
@gated(MANAGE)
async def pause(request: web.Request) -> web.Response:
    """Let it start nothing until it is resumed."""
    return await _switched(request, "The schedule is paused.", enabled=False)


@routes.post("/schedules/{schedule}/resume")
@gated(MANAGE)
async def resume(request: web.Request) -> web.Response:
    """Let it start again by itself."""
    return await _switched(request, "The schedule starts again at its next time.", enabled=True)


async def _switched(request: web.Request, text: str, *, enabled: bool) -> web.Response:
    await posted(request)
    schedule = path_text(request, "schedule")
    await schedules.switch(call(request), schedule, enabled=enabled)
    return back(request, f"/schedules/{schedule}", text)


@routes.post("/schedules/{schedule}/start")
@gated(MANAGE)
async def start(request: web.Request) -> web.Response:
    """Start now what it starts."""
    await posted(request)
    made = await schedules.start_now(call(request), path_text(request, "schedule"))
    return back(request, _started(made["job"], made["run_id"]), "It was started now, beside its times.")


@routes.post("/schedules/{schedule}/delete")
@gated(MANAGE)
async def delete(request: web.Request) -> web.Response:
    """Remove a schedule."""
    await posted(request)
    await schedules.delete(call(request), path_text(request, "schedule"))
    return back(request, "/schedules", "The schedule was deleted. What it started goes on.")
