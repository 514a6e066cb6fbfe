"""Maintenance windows: the list, making and changing one, starting its work now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, ClassVar, Final

from aiohttp import web

from server.automation.models import Choices
from server.campaigns import schemas, windows
from server.campaigns.models import Occurrence, Row
from server.campaigns.pages import planning, words
from server.campaigns.pages.frame import CRUMB, MANAGE, MODULE, VIEW, WINDOWS, back, may_plan
from server.core import zones
from server.core.errors import Invalid
from server.web.fields import Field, complained, filled
from server.web.forms import form_values, parse, posted
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_ABOUT: Final = (
    Field("name", "Name", placeholder="Sunday night"),
    Field("description", "Description", required=False),
)
_WHEN: Final = (
    Field(
        "cron",
        "Opens",
        placeholder="0 2 * * 0",
        help="Minute, hour, day of month, month, day of week: every Sunday at 02:00 is 0 2 * * 0.",
    ),
    Field("timezone", "Time zone", "choice", "UTC", help="The hours above are read there, daylight saving included."),
    Field(
        "duration_minutes", "Open for (minutes)", "number", "240", help="What did not begin by its end is withdrawn."
    ),
    Field("notice_hours", "Announce before (hours)", "number", "24", help="0 announces nothing."),
    Field(
        "blackouts",
        "Blackout days",
        "list",
        required=False,
        placeholder="2026-12-24..2026-12-27 Christmas",
        help="One day or span a line, with a name if you like. It stays closed then.",
    ),
    Field("approve_first", "Every opening has to be approved first", "boolean", value=False, required=False),
    Field("enabled", "Enabled", "boolean", value=True, required=False),
)


_BOXES: Final = ("approve_first", "enabled")


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A window in the list."""

    id: str
    url: str
    name: str
    description: str
    cron: str
    timezone: str
    duration_minutes: int
    what: str
    waves: str
    targets: str
    hosts: int
    enabled: bool
    approve_first: bool
    upcoming: list[Occurrence]


@dataclass(frozen=True, slots=True)
class WindowsPage(Page):
    """templates/campaigns/windows.html."""

    template: ClassVar[str] = "campaigns/windows.html"
    title: ClassVar[str] = "Maintenance windows"
    rows: list[WindowRow]
    can_plan: bool


@dataclass(frozen=True, slots=True)
class WindowPage(Page):
    """templates/campaigns/window.html; ``window`` is empty for a new one."""

    template: ClassVar[str] = "campaigns/window.html"
    title: ClassVar[str] = "Maintenance window"
    window: str
    about: list[Field]
    when: list[Field]
    what: list[Field]
    waves: list[Field]
    picked: planning.Picked
    choices: Choices
    complaints: Sequence[tuple[str, str] | str]


@routes.get("/patching/windows")
@gated(VIEW, module=MODULE)
async def show_list(request: web.Request) -> web.Response:
    """Show every window with its next openings."""
    rows = [_row(one) for one in await windows.everything(call(request))]
    return render(request, WindowsPage(rows, may_plan(request)), breadcrumbs=(CRUMB, ("Maintenance windows", "")))


def _row(found: Row) -> WindowRow:
    return WindowRow(
        id=str(found["id"]),
        url=f"/patching/windows/{found['id']}",
        name=found["name"],
        description=found["description"],
        cron=found["cron"],
        timezone=found["timezone"],
        duration_minutes=found["duration_minutes"],
        what=words.what(found["plan"]),
        waves=words.waves(found["plan"]) or "all at once",
        targets=_targets(found),
        hosts=found["host_count"],
        enabled=found["enabled"],
        approve_first=found["approve_first"],
        upcoming=found["next_occurrences"],
    )


def _targets(found: Row) -> str:
    targets = found["targets"]
    if targets["everyone"]:
        return "the whole fleet"
    names = [found["names"][one] for one in (*targets["groups"], *targets["hosts"]) if one in found["names"]]
    return ", ".join([*names, *targets["tags"]]) or "nothing that you see"


@routes.get("/patching/windows/new")
@gated(MANAGE, module=MODULE)
async def new(request: web.Request) -> web.Response:
    """Show the form of a new window."""
    return await _page(request, "", {}, {})


@routes.get("/patching/windows/{window}")
@gated(MANAGE, module=MODULE)
async def edit(request: web.Request) -> web.Response:
    """Show the form of a window."""
    found = await windows.fetch(call(request), path_text(request, "window"))
    targets = found["targets"]
    values = {
        **planning.shown_values(found["plan"]),
        **{key: found[key] for key in ("name", "description", "cron", "timezone", "enabled", "approve_first")},
        "duration_minutes": str(found["duration_minutes"]),
        "notice_hours": str(found["notice_hours"]),
        "blackouts": words.joined([_blackout(one) for one in found["blackouts"]]),
        "host": list(targets["hosts"]),
        "group": [*targets["groups"], *(["all"] if targets["everyone"] else [])],
        "tags": ", ".join(targets["tags"]),
    }
    return await _page(request, str(found["id"]), values, {})


