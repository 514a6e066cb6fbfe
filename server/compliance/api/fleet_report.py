"""How the fleet or one of its groups stands, to take away: a page to print, a table, a JSON file."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import orjson
from aiohttp import web

from server.compliance import fleet_report, schemas
from server.compliance.fleet_report import FleetReport
from server.compliance.models import TITLES
from server.web.exports import Row, send_csv
from server.web.handler_code import documented
from server.web.render import fragment
from server.web.routing import Routes, call, gated

routes: Final = Routes()

_VIEW: Final = "can_view_reports"
_MODULE: Final = "compliance"
_API: Final = "/api/v1/compliance/report"
_COLUMNS: Final = ("host", "status", "score", "score_with_waivers", "passed", "failed", "waived", "warnings", "skipped",
                   "scanner", "scanned_at", "mode")  # fmt: skip


@routes.get(f"{_API}.csv", name="compliance.fleet_report.csv.download")
@documented(query=("group",), answers={200: "text/csv"})
@gated(_VIEW, "can_export_data", module=_MODULE)
async def csv(request: web.Request) -> web.StreamResponse:
    """Send how each host stands as a table; with ``group`` the hosts of that group."""
    _, place = await fleet_report.about(call(request), request.query.get("group", ""))
    return await send_csv(request, _file(request, place), _COLUMNS, _handfuls(request))


@routes.get(f"{_API}.json", name="compliance.fleet_report.json.download")
@documented(query=("group",))
@gated(_VIEW, "can_export_data", module=_MODULE)
async def json(request: web.Request) -> web.Response:
    """Send the numbers, the rules that fail most and every host as one JSON object; with ``group`` those of a group."""
    found = await fleet_report.report(call(request), request.query.get("group", ""))
    body = {
        "made_at": found.made_at,
        "made_by": found.made_by,
        "place": found.place,
        "numbers": schemas.dashboard(found.board)["summary"],
        "failures_by_severity": {name: int(number) for name, number in found.board.severities},
        "rules": [schemas.rule_view(row) for row in found.rules],
        "hosts": [row async for rows in _handfuls(request) for row in rows],
    }
    text = orjson.dumps(body, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
    return web.Response(body=text, content_type="application/json", headers=_saved(request, found.place, "json"))


@routes.get(f"{_API}.html", name="compliance.fleet_report.html.download")
@documented(query=("group",), answers={200: "text/html"})
@gated(_VIEW, "can_export_data", module=_MODULE)
async def html(request: web.Request) -> web.Response:
    """Send a page of its own, to keep or print; it names the hosts that stand worst."""
    found = await fleet_report.report(call(request), request.query.get("group", ""))
    text = fragment(
        request, "compliance/fleet_report.html", report=found, rules=[schemas.rule_view(row) for row in found.rules],
        hosts=[_row(row) for row in found.worst], counts=_counts(found), severities=found.board.severities,
    )  # fmt: skip
    return web.Response(text=text, content_type="text/html", headers=_saved(request, found.place, "html"))


def _counts(found: FleetReport) -> list[tuple[str, object]]:
    standing, s = found.board.verdicts, found.board.summary
    average = s["average_score"]
    told: list[tuple[str, object]] = [
        ("Hosts", standing.total),
        ("Compliant (80 % and more)", standing.compliant),
        ("Warning (60 to 80 %)", standing.warning),
        ("Critical (below 60 %)", standing.critical),
        ("Never scanned", standing.unscanned),
        ("Average score", "none" if average is None else f"{float(average):.1f} %"),
    ]
    if s["waived"] and s["waived_score"] is not None:
        told.append(("With waivers", f"{float(s['waived_score']):.1f} %, on {s['hosts_waived']} hosts"))
    return told


def _row(row: dict[str, object]) -> Row:
    told = schemas.host_view(row)
    named = {
        "host": row["name"],
        "scanner": TITLES.get(str(row["kind"]), None) if row["kind"] else None,
        "scanned_at": row["completed_at"],
    }
    return {name: named[name] if name in named else told[name] for name in _COLUMNS}


async def _handfuls(request: web.Request) -> AsyncIterator[Sequence[Row]]:
    async for rows in fleet_report.handfuls(call(request), request.query.get("group", "")):
        yield [_row(row) for row in rows]


def _file(request: web.Request, place: str) -> str:
    words = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in place.lower()).strip("-")
    return f"compliance-{call(request).now:%Y-%m-%d}-{words or 'group'}"


def _saved(request: web.Request, place: str, ending: str) -> dict[str, str]:
    name = f"{_file(request, place)}.{ending}"
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
