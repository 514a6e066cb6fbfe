"""The page of the audit log."""

from dataclasses import dataclass, replace
from typing import ClassVar, Final

import orjson
from aiohttp import web

from server.audit import schemas, service
from server.audit.models import Entry
from server.web.filters import Filter
from server.web.navigation import Entry as MenuEntry
from server.web.render import Page, render
from server.web.routing import Routes, call, gated
from server.web.tables import Column, Listing, Table, listing, parse, settled

routes: Final = Routes()
ENTRIES: Final = (MenuEntry("System", "Audit log", "/audit", "history", order=80, permission="can_manage_settings"),)

TABLE: Final = Table(
    name="audit",
    path="/audit",
    noun="record",
    columns=(
        Column("at", "When", fixed=True),
        Column("actor", "By", place="title", fixed=True),
        Column("action", "Action"),
        Column("subject", "On"),
        Column("detail", "Detail", place="prose"),
        Column("via", "Through", shown=False),
        Column("address", "From"),
        Column("request", "Request", shown=False),
    ),
    filters=(
        Filter("who", "By", hint="Name of a person, host or task"),
        Filter("action", "Action", hint="identity, hosts.created …"),
        Filter("subject", "On", hint="Name or id"),
        Filter("since", "From", "day"),
        Filter("until", "Until", "day"),
    ),
    exports=(("CSV", "/api/v1/audit/export.csv"), ("JSON", "/api/v1/audit/export.json")),
    empty="Nothing has been recorded yet.",
    empty_icon="history",
)


@dataclass(frozen=True, slots=True)
class AuditPage(Page):
    """templates/audit/log.html."""

    template: ClassVar[str] = "audit/log.html"
    title: ClassVar[str] = "Audit log"
    listing: Listing
    rows: list[tuple[Entry, str]]


@routes.get("/audit")
@gated("can_manage_settings")
async def show(request: web.Request) -> web.Response:
    """Show the log, newest first."""
    asked = call(request)
    wanted = parse(_table(await service.known_actions(asked)), request.query)
    headers = settled(request, wanted)
    chosen, _ = schemas.filter_of({one.key: wanted.value(one.key) for one in TABLE.filters})
    page = await service.search(asked, chosen, wanted.window)
    shown = AuditPage(
        listing=listing(wanted, page.total, may=asked.actor.may, capped=page.total >= service.LISTED_MOST),
        rows=[(entry, _told(entry)) for entry in page.items],
    )
    return render(request, shown, status=400 if wanted.complaints else 200, headers=headers)


def _table(actions: list[str]) -> Table:
    """Return the list with the actions that occurred lately as proposals."""
    known = [(action, action) for action in actions]
    filters = tuple(replace(one, choices=known) if one.key == "action" else one for one in TABLE.filters)
    return replace(TABLE, filters=filters)


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
