"""Waivers for programs: list, make, change, revoke, take away."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from aiohttp import web

from server.compliance import rules, schemas, waivers
from server.compliance.errors import BadRequest
from server.compliance.models import NewWaiver, Sought, Waiver, WaiverChange, WaiverTarget
from server.core.call import Call
from server.web.exports import Row, send_csv
from server.web.forms import TextBody, query_number, read_json
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_VIEW: Final = "can_view_reports"
_MANAGE: Final = "can_manage_compliance"
_MODULE: Final = "compliance"
_API: Final = "/api/v1/compliance/waivers"
_HANDFUL: Final = 500
_QUERY: Final = ("status", "rule", "host_id", "host", "search")
_COLUMNS: Final = ("rule_ref", "rule_title", "severity", "target", "where", "state", "owner", "reason", "expires_on",
                   "hosts_covered", "created_by", "created_at", "revoked_by", "revoked_at",
                   "revoked_reason")  # fmt: skip


class WaiverBody(TextBody):
    """A waiver; ``target_id`` is the id of the host or the group, and empty for the whole fleet."""

    rule_id: str
    target: WaiverTarget
    target_id: str = ""
    reason: str = ""
    owner: str = ""
    expires_on: date | None = None

    def wanted(self) -> NewWaiver:
        """Return the waiver."""
        return NewWaiver(self.rule_id, self.target, self.target_id, self.reason, self.owner, self.expires_on)


class ChangeBody(TextBody):
    """What shall be different; what is left out stays."""

    reason: str | None = None
    owner: str | None = None
    expires_on: date | None = None


class RevokeBody(TextBody):
    """Why a waiver ends."""

    reason: str = ""


def view(asked: Call, one: Waiver) -> dict[str, Any]:
    """Return a waiver as the API tells it."""
    return {
        "id": one.id,
        "rule_id": one.rule_id,
        "rule_ref": one.rule_ref,
        "rule_title": one.rule_title,
        "severity": one.severity,
        "profile_type": one.kind,
        "target": one.target,
        "target_id": one.place or None,
        "where": one.place_name,
        "state": rules.waiver_state(one, waivers.today(asked)),
        "reason": one.reason,
        "owner": one.owner,
        "expires_on": one.expires_on,
        "hosts_covered": one.covers,
        "created_by": one.made_by,
        "created_at": one.made_at,
        "revoked_by": one.revoked_by or None,
        "revoked_at": one.revoked_at,
        "revoked_reason": one.revoked_reason or None,
    }


def _sought(request: web.Request) -> Sought:
    query = request.query
    status = query.get("status", "")
    if status and status not in waivers.STATES:
        raise BadRequest.of({"status": f"status must be {', '.join(waivers.STATES[:-1])} or {waivers.STATES[-1]}"})
    limit = query_number(request, "limit", 50, most=200)
    return Sought(
        status=status,
        # The list on the page calls it host, and its export asks with the same words.
        host=query.get("host_id", "") or query.get("host", ""),
        search=query.get("search", "").replace("\0", "")[:200].strip(),
        limit=limit,
        offset=query_number(request, "offset", 0, least=0, most=10_000_000),
        extra={"rule": query.get("rule", "").replace("\0", "")},
    )


@routes.get(_API)
@gated(_VIEW, module=_MODULE)
@documented(query=(*_QUERY, "limit", "offset"))
async def show_all(request: web.Request) -> web.Response:
    """Answer the waivers, those in force that end first on top."""
    asked, sought = call(request), _sought(request)
    found, total = await waivers.list_page(asked, sought)
    page = schemas.pagination(total, sought.limit, sought.offset)
    return json_answer({"waivers": [view(asked, one) for one in found], "pagination": page})


@routes.post(_API, name="compliance.waiver.create")
@gated(_MANAGE, module=_MODULE)
async def create(request: web.Request) -> web.Response:
    """Waive a rule on a host, in a group or in the whole fleet, until the end of a day (UTC)."""
    body, asked = await read_json(request, WaiverBody), call(request)
    return json_answer(view(asked, await waivers.create(asked, body.wanted())), status=201)


@routes.get(f"{_API}/export.csv", name="compliance.waivers.csv.download")
@documented(query=_QUERY, answers={200: "text/csv"})
@gated(_VIEW, "can_export_data", module=_MODULE)
async def csv(request: web.Request) -> web.StreamResponse:
    """Send the waivers as a table."""
    return await send_csv(request, "compliance-waivers", _COLUMNS, _handfuls(call(request), _sought(request)))


async def _handfuls(asked: Call, sought: Sought) -> AsyncIterator[Sequence[Row]]:
    offset, total = 0, 1
    while offset < total:
        found, total = await waivers.list_page(asked, replace(sought, limit=_HANDFUL, offset=offset))
        yield [{name: view(asked, one)[name] for name in _COLUMNS} for one in found]
        offset += _HANDFUL


@routes.get(f"{_API}/{{waiver}}", name="compliance.waiver")
@gated(_VIEW, module=_MODULE)
async def show(request: web.Request) -> web.Response:
    """Answer one waiver."""
    asked = call(request)
    return json_answer(view(asked, await waivers.fetch(asked, path_text(request, "waiver"))))


@routes.patch(f"{_API}/{{waiver}}", name="compliance.waiver.change")
@gated(_MANAGE, module=_MODULE)
async def change(request: web.Request) -> web.Response:
    """Change a waiver's words or its last day; what had expired is in force again with a later one."""
    body, asked = await read_json(request, ChangeBody), call(request)
    wanted = WaiverChange(body.reason, body.owner, body.expires_on)
    return json_answer(view(asked, await waivers.change(asked, path_text(request, "waiver"), wanted)))


@routes.post(f"{_API}/{{waiver}}/revoke", name="compliance.waiver.revoke")
@gated(_MANAGE, module=_MODULE)
async def revoke(request: web.Request) -> web.Response:
    """End a waiver before its day."""
    body, asked = await read_json(request, RevokeBody), call(request)
    return json_answer(view(asked, await waivers.revoke(asked, path_text(request, "waiver"), body.reason)))
