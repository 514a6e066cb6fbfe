"""The audit log as JSON, and as files to take away."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from aiohttp import web

from server.audit import schemas, service
from server.audit.models import Filter
from server.core.errors import Invalid
from server.core.paging import Window
from server.web.exports import Row, send_csv, send_json
from server.web.forms import query_number
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated

routes: Final = Routes()
_PAGE_MOST: Final = 200


@routes.get("/api/v1/audit")
@documented(query=("since", "until"))
@gated("can_manage_settings")
async def entries(request: web.Request) -> web.Response:
    """Answer a page of the log, newest first."""
    wanted = _filter(request)
    window = Window(query_number(request, "page", 1), query_number(request, "limit", 50, most=_PAGE_MOST))
    page = await service.search(call(request), wanted, window)
    return json_answer(
        {
            "entries": [schemas.as_json(entry) for entry in page.items],
            "pagination": page.place,
        }
    )


@routes.get("/api/v1/audit/export.csv", name="audit.csv.download")
@documented(query=("since", "until"), answers={200: "text/csv"})
@gated("can_manage_settings")
async def export_csv(request: web.Request) -> web.StreamResponse:
    """Send every entry that matches, as a table."""
    return await send_csv(request, "audit", schemas.COLUMNS, _found(request))


@routes.get("/api/v1/audit/export.json", name="audit.json.download")
@documented(query=("since", "until"), answers={200: "application/json"})
@gated("can_manage_settings")
async def export_json(request: web.Request) -> web.StreamResponse:
    """Send every entry that matches, as one JSON list."""
    return await send_json(request, "audit", _found(request))


def _found(request: web.Request) -> AsyncIterator[Sequence[Row]]:
    handfuls = service.export(call(request), _filter(request))
    return ([schemas.as_json(entry) for entry in handful] async for handful in handfuls)


def _filter(request: web.Request) -> Filter:
    wanted, complaints = schemas.filter_of(request.query)
    if complaints:
        raise Invalid(complaints)
    return wanted
