"""Benchmarks in the browser: the guides that hosts are scanned by, and uploading one's own."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.compliance import guides, handing, uploading
from server.compliance.errors import BadGuide, GuideMissing
from server.compliance.guides import Guide
from server.compliance.pages import frame
from server.compliance.pages.frame import CRUMB, MANAGE, MODULE, VIEW
from server.core.errors import Problem
from server.core.words import counted
from server.hosts.models import Tab
from server.web.flash import back
from server.web.forms import posted
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()
_HERE: Final = "/compliance/benchmarks"
_PART_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Shown:
    """A guide on the page; ``is_replaced``: everything it is for is scanned by another one."""

    guide: Guide
    is_replaced: bool


@dataclass(frozen=True, slots=True)
class BenchmarksPage(Page):
    """templates/compliance/benchmarks.html; ``own`` was uploaded, ``shipped`` lies in the server's folder."""

    template: ClassVar[str] = "compliance/benchmarks.html"
    title: ClassVar[str] = "Benchmarks"
    tabs: list[Tab]
    own: list[Shown]
    shipped: list[Shown]
    can_manage: bool


@routes.get(_HERE)
@gated(VIEW)
async def show(request: web.Request) -> web.Response:
    """Show the guides that there are."""
    if not await frame.is_on(request):
        return frame.off(request)
    known = await guides.known(call(request))
    shown = [Shown(one, _is_replaced(one, known[:place])) for place, one in enumerate(known)]
    page = BenchmarksPage(
        tabs=frame.tabs("benchmarks"),
        own=[one for one in shown if one.guide.id],
        shipped=[one for one in shown if not one.guide.id],
        can_manage=frame.may_manage(request),
    )
    return render(request, page, breadcrumbs=(CRUMB, ("Benchmarks", "")))


def _is_replaced(one: Guide, before: list[Guide]) -> bool:
    """Tell whether something before it stands for everything that it stands for."""
    ours = _stands_for(one)
    return bool(ours) and ours <= {each for other in before if other.form == one.form for each in _stands_for(other)}


def _stands_for(one: Guide) -> set[tuple[str, str]]:
    profiles = [each.id for each in one.profiles] if one.form == "tailoring" else [""]
    return {(system, profile) for system in one.systems for profile in profiles}


@routes.post(_HERE, name="compliance.benchmarks.upload")
@gated(MANAGE, module=MODULE)
async def upload(request: web.Request) -> web.Response:
    """Take a file: of a form, or as the body, which is how the page's script sends large ones."""
    try:
        one = await _from_form(request) if _is_form(request) else await handing.taken(request)
    except Problem as refused:
        return back(request, _HERE, "bad", str(refused))
    what = "The datastream" if one.form == "datastream" else "The tailoring file"
    said = f"{what} {one.title} was uploaded: {counted(len(one.profiles), 'profile')} for {', '.join(one.systems)}."
    return back(request, _HERE, "good", said)


def _is_form(request: web.Request) -> bool:
    return request.content_type in {"multipart/form-data", "application/x-www-form-urlencoded"}


async def _from_form(request: web.Request) -> Guide:
    form = await posted(request)
    given = form.get("file")
    if not isinstance(given, web.FileField) or not given.filename:
        raise BadGuide(reason="Choose a file first")
    systems = [one for one in re.split(r"[\s,]+", str(form.get("system", ""))) if one]
    async with uploading.received(_parts(given)) as path:
        return await uploading.take(call(request), path, given.filename, systems)


async def _parts(field: web.FileField) -> AsyncIterator[bytes]:
    while part := field.file.read(_PART_BYTES):
        yield part


@routes.post(f"{_HERE}/{{guide}}/delete")
@gated(MANAGE, module=MODULE)
async def delete(request: web.Request) -> web.Response:
    """Delete an uploaded file."""
    await posted(request)
    try:
        one = await guides.remove(call(request), path_text(request, "guide"))
    except GuideMissing:
        raise
    except Problem as refused:
        return back(request, _HERE, "bad", str(refused))
    return back(request, _HERE, "good", f"{one.title} was deleted. What was scanned by it stays.")
