"""The page of the audit log."""

from dataclasses import dataclass
from typing import ClassVar, Final

import orjson
from aiohttp import web

from server.audit import schemas, service
from server.audit.models import Entry
from server.core.paging import Page as Part
from server.core.paging import Window
from server.web.formats import link
from server.web.forms import query_number
from server.web.navigation import Entry as MenuEntry
from server.web.render import Page, render
from server.web.routing import Routes, call, gated

routes: Final = Routes()
ENTRIES: Final = (MenuEntry("System", "Audit log", "/audit", "history", order=80, permission="can_manage_settings"),)
_FILTERS: Final = {"who": "By", "action": "Action", "subject": "On", "since": "From", "until": "Until"}


@dataclass(frozen=True, slots=True)
class AuditPage(Page):
    """templates/audit/log.html."""

    template: ClassVar[str] = "audit/log.html"
    title: ClassVar[str] = "Audit log"
    entries: list[tuple[Entry, str]]
    page: Part[Entry]
    parameters: dict[str, str]
    complaints: dict[str, str]
    chips: list[tuple[str, str]]
    actions: list[str]
    listed_most: int


@routes.get("/audit")
@gated("can_manage_settings")
async def show(request: web.Request) -> web.Response:
    """Show the log, newest first."""
    asked = call(request)
    wanted, complaints = schemas.filter_of(request.query)
    parameters = {name: request.query.get(name, "").strip() for name in _FILTERS}
    page = await service.search(asked, wanted, Window(query_number(request, "page", 1)))
    shown = AuditPage(
        entries=[(entry, _told(entry)) for entry in page.items],
        page=page,
        parameters=parameters,
        complaints=complaints,
        chips=_chips(parameters),
        actions=await service.known_actions(asked),
        listed_most=service.LISTED_MOST,
    )
    return render(request, shown, status=400 if complaints else 200)


def _chips(parameters: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (f"{_FILTERS[name]}: {value}", link("/audit", parameters, **{name: None}))
        for name, value in parameters.items()
        if value
    ]


def _told(entry: Entry) -> str:
    """Return the detail as one line: what changed from what to what, and the rest as name and value."""
    detail = entry.detail
    if detail.keys() == {"from", "to"}:
        return f"{_plain(detail['from'])} → {_plain(detail['to'])}"
    return ", ".join(f"{name.replace('_', ' ')}: {_plain(value)}" for name, value in detail.items())


def _plain(value: object) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) else orjson.dumps(value).decode()