def _blackout(one: Mapping[str, Any]) -> str:
    first, last_day = str(one["first"]), str(one["last"])
    return f"{first if first == last_day else f'{first}..{last_day}'} {one['name']}".strip()


async def _page(
    request: web.Request, window: str, values: Mapping[str, Any], said: Mapping[str, str], status: int = 200
) -> web.Response:
    chosen = planning.picked(values)
    boxes = {key: planning.last(values[key]) for key in _BOXES if isinstance(values.get(key), list)}
    shown = {**values, **boxes}
    places = tuple((zone, zone) for zone in zones.offered())
    when = [replace(one, choices=places) if one.name == "timezone" else one for one in _WHEN]
    about, when = filled(_ABOUT, shown, said), filled(when, shown, said)
    what = filled(await planning.with_playbooks(request, planning.WHAT), shown, said)
    waves = filled(await planning.with_playbooks(request, planning.WAVES), shown, said)
    page = WindowPage(
        window, about, when, what, waves, chosen, await planning.offered(request, chosen),
        complained([*about, *when, *what, *waves], said),
    )  # fmt: skip
    return render(request, page, status=status, breadcrumbs=(CRUMB, WINDOWS, (str(shown.get("name") or "New"), "")))


@routes.post("/patching/windows")
@gated(MANAGE, module=MODULE)
async def create(request: web.Request) -> web.Response:
    """Make a window."""
    values = await form_values(request)
    if values.get("step") == "find":
        return await _page(request, "", values, {})
    try:
        made = await windows.create(call(request), parse(schemas.WindowBody, _body(values)).window())
    except Invalid as refused:
        return await _page(request, "", values, refused.complaints or {"": str(refused)}, status_of(refused))
    return back(request, "/patching/windows", f"The window {made['name']} was made.")


@routes.post("/patching/windows/{window}")
@gated(MANAGE, module=MODULE)
async def change(request: web.Request) -> web.Response:
    """Change a window; what had been planned ahead is planned anew."""
    values, window = await form_values(request), path_text(request, "window")
    if values.get("step") == "find":
        return await _page(request, window, values, {})
    try:
        changed = await windows.change(call(request), parse(schemas.WindowBody, _body(values)).window(window))
    except Invalid as refused:
        return await _page(request, window, values, refused.complaints or {"": str(refused)}, status_of(refused))
    return back(request, "/patching/windows", f"The window {changed['name']} was changed.")


def _body(values: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("name", "description", "cron", "timezone", "duration_minutes")
    return {
        **planning.plan_values(values),
        **{key: values[key] for key in kept if key in values},
        "name": str(values.get("name", "")),
        "cron": str(values.get("cron", "")),
        "duration_minutes": values.get("duration_minutes", 0),
        "notice_hours": values.get("notice_hours", 0),
        "blackouts": [_days(line) for line in planning.lines(values.get("blackouts"))],
        "approve_first": planning.last(values.get("approve_first")) == "true",
        "enabled": planning.last(values.get("enabled")) == "true",
    }


def _days(line: str) -> dict[str, Any]:
    """Return a line of the form, ``2026-12-24..2026-12-27 Christmas``, under the names of ``BlackoutBody``."""
    span, _, name = line.partition(" ")
    first, _, last_day = span.partition("..")
    try:
        days = {"first": date.fromisoformat(first), "last": date.fromisoformat(last_day or first)}
    except ValueError as error:
        raise Invalid({"blackouts": f"A line is a day or a span, 2026-12-24..2026-12-27, not {line[:40]}"}) from error
    return {**days, "name": name.strip()}


@routes.post("/patching/windows/{window}/start")
@gated(MANAGE, module=MODULE)
async def start(request: web.Request) -> web.Response:
    """Start a window's work now, beside its openings."""
    await posted(request)
    made = await windows.start_now(call(request), path_text(request, "window"))
    return back(request, f"/patching/campaigns/{made['id']}", "It was started now, beside its openings.")


@routes.post("/patching/windows/{window}/delete")
@gated(MANAGE, module=MODULE)
async def delete(request: web.Request) -> web.Response:
    """Remove a window; what has started goes on."""
    await posted(request)
    await windows.delete(call(request), path_text(request, "window"))
    return back(request, "/patching/windows", "The window was deleted. What has started goes on.")
