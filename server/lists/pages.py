"""Keeping a view, opening a shared one, and what somebody keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.core.errors import Invalid
from server.lists import schemas, service
from server.lists.errors import ViewMissing
from server.lists.gates import demand_list, may_open, visible
from server.lists.models import View
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.forms import form_values, parse, read_form
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_FIELDS: Final = (
    Field("name", "Name", placeholder="Needs a reboot tonight"),
    Field(
        "shared",
        "Share it: everyone who may see this list finds the view above it",
        "boolean",
        value=False,
    ),
)


@dataclass(frozen=True, slots=True)
class SavePage(Page):
    """templates/lists/save.html."""

    template: ClassVar[str] = "lists/save.html"
    title: ClassVar[str] = "Save this view"
    fields: list[Field]
    complaints: Sequence[tuple[str, str] | str]
    address: str


@dataclass(frozen=True, slots=True)
class ViewsPage(Page):
    """templates/lists/views.html."""

    template: ClassVar[str] = "lists/views.html"
    title: ClassVar[str] = "Views"
    views: list[View]
    can_tidy: bool


@routes.get("/views")
@gated()
async def show_views(request: web.Request) -> web.Response:
    """Show what the asker keeps and what is shared."""
    return render(request, ViewsPage(await visible(request), call(request).actor.may("can_manage_settings")))


@routes.get("/views/new")
@gated()
async def save_form(request: web.Request) -> web.Response:
    """Show the form that keeps the view in ``address``."""
    address = request.query.get("address", "/hosts")[: schemas.ADDRESS_MOST]
    await demand_list(request, schemas.split(address)[0])
    return render(request, SavePage(list(_FIELDS), (), address))


@routes.post("/views/new")
@gated()
async def save(request: web.Request) -> web.Response:
    """Keep it, and go back to the list."""
    values = await form_values(request)
    try:
        new = parse(schemas.ViewBody, _last(values)).view()
        await demand_list(request, new.path)
        kept = await service.keep(call(request), new)
    except Invalid as refused:
        said = refused.complaints or {"name": str(refused)}
        shown = filled(list(_FIELDS), _last(values), said)
        page = SavePage(shown, complained(shown, said), str(values.get("address", "")))
        return render(request, page, status=400)
    answer = web.Response(status=303, headers={"Location": kept.address})
    flash.say(answer, request, "good", f"The view {kept.name} is kept above the list.")
    return answer


def _last(values: dict[str, object]) -> dict[str, object]:
    # A box comes with a hidden "false" before it.
    return {name: value[-1] if isinstance(value, list) and value else value for name, value in values.items()}


@routes.post("/views/keep")
@gated()
async def choose(request: web.Request) -> web.Response:
    """Let a list open for the asker as it is now."""
    body = await read_form(request, schemas.ChoiceBody)
    await demand_list(request, body.path)
    await service.choose(call(request), body.name, body.chosen, body.rest)
    answer = web.Response(status=303, headers={"Location": body.path})
    flash.say(answer, request, "good", "The list opens like this for you from now on.")
    return answer


@routes.post("/views/forget")
@gated()
async def forget(request: web.Request) -> web.Response:
    """Let a list open as usual again."""
    body = await read_form(request, schemas.ChoiceBody)
    await demand_list(request, body.path)
    await service.forget(call(request), body.name)
    answer = web.Response(status=303, headers={"Location": body.path})
    flash.say(answer, request, "good", "The list opens as usual again.")
    return answer


@routes.get("/views/{view}")
@gated()
async def open_view(request: web.Request) -> web.Response:
    """Lead to the list a view shows."""
    found = await service.find(call(request), path_text(request, "view"))
    if not await may_open(request, found.path):
        raise ViewMissing
    raise web.HTTPSeeOther(found.address)


@routes.post("/views/{view}/delete")
@gated()
async def remove(request: web.Request) -> web.Response:
    """Remove a view."""
    await service.remove(call(request), path_text(request, "view"))
    answer = web.Response(status=303, headers={"Location": "/views"})
    flash.say(answer, request, "good", "The view was removed.")
    return answer
