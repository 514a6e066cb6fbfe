"""Two scans beside each other, for programs."""

from typing import Any, Final

from aiohttp import web

from server.compliance import comparing, rules, schemas
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated

routes: Final = Routes()


@routes.get("/api/v1/compliance/compare")
@documented(query=("first", "second"))
@gated("can_view_reports", module="compliance")
async def compare(request: web.Request) -> web.Response:
    """Answer where two scans differ, the worst first."""
    asked = call(request)
    found = await comparing.compare(asked, request.query.get("first", ""), request.query.get("second", ""))
    differences: list[dict[str, Any]] = [
        {
            "rule_ref": one.ref,
            "rule_id": one.rule_id,
            "title": one.title,
            "severity": one.severity,
            "before": rules.WORDS.get(one.before),
            "after": rules.WORDS.get(one.after),
            "change": one.change,
        }
        for one in found.differences
    ]
    return json_answer(
        {
            "first": schemas.scan_view(found.first),
            "second": schemas.scan_view(found.second),
            "same": found.same,
            "differences": differences,
        }
    )
