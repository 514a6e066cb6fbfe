"""Two scans beside each other, a host beside a group, and baselines, for programs."""

from typing import Any, Final

from aiohttp import web

from server.compliance import baselines, comparing, rules, schemas
from server.compliance.baselines import Baseline
from server.web.forms import TextBody, read_json
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

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


@routes.get("/api/v1/compliance/compare/group")
@documented(query=("host_id", "group_id", "profile_type"))
@gated("can_view_reports", module="compliance")
async def compare_group(request: web.Request) -> web.Response:
    """Answer how a host stands beside the hosts of a group, rule by rule, where they differ most first."""
    query = request.query
    found = await comparing.with_group(
        call(request), query.get("host_id", ""), query.get("group_id", ""), query.get("profile_type", "openscap")
    )
    rows = [
        {
            "rule_ref": one.ref,
            "rule_id": one.rule_id,
            "title": one.title,
            "severity": one.severity,
            "status": rules.WORDS.get(one.state),
            "hosts_as_required": one.good,
            "hosts": one.hosts,
            "host_stands": one.side,
        }
        for one in found.lines
    ]
    average = None if found.average is None else round(float(found.average), 2)
    body = {"scan": schemas.scan_view(found.scan), "group_name": found.group, "group_average_score": average}
    return json_answer({**body, "rules": rows})


class BaselineBody(TextBody):
    """Which scan later ones are held against."""

    scan_id: str


_BASELINE = "/api/v1/compliance/hosts/{host}/baseline"


def _view(found: Baseline | None) -> dict[str, Any]:
    if found is None:
        return {"baseline": None}
    return {
        "baseline": {
            "scan_id": found.scan,
            "completed_at": found.completed_at,
            "set_by": found.set_by,
            "set_at": found.set_at,
            "worse": found.since.count("worse") if found.since else 0,
            "better": found.since.count("better") if found.since else 0,
        }
    }


@routes.get(_BASELINE)
@documented(query=("profile_type",))
@gated("can_view_reports", module="compliance")
async def show_baseline(request: web.Request) -> web.Response:
    """Answer a host's baseline, and how its newest scan stands beside it."""
    kind = request.query.get("profile_type", "openscap")
    return json_answer(_view(await baselines.since(call(request), path_text(request, "host"), kind)))


@routes.put(_BASELINE, name="compliance.baseline.set")
@gated("can_manage_compliance", module="compliance")
async def set_baseline(request: web.Request) -> web.Response:
    """Make a completed scan of a host its baseline."""
    body = await read_json(request, BaselineBody)
    return json_answer(_view(await baselines.choose(call(request), path_text(request, "host"), body.scan_id)))


@routes.delete(_BASELINE, name="compliance.baseline.forget")
@documented(query=("profile_type",))
@gated("can_manage_compliance", module="compliance")
async def forget_baseline(request: web.Request) -> web.Response:
    """Take a host's baseline back."""
    kind = request.query.get("profile_type", "openscap")
    return json_answer({"success": await baselines.forget(call(request), path_text(request, "host"), kind)})
