"""The form that makes and changes a workflow: steps as cards, and after which steps each begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import yaml
from aiohttp import web

from server.automation import service as automation
from server.core.errors import Invalid
from server.web.forms import form_values, parse
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.workflows import drawing, schemas, service
from server.workflows.drawing import Drawing
from server.workflows.models import Graph, Row
from server.workflows.pages.frame import MANAGE, WORKFLOWS, back, plain

routes: Final = Routes()

_KINDS: Final = {"playbook": "Playbook", "approval": "Approval", "pause": "Pause"}
WHEN: Final = (("success", "succeeded"), ("failure", "failed"), ("always", "ended either way"))
_MOST_STEPS: Final = 60
_MOST_YAML: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class StepForm:
    """One step in the form; ``number`` is what its fields' names begin with.

    Attributes:
        after: pairs of a step's key and when; the last one is empty, for one more.
        others: the other steps as pairs of key and title.
    """

    number: int
    key: str
    kind: str
    word: str
    title: str
    playbook: str
    hosts: str
    groups: str
    variables: str
    tags: str
    check: bool
    minutes: str
    join: str
    after: list[tuple[str, str]]
    others: list[tuple[str, str]]
    complaints: list[str]


@dataclass(frozen=True, slots=True)
class EditorPage(Page):
    """templates/workflows/editor.html; ``workflow`` is empty for a new one."""

    template: ClassVar[str] = "workflows/editor.html"
    title: ClassVar[str] = "Workflow"
    workflow: str
    name: str
    description: str
    steps: list[StepForm]
    playbooks: list[tuple[str, str]]
    drawing: Drawing | None
    name_complaint: str
    complaints: Sequence[str]


@routes.get("/workflows/new")
@gated(MANAGE)
async def new(request: web.Request) -> web.Response:
    """Show the form of a new workflow, with one step to begin with."""
    first = {"key": "step-1", "kind": "playbook", "playbook": plain(request.query.get("playbook", ""))}
    return await _form(request, "", {"name": "", "description": ""}, [first], {})


@routes.get("/workflows/{workflow}/edit")
@gated(MANAGE)
async def edit(request: web.Request) -> web.Response:
    """Show the form of a workflow."""
    found = await service.fetch(call(request), path_text(request, "workflow"))
    return await _form(request, str(found["id"]), found, _steps_of(found), {})


def _steps_of(found: Row) -> list[dict[str, Any]]:
    shown = schemas.graph_view(found["graph"])
    after: dict[str, list[tuple[str, str]]] = {}
    for way in shown["edges"]:
        after.setdefault(way["to"], []).append((way["from"], way["when"]))
    return [
        {
            **node,
            "hosts": ", ".join(node.get("hosts", ())),
            "groups": ", ".join(node.get("groups", ())),
            "tags": ", ".join(node.get("options", {}).get("tags") or ()),
            "options": node.get("options", {}),
            "variables": as_yaml(node.get("variables")),
            "after": after.get(node["key"], []),
        }
        for node in shown["nodes"]
    ]


def as_yaml(variables: Mapping[str, Any] | None) -> str:
    """Return variables as a form shows them."""
    return yaml.safe_dump(dict(variables), sort_keys=False, allow_unicode=True) if variables else ""


async def _form(
    request: web.Request,
    workflow: str,
    about: Mapping[str, Any],
    steps: Sequence[Mapping[str, Any]],
    said: Mapping[str, str],
    status: int = 200,
) -> web.Response:
    titles = [(one["key"], one.get("title") or one.get("playbook") or _KINDS[one["kind"]]) for one in steps]
    page = EditorPage(
        workflow=workflow,
        name=about["name"],
        description=about["description"],
        steps=[_step_form(number, one, titles, said) for number, one in enumerate(steps)],
        playbooks=[(one.name, f"{one.title} ({one.name})") for one in await automation.launchable(call(request))],
        drawing=_preview(steps),
        name_complaint=said.get("name", ""),
        complaints=[text for name, text in said.items() if name != "name" and not name.startswith("nodes.")],
    )
    crumbs = (WORKFLOWS, (str(about["name"]) or "New", ""))
    return render(request, page, status=status, breadcrumbs=crumbs)


def _step_form(number: int, one: Mapping[str, Any], titles: list[tuple[str, str]], said: Mapping[str, str]) -> StepForm:
    start = f"nodes.{one['key']}"
    return StepForm(
        number=number,
        key=one["key"],
        kind=one["kind"],
        word=_KINDS[one["kind"]],
        title=one.get("title", ""),
        playbook=one.get("playbook", ""),
        hosts=one.get("hosts", ""),
        groups=one.get("groups", ""),
        variables=one.get("variables", ""),
        tags=one.get("tags", ""),
        check=bool(one.get("check")),
        minutes=str(one.get("minutes") or ""),
        join=one.get("join", "any"),
        after=[*one.get("after", []), ("", "success")],
        others=[(key, title) for key, title in titles if key != one["key"]],
        complaints=[
            f"{name.removeprefix(start).strip('.')}: {text}".removeprefix(": ")
            for name, text in said.items()
            if name == start or name.startswith(f"{start}.")
        ],
    )


def _preview(steps: Sequence[Mapping[str, Any]]) -> Drawing | None:
    if len(steps) < 2:  # noqa: PLR2004 (a single step needs no picture)
        return None
    nodes = [
        {"key": one["key"], "kind": one["kind"], "title": one.get("title", ""), "playbook": one.get("playbook", "")}
        for one in steps
    ]
    edges = [{"from": origin, "to": one["key"], "when": when} for one in steps for origin, when in one.get("after", ())]
    graph: Graph = parse(schemas.WorkflowBody, {"name": "", "nodes": nodes, "edges": edges}).workflow().graph
    return drawing.drawn(graph)


@routes.post("/workflows")
@gated(MANAGE)
async def create(request: web.Request) -> web.Response:
    """Make a workflow."""
    return await _posted(request, "")


@routes.post("/workflows/{workflow}")
@gated(MANAGE)
async def change(request: web.Request) -> web.Response:
    """Change a workflow; runs under way go on as they began."""
    return await _posted(request, path_text(request, "workflow"))


async def _posted(request: web.Request, workflow: str) -> web.Response:
    values = await form_values(request)
    about = {"name": plain(values.get("name")), "description": plain(values.get("description"))}
    steps = _read(values)
    do = plain(values.get("do")) or "save"
    if do != "save":
        return await _form(request, workflow, about, _changed(steps, do), {})
    try:
        wanted = parse(schemas.WorkflowBody, {**about, **_body(steps)}).workflow()
        asked = call(request)
        made = await (service.change(asked, workflow, wanted) if workflow else service.create(asked, wanted))
    except Invalid as refused:
        said = _by_key(refused.complaints or {"": str(refused)}, steps)
        return await _form(request, workflow, about, steps, said, status_of(refused))
    return back(request, f"/workflows/{made['id']}", f"The workflow {made['name']} was saved.")


def _by_key(complaints: Mapping[str, str], steps: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return complaints about the body with the steps' keys where it has their numbers."""
    found = {}
    for name, text in complaints.items():
        parts = name.split(".")
        if parts[0] == "nodes" and len(parts) > 1 and parts[1].isdecimal() and int(parts[1]) < len(steps):
            parts[1] = steps[int(parts[1])]["key"]
        found[".".join(parts)] = text
    return found


