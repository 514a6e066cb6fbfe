"""What is done with chosen hosts: each deed says what it touches before it is done."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final
from urllib.parse import urlencode

from aiohttp import web
from multidict import MultiMapping

from server.core.errors import Invalid
from server.core.words import counted
from server.hosts import bulk, service, table, tags
from server.hosts.listed import ForEach
from server.web import flash
from server.web.asking import REPORT_ASKER
from server.web.forms import posted
from server.web.render import Page, render
from server.web.routing import Routes, call, gated

routes: Final = Routes()

_CRUMB: Final = ("Hosts", "/hosts")
_NAMED: Final = 12
#: Deleting more than this many asks for their number.
_CAREFUL: Final = 10
#: So many fit in the address of the next page.
_LAUNCH_MOST: Final = 150


@dataclass(frozen=True, slots=True)
class BulkPage(Page):
    """templates/hosts/bulk.html.

    Attributes:
        kind: groups, tags or delete.
        fields: what is sent along: which hosts were chosen.
        names: some of the hosts; ``total`` are all.
        groups: id, name, colour, description.
        careful: the number has to be typed.
    """

    template: ClassVar[str] = "hosts/bulk.html"
    title: ClassVar[str] = "Chosen hosts"
    kind: str
    back: str
    fields: list[tuple[str, str]]
    names: list[tuple[str, str]]
    total: int
    groups: list[tuple[str, str, str, str]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    careful: bool = False
    complaints: Sequence[tuple[str, str] | str] = ()


async def _form(request: web.Request) -> MultiMapping[str]:
    await posted(request)
    return await request.post()  # type: ignore[return-value]


def _fields(form: MultiMapping[str]) -> list[tuple[str, str]]:
    if form.get("only"):
        return [("row", str(form["only"])), ("matching", str(form.get("matching", "")))]
    if form.get("all"):
        return [("all", "1"), ("matching", str(form.get("matching", "")))]
    return [*(("row", str(one)) for one in form.getall("row", [])), ("matching", str(form.get("matching", "")))]


def _back(form: MultiMapping[str]) -> str:
    """Return the address of the list the hosts were chosen in."""
    query = str(form.get("matching", ""))
    return f"/hosts?{query}" if query else "/hosts"


def _done(request: web.Request, form: MultiMapping[str], kind: str, text: str) -> web.Response:
    answer = web.Response(status=303, headers={"Location": _back(form)})
    flash.say(answer, request, kind, text)
    return answer


async def _page(
    request: web.Request, form: MultiMapping[str], kind: str, uuids: list[str], complaints: Sequence[str] = ()
) -> web.Response:
    asked = call(request)
    names, total = await bulk.names(asked, uuids, _NAMED)
    groups = [
        (str(one["id"]), str(one["name"]), str(one["color"]), str(one["description"]))
        for one in (await service.list_groups(asked) if kind == "groups" else [])
    ]
    known = list(dict.fromkeys(one.text for one in await tags.known(asked))) if kind == "tags" else []
    page = BulkPage(
        kind=kind,
        back=_back(form),
        fields=_fields(form),
        names=names,
        total=total,
        groups=groups,
        tags=known[:200],
        careful=kind == "delete" and total > _CAREFUL,
        complaints=list(complaints),
    )
    return render(request, page, status=400 if complaints else 200, breadcrumbs=(_CRUMB, ("Chosen hosts", "")))


async def _begun(request: web.Request, kind: str) -> tuple[MultiMapping[str], list[str], web.Response | None]:
    """Return what was posted, the chosen hosts, and the answer when nothing is to be done yet."""
    form = await _form(request)
    uuids = await table.chosen(call(request), form)
    if not uuids:
        return form, uuids, _done(request, form, "attention", "No host was chosen.")
    return form, uuids, None if form.get("sure") else await _page(request, form, kind, uuids)


def _told(result: ForEach, done: str) -> tuple[str, str]:
    said = f"{counted(result.done, 'host')} {done}."
    if not result.skipped:
        return "good", said
    return "attention", f"{said} {len(result.skipped)} could not be changed: {result.skipped[0][1]}."


@routes.post("/hosts/bulk/groups")
@gated("can_manage_hosts")
async def assign_groups(request: web.Request) -> web.Response:
    """Set the groups of the chosen hosts to exactly those that are ticked."""
    form, uuids, answer = await _begun(request, "groups")
    if answer is not None:
        return answer
    try:
        result = await bulk.set_groups(call(request), uuids, [str(one) for one in form.getall("group", [])])
    except Invalid as refused:
        return await _page(request, form, "groups", uuids, [str(refused)])
    return _done(request, form, *_told(result, "assigned"))


@routes.post("/hosts/bulk/tags")
@gated("can_manage_hosts")
async def change_tags(request: web.Request) -> web.Response:
    """Give the chosen hosts tags and take others away."""
    form, uuids, answer = await _begun(request, "tags")
    if answer is not None:
        return answer
    try:
        add, gone = (tags.read(_words(str(form.get(name, "")))) for name in ("add", "remove"))
    except Invalid as refused:
        return await _page(request, form, "tags", uuids, [str(refused)])
    done = await tags.change(call(request), uuids, add, sorted(gone))
    return _done(request, form, "good", f"{counted(done, 'host')} tagged.")


def _words(text: str) -> list[str]:
    return [one.strip() for one in text.replace("\n", ",").split(",") if one.strip()]


@routes.post("/hosts/bulk/delete")
@gated("can_manage_hosts")
async def delete(request: web.Request) -> web.Response:
    """Remove the chosen hosts, after their number was typed if they are many."""
    form, uuids, answer = await _begun(request, "delete")
    if answer is not None:
        return answer
    if len(uuids) > _CAREFUL and str(form.get("number", "")).strip() != str(len(uuids)):
        return await _page(request, form, "delete", uuids, [f"Type {len(uuids)} to delete that many hosts."])
    return _done(request, form, *_told(await bulk.delete(call(request), uuids), "deleted"))


@routes.post("/hosts/bulk/launch")
@gated("can_manage_automation", "can_manage_patching")
async def launch(request: web.Request) -> web.Response:
    """Go on to choosing a playbook for these hosts."""
    form = await _form(request)
    uuids = await table.chosen(call(request), form, _LAUNCH_MOST)
    return web.Response(status=303, headers={"Location": f"/playbooks?{urlencode([('host', one) for one in uuids])}"})


@routes.post("/hosts/bulk/fetch-report")
@gated("can_manage_hosts")
async def fetch_reports(request: web.Request) -> web.Response:
    """Ask the chosen hosts for a report; those that are away are named."""
    form = await _form(request)
    uuids = await table.chosen(call(request), form)
    if not uuids:
        return _done(request, form, "attention", "No host was chosen.")
    refused = [uuid for uuid, why in await request.config_dict[REPORT_ASKER](call(request), uuids) if why]
    said = f"{counted(len(uuids) - len(refused), 'host')} asked for a report."
    if not refused:
        return _done(request, form, "good", said)
    names, _ = await bulk.names(call(request), refused, 3)
    away = ", ".join(name for _, name in names) + (" …" if len(refused) > len(names) else "")
    return _done(request, form, "attention", f"{said} {len(refused)} not connected: {away}.")
