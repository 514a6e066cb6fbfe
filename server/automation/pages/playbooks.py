"""The list of playbooks and the form that launches one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.automation import catalogue, schemas, service, views
from server.automation.errors import NotLaunchable
from server.automation.models import Field as Declared
from server.automation.models import Order, Playbook
from server.web.fields import Field, complained, filled
from server.web.forms import form_values
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_VIEW: Final = "can_view_hosts"
_LAUNCHERS: Final = ("can_manage_automation", "can_manage_patching")
_MOST_LETTERS: Final = 200
_UNITS: Final = frozenset({"seconds", "minutes", "hours", "days"})


@dataclass(frozen=True, slots=True)
class PlaybooksPage(Page):
    """templates/automation/playbooks.html."""

    template: ClassVar[str] = "automation/playbooks.html"
    title: ClassVar[str] = "Playbooks"
    playbooks: list[views.PlaybookView]
    chosen_hosts: list[str]
    can_launch: bool


@dataclass(frozen=True, slots=True)
class LaunchPage(Page):
    """templates/automation/launch.html."""

    template: ClassVar[str] = "automation/launch.html"
    title: ClassVar[str] = "Run a playbook"
    playbook: views.PlaybookView
    fields: list[Field]
    hosts: list[tuple[str, str, bool]]
    groups: list[tuple[str, str, int]]
    chosen_hosts: list[str]
    chosen_groups: list[str]
    find: str
    total: int
    more: bool
    check: bool
    sentence: str
    complaints: Sequence[tuple[str, str] | str]


@routes.get("/playbooks")
@gated(_VIEW)
async def show_playbooks(request: web.Request) -> web.Response:
    """Show what can be run."""
    asked = call(request)
    chosen = request.query.getall("host", [])
    last = await service.last_jobs(asked)
    found = [views.playbook(one, last.get(one.name)) for one in await service.playbooks(asked)]
    return render(request, PlaybooksPage(found, chosen, any(asked.actor.may(permission) for permission in _LAUNCHERS)))


@routes.get("/playbooks/{playbook}/launch")
@gated(*_LAUNCHERS)
async def launch_form(request: web.Request) -> web.Response:
    """Show the form that the playbook's variables make."""
    found = await service.playbook(call(request), schemas.plain(path_text(request, "playbook")))
    chosen = [*request.query.getall("host", []), *(",".join(request.query.getall("hosts", [])).split(","))]
    values = {one.name: schemas.plain(request.query[one.name]) for one in found.fields if one.name in request.query}
    groups = request.query.getall("group", [])
    return await _form(request, found, [one for one in chosen if one], groups, check=True, values=values)


async def _form(
    request: web.Request,
    found: Playbook,
    chosen_hosts: list[str],
    chosen_groups: list[str],
    *,
    check: bool,
    find: str = "",
    values: Mapping[str, object] | None = None,
    complaints: Mapping[str, str] | None = None,
) -> web.Response:
    offered = await service.choices(call(request), find, chosen_hosts, chosen_groups)
    complaints = {name.removeprefix("variables."): text for name, text in (complaints or {}).items()}
    shown = filled([_field(found, one) for one in found.fields], values or {}, complaints)
    page = LaunchPage(
        playbook=views.playbook(found),
        fields=shown,
        hosts=offered.hosts,
        groups=offered.groups,
        chosen_hosts=chosen_hosts,
        chosen_groups=chosen_groups,
        find=find,
        total=offered.total,
        more=offered.more,
        check=check,
        sentence="A dry run changes nothing; a real run changes the chosen hosts.",
        complaints=complained(shown, complaints),
    )
    crumbs = (("Playbooks", "/playbooks"), (found.title, ""))
    return render(request, page, status=400 if complaints else 200, breadcrumbs=crumbs)


def _field(found: Playbook, declared: Declared) -> Field:
    default = declared.default
    value = "\n".join(map(str, default)) if isinstance(default, list) else default
    if isinstance(value, dict | float):
        value = views.readable(value)
    return Field(
        declared.name,
        _label(found, declared),
        declared.kind,
        value=bool(value) if declared.kind == "boolean" else value,
        choices=[(str(choice), str(choice)) for choice in declared.choices],
        help=declared.help,
        required=declared.required,
    )


def _label(found: Playbook, declared: Declared) -> str:
    # On the playbook's own form its name before each variable's is only noise; a unit reads better set apart.
    words = declared.label.removeprefix(f"{found.name.replace('_', ' ').capitalize()} ")
    text, _, unit = words.rpartition(" ")
    if text and unit in _UNITS:
        words = f"{text} ({unit})"
    return words[:1].upper() + words[1:]


@routes.post("/playbooks/{playbook}/launch")
@gated(*_LAUNCHERS)
async def launch(request: web.Request) -> web.StreamResponse:
    """Start a job from the form; refused, or only to find hosts, it comes back with what was typed."""
    asked = call(request)
    found = await service.playbook(asked, schemas.plain(path_text(request, "playbook")))
    posted = await form_values(request)
    chosen, groups = _listed(posted.get("host")), _listed(posted.get("group"))
    check = posted.get("check") != "false"
    chosen, groups = [schemas.plain(one) for one in chosen], [schemas.plain(one) for one in groups]
    find = schemas.plain(str(posted.get("find") or "")).strip()[:_MOST_LETTERS]
    if posted.get("step") == "find":
        return await _form(request, found, chosen, groups, check=check, find=find, values=posted)
    order = Order(found.name, tuple(chosen), tuple(groups), catalogue.from_form(found, posted), check)
    try:
        job = await service.launch(asked, order)
    except NotLaunchable as refusal:
        return await _form(
            request, found, chosen, groups, check=check, find=find, values=posted, complaints=refusal.complaints
        )
    return web.Response(status=303, headers={"Location": f"/jobs/{job.uuid}"})


def _listed(value: str | list[str] | None) -> list[str]:
    return value if isinstance(value, list) else [value] if value else []
