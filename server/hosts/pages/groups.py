"""The pages of host groups: the same under the settings and under the fleet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.core.errors import Invalid, Problem
from server.hosts import groups, schemas, service
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.forms import form_values, parse
from server.web.navigation import Action, Entry
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

ENTRIES: Final = (
    Entry("Fleet", "Groups", "/options", "folders", 20, "can_manage_hosts"),
    Entry(
        "Settings",
        "Host Groups",
        "/settings/host-groups",
        "folders",
        order=30,
        permission="can_manage_settings",
        group="Hosts Management",
    ),
)
ACTIONS: Final = (Action("Create a host group", "/options?new=1", "plus", "can_manage_hosts", "new folder"),)

_MANAGE: Final = ("can_manage_hosts", "can_manage_settings")
_NAMED: Final = 50
_FIELDS: Final = (
    Field("name", "Name", placeholder="Production web"),
    Field("description", "Description", required=False, help="Shown where the group's name is pointed at."),
    Field("color", "Color", value="#3B82F6", help="Six hexadecimal digits after a #.", placeholder="#3B82F6"),
)


@dataclass(frozen=True, slots=True)
class GroupsPage(Page):
    """templates/hosts/groups.html.

    Attributes:
        home: the address of this page, of the two it has.
        editing: the group that is changed, with its form; without an id a new one.
        leaving: the group that is to be deleted, and the hosts that still are in it.
    """

    template: ClassVar[str] = "hosts/groups.html"
    title: ClassVar[str] = "Host groups"
    home: str
    groups: list[dict[str, Any]]
    can_change: bool
    fields: list[Field]
    complaints: Sequence[tuple[str, str] | str]
    editing: dict[str, Any] | None = None
    leaving: dict[str, Any] | None = None
    held: Sequence[dict[str, Any]] = ()


def _home(request: web.Request) -> str:
    return "/options" if request.path.startswith("/options") else "/settings/host-groups"


@routes.get("/options")
@routes.get("/settings/host-groups")
@gated(*_MANAGE)
async def show(request: web.Request) -> web.Response:
    """Show the groups; ``new``, ``edit`` and ``delete`` in the query open a form."""
    query = request.query
    if wanted := query.get("edit"):
        group = await service.fetch_group(call(request), wanted)
        return await _render(request, list(filled(_FIELDS, group, {})), editing=group)
    if wanted := query.get("delete"):
        group = await service.fetch_group(call(request), wanted)
        return await _render(
            request, list(_FIELDS), leaving=group, held=await groups.members(call(request), wanted, _NAMED)
        )
    return await _render(request, list(_FIELDS), editing={"id": ""} if "new" in query else None)


async def _render(
    request: web.Request,
    fields: list[Field],
    *,
    editing: dict[str, Any] | None = None,
    leaving: dict[str, Any] | None = None,
    held: Sequence[dict[str, Any]] = (),
    complaints: Sequence[tuple[str, str] | str] = (),
    status: int = 200,
) -> web.Response:
    asked = call(request)
    page = GroupsPage(
        home=_home(request),
        groups=await service.list_groups(asked),
        can_change=asked.actor.groups is None,
        fields=fields,
        complaints=complaints,
        editing=editing,
        leaving=leaving,
        held=held,
    )
    return render(request, page, status=status)


@routes.post("/options")
@routes.post("/settings/host-groups")
@gated(*_MANAGE)
async def create(request: web.Request) -> web.Response:
    """Add a group."""
    values = await form_values(request)
    try:
        body = parse(schemas.GroupBody, values)
        await service.create_group(call(request), body.name, body.description, body.color)
    except Problem as refused:
        return await _refused(request, {"id": ""}, values, refused)
    return _done(request, f"The group {body.name} was created.")


@routes.post("/options/{group}")
@routes.post("/settings/host-groups/{group}")
@gated(*_MANAGE)
async def update(request: web.Request) -> web.Response:
    """Change a group."""
    asked, uuid = call(request), path_text(request, "group")
    values = await form_values(request)
    try:
        body = parse(schemas.GroupBody, values)
        await groups.update(asked, uuid, body.name, body.description, body.color)
    except Problem as refused:
        return await _refused(request, await service.fetch_group(asked, uuid), values, refused)
    return _done(request, f"The group {body.name} was changed.")


async def _refused(
    request: web.Request, group: dict[str, Any], values: dict[str, Any], refused: Problem
) -> web.Response:
    said = (refused.complaints if isinstance(refused, Invalid) else {}) or {"name": str(refused)}
    shown = filled(_FIELDS, values, said)
    return await _render(request, shown, editing=group, complaints=complained(shown, said), status=status_of(refused))


@routes.post("/options/{group}/delete")
@routes.post("/settings/host-groups/{group}/delete")
@gated(*_MANAGE)
async def delete(request: web.Request) -> web.Response:
    """Remove an empty group."""
    asked, uuid = call(request), path_text(request, "group")
    found = await service.fetch_group(asked, uuid)
    try:
        await groups.delete(asked, uuid)
    except Problem as refused:
        held = await groups.members(asked, uuid, _NAMED)
        return await _render(
            request,
            list(_FIELDS),
            leaving=found,
            held=held,
            complaints=[str(refused)],
            status=status_of(refused),
        )
    return _done(request, f"The group {found['name']} was deleted.")


def _done(request: web.Request, text: str) -> web.Response:
    answer = web.Response(status=303, headers={"Location": _home(request)})
    flash.say(answer, request, "good", text)
    return answer
