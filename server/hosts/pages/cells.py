"""Groups and tags of a host, changed where they stand in the list."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.core.call import Call
from server.core.errors import Problem
from server.hosts import fleet, service, tags
from server.hosts.bulk import ids_of
from server.hosts.errors import HostMissing
from server.hosts.listed import HostRow, Listed
from server.hosts.pages.fleet import came_from
from server.web import flash
from server.web.forms import form_values
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, is_fragment, path_text

routes: Final = Routes()

_CRUMB: Final = ("Hosts", "/hosts")


@dataclass(frozen=True, slots=True)
class CellPage(Page):
    """templates/hosts/cell.html; a fragment of it stands in the list.

    Attributes:
        kind: groups or tags.
        groups: id, name, colour, description, whether the host is in it.
        tags: the host's tags as they are typed.
    """

    template: ClassVar[str] = "hosts/cell.html"
    title: ClassVar[str] = "Host"
    kind: str
    host: HostRow
    groups: list[tuple[str, str, str, str, bool]]
    tags: str
    back: str
    complaint: str = ""


@routes.get("/hosts/{host}/cell/groups")
@gated("can_manage_hosts")
async def edit_groups(request: web.Request) -> web.Response:
    """Show the groups with those of the host ticked."""
    return await _show(request, "groups")


@routes.get("/hosts/{host}/cell/tags")
@gated("can_manage_hosts")
async def edit_tags(request: web.Request) -> web.Response:
    """Show the host's tags to be typed over."""
    return await _show(request, "tags")


@routes.post("/hosts/{host}/cell/groups")
@gated("can_manage_hosts")
async def set_groups(request: web.Request) -> web.Response:
    """Put the host in the groups that are ticked."""
    values = await form_values(request)
    chosen = values.get("group", [])
    uuid = path_text(request, "host")
    try:
        await service.set_groups(call(request), uuid, [chosen] if isinstance(chosen, str) else chosen)
    except Problem as refused:
        return await _show(request, "groups", str(refused))
    return await _done(request, "groups", str(values.get("back", "/hosts")))


@routes.post("/hosts/{host}/cell/tags")
@gated("can_manage_hosts")
async def set_tags(request: web.Request) -> web.Response:
    """Give the host the tags that were typed."""
    values = await form_values(request)
    typed = str(values.get("tags", ""))
    try:
        wanted = tags.read([one for one in typed.replace("\n", ",").split(",") if one.strip()])
        await tags.replace(call(request), path_text(request, "host"), wanted)
    except HostMissing:
        raise
    except Problem as refused:
        return await _show(request, "tags", str(refused), typed)
    return await _done(request, "tags", str(values.get("back", "/hosts")))


async def _show(request: web.Request, kind: str, complaint: str = "", typed: str = "") -> web.Response:
    asked = call(request)
    host = await _host(asked, path_text(request, "host"))
    held = {group.id for group in host.groups}
    groups = [
        (str(one["id"]), str(one["name"]), str(one["color"]), str(one["description"]), str(one["id"]) in held)
        for one in (await service.list_groups(asked) if kind == "groups" else [])
    ]
    known = typed or ", ".join(f"{key}={value}" if value else key for key, value in host.tags)
    path, query = came_from(request)
    back = f"{path}?{query}" if path.startswith("/hosts") else "/hosts"
    page = CellPage(kind, host, groups, known, back.removesuffix("?"), complaint)
    # A form in a cell is exchanged whatever came of it.
    status = 400 if complaint and not is_fragment(request) else 200
    template = "hosts/_cell_form.html" if is_fragment(request) else ""
    return render(request, page, status=status, template=template, breadcrumbs=(_CRUMB, (host.name, host.url)))


async def _done(request: web.Request, kind: str, back: str) -> web.Response:
    host = await _host(call(request), path_text(request, "host"))
    if is_fragment(request):
        page = CellPage(kind, host, [], "", "/hosts")
        return render(request, page, template="hosts/_cell_shown.html")
    safe = back if back.startswith("/hosts") else "/hosts"
    answer = web.Response(status=303, headers={"Location": safe})
    flash.say(answer, request, "good", f"The {kind} of {host.name} are saved.")
    return answer


async def _host(asked: Call, uuid: str) -> HostRow:
    found, _ = await fleet.part(asked, Listed(selected=ids_of([uuid])), 1, 0)
    if not found:
        raise HostMissing
    return found[0]
