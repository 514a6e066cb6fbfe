"""Remediation by playbook for programs: compose, try, approve, give up."""

from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from server.compliance import remedies, rules
from server.compliance.models import Remedy
from server.web.forms import read_json
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_VIEW: Final = "can_view_reports"
_MANAGE: Final = "can_manage_compliance"
_MODULE: Final = "compliance"
_API: Final = "/api/v1/compliance/remedies"


class DraftBody(BaseModel):
    """What shall be fixed; without ``rules`` everything that fails."""

    model_config = ConfigDict(extra="forbid")

    host_id: str = Field(max_length=64)
    rules: list[str] | None = Field(default=None, max_length=500)


class RejectBody(BaseModel):
    """Why it is turned down."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(max_length=2000)


def view(one: Remedy) -> dict[str, Any]:
    """Return a remediation as the API tells it."""
    return {
        "id": one.id,
        "host_id": one.host,
        "host_name": one.host_name,
        "profile_id": one.profile_id,
        "guide": one.guide,
        "status": one.status,
        "reason": one.reason or None,
        "check_job": one.check_job,
        "apply_job": one.apply_job,
        "asked_by": one.asked_by,
        "asked_at": one.asked_at,
        "approved_by": one.approved_by or None,
        "approved_at": one.approved_at,
        "checked_at": one.checked_at,
        "automatic": one.automatic,
        "rejected_by": one.rejected_by or None,
        "finished_at": one.finished_at,
        "rules": [
            {
                "rule_ref": rule.ref,
                "title": rule.title,
                "severity": rule.severity,
                "touches": list(rule.touches),
                "left_out": rule.left_out or None,
                "predicted": rule.predicted or None,
                "message": rule.said or None,
                "before": rules.WORDS.get(rule.before),
                "after": rules.WORDS.get(rule.after),
            }
            for rule in one.rules
        ],
    }


@routes.get(_API)
@gated(_VIEW, module=_MODULE)
@documented(query=("host_id",))
async def show_all(request: web.Request) -> web.Response:
    """Answer the newest remediations; with ``host_id`` those of one host."""
    found = await remedies.newest(call(request), request.query.get("host_id", ""))
    return json_answer({"remedies": [view(one) for one in found]})


@routes.post(_API, name="compliance.remedy.draft")
@gated(_MANAGE, module=_MODULE)
async def draft(request: web.Request) -> web.Response:
    """Compose the playbook that fixes rules of a host; nothing is run."""
    body = await read_json(request, DraftBody)
    return json_answer(view(await remedies.draft(call(request), body.host_id, body.rules)), status=201)


@routes.get(f"{_API}/{{remedy}}", name="compliance.remedy")
@gated(_VIEW, module=_MODULE)
async def show(request: web.Request) -> web.Response:
    """Answer one remediation, rule by rule."""
    return json_answer(view(await remedies.fetch(call(request), path_text(request, "remedy"))))


@routes.get(f"{_API}/{{remedy}}/playbook.yml", name="compliance.remedy.download")
@gated(_VIEW, module=_MODULE)
@documented(answers={200: "application/yaml"})
async def playbook(request: web.Request) -> web.Response:
    """Send the playbook."""
    one = await remedies.fetch(call(request), path_text(request, "remedy"))
    headers = {"Content-Disposition": f'attachment; filename="remedy-{one.id}.yml"'}
    return web.Response(text=one.playbook, content_type="application/yaml", headers=headers)


@routes.post(f"{_API}/{{remedy}}/check", name="compliance.remedy.check")
@gated(_MANAGE, module=_MODULE)
async def check(request: web.Request) -> web.Response:
    """Try it: a dry run that says what would change."""
    return json_answer(view(await remedies.check(call(request), path_text(request, "remedy"))), status=202)


@routes.post(f"{_API}/{{remedy}}/apply", name="compliance.remedy.apply")
@gated(_MANAGE, module=_MODULE)
async def apply(request: web.Request) -> web.Response:
    """Approve what the dry run said, and apply it."""
    return json_answer(view(await remedies.apply(call(request), path_text(request, "remedy"))), status=202)


@routes.post(f"{_API}/{{remedy}}/cancel", name="compliance.remedy.cancel")
@gated(_MANAGE, module=_MODULE)
async def cancel(request: web.Request) -> web.Response:
    """Give up what was not applied."""
    return json_answer(view(await remedies.cancel(call(request), path_text(request, "remedy"))))


@routes.post(f"{_API}/{{remedy}}/reject", name="compliance.remedy.reject")
@gated(_MANAGE, module=_MODULE)
async def reject(request: web.Request) -> web.Response:
    """Turn down what was tried."""
    body = await read_json(request, RejectBody)
    return json_answer(view(await remedies.reject(call(request), path_text(request, "remedy"), body.reason)))