def _read(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of a posted form, as they were typed."""
    steps = []
    for number in range(_MOST_STEPS):
        if f"{number}.key" not in values:
            break
        fields = {
            name: plain(_last(values.get(f"{number}.{name}")))
            for name in ("key", "kind", "title", "playbook", "hosts", "groups", "variables", "tags", "minutes", "join")
        }
        after = []
        for place in range(_MOST_STEPS):
            if f"{number}.when.{place}" not in values:
                break
            if origin := plain(values.get(f"{number}.after.{place}")):
                after.append((origin, plain(values[f"{number}.when.{place}"])))
        kind = fields["kind"] if fields["kind"] in _KINDS else "playbook"
        check = _last(values.get(f"{number}.check")) == "true"
        steps.append({**fields, "kind": kind, "after": after, "check": check, "join": fields["join"] or "any"})
    return steps


def _last(value: object) -> object:
    return value[-1] if isinstance(value, list) and value else value


def _changed(steps: list[dict[str, Any]], do: str) -> list[dict[str, Any]]:
    """Return the steps with one more, which begins after the last one, or with one less."""
    verb, _, what = do.partition("-")
    if verb == "add" and what in _KINDS and len(steps) < _MOST_STEPS:
        taken = {one["key"] for one in steps}
        key = next(f"step-{number}" for number in range(1, 1000) if f"step-{number}" not in taken)
        after = [(steps[-1]["key"], "success")] if steps else []
        return [*steps, {"key": key, "kind": what, "after": after, "minutes": "10" if what == "pause" else ""}]
    if verb == "remove":
        left = [one for one in steps if one["key"] != what]
        return [{**one, "after": [pair for pair in one["after"] if pair[0] != what]} for one in left]
    return steps


def _body(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the steps under the names of ``WorkflowBody``."""
    edges = [{"from": origin, "to": one["key"], "when": when} for one in steps for origin, when in one["after"]]
    nodes = [
        {
            **{name: one.get(name, "") for name in ("key", "kind", "title", "playbook")},
            "hosts": words(one["hosts"]),
            "groups": words(one["groups"]),
            "variables": variables_of(one["variables"], f"nodes.{one['key']}.variables"),
            "check": one["check"],
            "options": {"tags": words(one["tags"])} if one["tags"] else {},
            "minutes": int(one["minutes"]) if one["minutes"].isdecimal() and len(one["minutes"]) < 10 else 0,  # noqa: PLR2004
            "join": one["join"],
        }
        for one in steps
    ]
    return {"nodes": nodes, "edges": edges}


def words(text: str) -> list[str]:
    """Return names that commas or lines set apart."""
    return [one.strip() for one in text.replace("\n", ",").split(",") if one.strip()]


def variables_of(text: str, name: str) -> dict[str, Any]:
    """Return variables that were typed as YAML; ``Invalid`` about the field of this name for what are none."""
    if len(text) > _MOST_YAML:
        raise Invalid({name: "are too long"})
    try:
        found = yaml.safe_load(text) if text.strip() else {}
    except yaml.YAMLError as error:
        raise Invalid({name: f"are not YAML: {str(error).splitlines()[0]}"}) from error
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise Invalid({name: "must be lines of name: value"})
    return found
