"""What a scan found, to take away: a page to print, a table, a JSON file."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from aiohttp import web

from server.compliance import rules, schemas, service
from server.compliance.models import TITLES, Sought
from server.web.exports import Row, send_csv, send_json
from server.web.handler_code import documented
from server.web.render import fragment
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_VIEW: Final = "can_view_reports"
_MODULE: Final = "compliance"
_API: Final = "/api/v1/compliance/results/{scan}/report"
_HANDFUL: Final = 500
_MOST_RULES: Final = 10_000
_COLUMNS: Final = ("host", "scanned_at", "profile", "rule_ref", "title", "severity", "section", "status", "why",
                   "finding", "actual", "expected", "remediation", "waived_until")  # fmt: skip
#: Counts of a scan by the words of the report.
_COUNTS: Final = (("Passed", "passed"), ("Failed", "failed"), ("Warnings", "warned"), ("Skipped", "skipped"),
                  ("Not applicable", "not_applicable"), ("Errors", "errors"))  # fmt: skip


@routes.get(f"{_API}.csv", name="compliance.report.csv.download")
@documented(answers={200: "text/csv"})
@gated(_VIEW, "can_export_data", module=_MODULE)
async def csv(request: web.Request) -> web.StreamResponse:
    """Send the results of a scan as a table."""
    scan = await service.scan(call(request), path_text(request, "scan"))
    return await send_csv(request, _file(scan), _COLUMNS, _handfuls(request, scan))


@routes.get(f"{_API}.json", name="compliance.report.json.download")
@gated(_VIEW, "can_export_data", module=_MODULE)
async def json(request: web.Request) -> web.StreamResponse:
    """Send the results of a scan as a JSON list."""
    scan = await service.scan(call(request), path_text(request, "scan"))
    return await send_json(request, _file(scan), _handfuls(request, scan))


@routes.get(f"{_API}.html", name="compliance.report.html.download")
@documented(answers={200: "text/html"})
@gated(_VIEW, "can_export_data", module=_MODULE)
async def html(request: web.Request) -> web.Response:
    """Send a scan as a page of its own, to keep or print: its numbers, and rule by rule what is not as required."""
    asked = call(request)
    scan = await service.scan(asked, path_text(request, "scan"))
    found = await _rows(request, scan)
    waived = sum(1 for row in found if row["waived_until"])
    text = fragment(
        request,
        "compliance/report.html",
        scan=scan,
        scanner=TITLES[scan["kind"]],
        counts=[(word, scan[name]) for word, name in _COUNTS],
        verdict=rules.verdict(scan["score"]),
        waived=waived,
        waived_score=rules.waived_score({**scan, "waived": waived}),
        wanting=[row for row in found if row["status"] not in {"pass", "notapplicable", "skipped"}],
        others=[row for row in found if row["status"] in {"pass", "notapplicable", "skipped"}],
        made_at=asked.now,
        made_by=asked.actor.name,
    )
    headers = {"Content-Disposition": f'attachment; filename="{_file(scan)}.html"', "Cache-Control": "no-store"}
    return web.Response(text=text, content_type="text/html", headers=headers)


@routes.get("/api/v1/compliance/results/{scan}/arf.xml.gz", name="compliance.arf.download")
@documented(answers={200: "application/gzip"})
@gated(_VIEW, "can_export_data", module=_MODULE)
async def arf(request: web.Request) -> web.Response:
    """Send the scanner's own result (Asset Reporting Format), for scans that were asked for with it."""
    scan = await service.scan(call(request), path_text(request, "scan"))
    headers = {
        "Content-Disposition": f'attachment; filename="{_file(scan)}.arf.xml.gz"',
        "Content-Type": "application/gzip",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(body=await service.arf(call(request), scan["id"]), headers=headers)


def _file(scan: dict[str, Any]) -> str:
    at = scan["completed_at"] or scan["started_at"]
    return f"compliance-{at:%Y-%m-%d}-{scan['id'][:8]}"


async def _rows(request: web.Request, scan: dict[str, Any]) -> list[Row]:
    found, _ = await service.results(call(request), scan["id"], Sought(limit=_MOST_RULES))
    about = {"host": scan["host_name"], "scanned_at": scan["completed_at"] or scan["started_at"],
             "profile": scan["profile_name"]}  # fmt: skip
    return [{name: {**about, **schemas.result_view(row)}[name] for name in _COLUMNS} for row in found]


async def _handfuls(request: web.Request, scan: dict[str, Any]) -> AsyncIterator[Sequence[Row]]:
    found = await _rows(request, scan)
    for first in range(0, len(found), _HANDFUL):
        yield found[first : first + _HANDFUL]
