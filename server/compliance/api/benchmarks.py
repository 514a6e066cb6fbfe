"""Own benchmarks for programs: what there is, uploading, downloading, deleting."""

from typing import Any, Final

from aiohttp import web

from server.compliance import guides, handing
from server.compliance.guides import Guide
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_VIEW: Final = "can_view_reports"
_MANAGE: Final = "can_manage_compliance"
_MODULE: Final = "compliance"
_API: Final = "/api/v1/compliance/benchmarks"


def view(one: Guide) -> dict[str, Any]:
    """Return a guide as the API tells it; ``id`` is null for what lies in the server's folder."""
    return {
        "id": one.id or None,
        "kind": one.form,
        "origin": "uploaded" if one.id else "server",
        "name": one.name,
        "title": one.title,
        "version": one.version or None,
        "benchmark": one.benchmark or None,
        "sha256": one.sha256 or None,
        "size_bytes": one.size_bytes,
        "rules": one.rules if one.id else None,
        "systems": list(one.systems),
        "profiles": [{"id": each.id, "title": each.title, "extends": each.extends or None} for each in one.profiles],
        "uploaded_by": one.made_by or None,
        "uploaded_at": one.made_at,
    }


@routes.get(_API)
@gated(_VIEW, module=_MODULE)
async def show(request: web.Request) -> web.Response:
    """Answer the guides and tailoring files that there are, what was uploaded first."""
    return json_answer({"benchmarks": [view(one) for one in await guides.known(call(request))]})


@routes.post(_API, name="compliance.guide.upload")
@gated(_MANAGE, module=_MODULE)
@documented(body_kind="application/octet-stream", query=("name", "system"))
async def upload(request: web.Request) -> web.Response:
    """Take a datastream or a tailoring file, as the body or as the field ``file`` of a form.

    ``system`` (several times where it is for several) says what it is for where it does not say so itself.
    """
    return json_answer(view(await handing.taken(request)), status=201)


@routes.get(f"{_API}/{{guide}}/file", name="compliance.guide.download")
@gated(_VIEW, module=_MODULE)
async def download(request: web.Request) -> web.StreamResponse:
    """Answer an uploaded file as it is handed to hosts."""
    found = await guides.fetch(call(request), path_text(request, "guide"))
    return await handing.out(request, found, save_as=found.name)


@routes.delete(f"{_API}/{{guide}}")
@gated(_MANAGE, module=_MODULE)
async def remove(request: web.Request) -> web.Response:
    """Delete an uploaded file; 409 while the default profile of a host is one that only it has."""
    await guides.remove(call(request), path_text(request, "guide"))
    return web.Response(status=204)
