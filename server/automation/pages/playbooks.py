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
from server.web.routing import Routes, call, gated

routes: Final = Routes()

_VIEW: Final = "can_view_hosts"
_MOST_LETTERS: Final = 200
_UNITS: Final = frozenset({"seconds", "minutes", "hours", "days"})
_OPTIONS: Final = (
    Field("tags", "Tags", help="Only tasks with one of these tags; commas between them.", required=False),
    Field("skip_tags", "Skip tags", help="No task with one of these.", required=False),
    Field(
        "verbosity", "Verbosity", "choice", "0",
        choices=(("0", "Usual"), ("1", "More (-v)"), ("2", "Much more (-vv)"), ("3", "Debugging (-vvv)")),
        required=False,
    ),
    Field("diff", "Show what changes in files", "boolean", value=False, required=False),
    Field(
        "executor", "Where the play runs", "choice", "",
        choices=(("", "On each host, where it can"), ("relayed", "On the server, one play over all hosts")),
        help="On the server, tasks may use other hosts (delegate_to, run_once), and hosts take turns.", required=False,
    ),
    Field("forks", "Hosts at once", "number", help="Of a play on the server; usually 5.", required=False),
    Field(
        "serial", "Hosts in a batch", "number", required=False,
        help="Of a play on the server: when a batch fails everywhere, the next one does not begin.",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlaybooksPage(Page):
    """templates/automation/playbooks.html."""

    template: ClassVar[str] = "automation/playbooks.html"
    title: ClassVar[str] = "Playbooks"
    total: int
    groups: list[tuple[str, list[views.PlaybookView]]]
    chosen_hosts: list[str]
    can_write: bool


@dataclass(frozen=True, slots=True)
class LaunchPage(Page):
    """templates/automation/launch.html.

    Attributes:
        offered: credentials that may be used, as (UUID, name, kind), and ``credentials`` those that are chosen.
        options: tags, skipped tags, verbosity, diff, where it runs; ``opened``: something of it is not as usual.
    """

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
    offered: list[tuple[str, str, str]]
    credentials: list[str]
    options: list[Field]
    opened: bool
    approval: bool
    sentence: str
    complaints: Sequence[tuple[str, str] | str]


@routes.get("/playbooks")
@gated(_VIEW)
async def show_playbooks(request: web.Request) -> web.Response:
    """Show what can be run."""
    asked = call(request)
    chosen = request.query.getall("host", [])
    last = await service.last_jobs(asked)
    allowed = {one.name for one in await service.launchable(asked)}
    found = [
        views.playbook(one, last.get(one.name), may_launch=one.name in allowed)
        for one in await service.playbooks(asked)
    ]
    groups: dict[str, list[views.PlaybookView]] = {"": []}
    for one in found:
        groups.setdefault(one.project, []).append(one)
    shown = PlaybooksPage(len(found), list(groups.items()), chosen, asked.actor.may("can_manage_automation"))
    return render(request, shown)


@routes.get("/playbooks/{project}/{playbook}/launch")
@routes.get("/playbooks/{playbook}/launch")
@gated(_VIEW)
async def launch_form(request: web.Request) -> web.Response:
    """Show the form that the playbook's variables make."""
    found = await _playbook(request)
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
    kept = await service.offered(call(request), found)
    complaints = {name.removeprefix("variables."): text for name, text in (complaints or {}).items()}
    shown = filled([_field(found, one) for one in found.fields], values or {}, complaints)
    options = filled(_OPTIONS, values or {}, complaints)
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
        offered=list(kept.credentials),
        credentials=_listed((values or {}).get("credential")) if values else list(kept.usual),
        options=options,
        opened=any(
            one.complaint or one.value not in (usual.value, "") for one, usual in zip(options, _OPTIONS, strict=True)
        ),
        approval=kept.approval,
        sentence="A dry run changes nothing; a real run changes the chosen hosts.",
        complaints=complained([*shown, *options], complaints),
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
        picked=tuple(map(str, default)) if declared.kind == "choices" and isinstance(default, list) else (),
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


@routes.post("/playbooks/{project}/{playbook}/launch")
@routes.post("/playbooks/{playbook}/launch")
@gated(_VIEW)
async def launch(request: web.Request) -> web.StreamResponse:
    """Start a job from the form; refused, or only to find hosts, it comes back with what was typed."""
    asked, found = call(request), await _playbook(request)
    posted = await form_values(request)
    chosen, groups = _listed(posted.get("host")), _listed(posted.get("group"))
    check = posted.get("check") != "false"
    chosen, groups = [schemas.plain(one) for one in chosen], [schemas.plain(one) for one in groups]
    find = schemas.plain(str(posted.get("find") or "")).strip()[:_MOST_LETTERS]
    if posted.get("step") == "find":
        return await _form(request, found, chosen, groups, check=check, find=find, values=posted)
    variables = catalogue.from_form(found, posted)
    try:
        order = Order(found.name, tuple(chosen), tuple(groups), variables, check, schemas.form_options(posted))
        job = await service.launch(asked, order)
    except NotLaunchable as refusal:
        return await _form(
            request, found, chosen, groups, check=check, find=find, values=posted, complaints=refusal.complaints
        )
    return web.Response(status=303, headers={"Location": f"/jobs/{job.uuid}"})


async def _playbook(request: web.Request) -> Playbook:
    """Return the playbook of the address: of ours a name, of a project its name, a slash, and the playbook's."""
    asked, names = call(request), request.match_info
    name = "/".join(names[part] for part in ("project", "playbook") if part in names)
    found = await service.playbook(asked, schemas.plain(name))
    if request.path.endswith("/launch"):
        await service.demand_launch(asked, found.name)
    return found


def _listed(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)] if value else []
