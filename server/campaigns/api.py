"""Campaigns, maintenance windows and the calendar for programs."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Final

from aiohttp import web

from server.campaigns import calendar, recurrence, report, schemas, service, windows
from server.campaigns.errors import BadCampaign, BadWindow
from server.campaigns.models import HostState, Listed, Status
from server.web.exports import Row, send_csv, send_json
from server.web.forms import query_number, read_json
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.render import fragment
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_VIEW: Final = "can_view_hosts"
_MANAGE: Final = "can_manage_patching"
_MODULE: Final = "patching"
_SHOWN_OPENINGS: Final = 10
_HANDFUL: Final = 500


# ---------------------------------------------------------------- campaigns


@routes.get("/api/v1/patching/campaigns")
@gated(_VIEW, module=_MODULE)
async def list_campaigns(request: web.Request) -> web.Response:
    """Answer campaigns, newest first; ``status`` is a state or ``active``."""
    status = request.query.get("status", "")
    asked = Listed(
        status=status if status in {"active", *Status} else "",
        window=request.query.get("window", ""),
        search=request.query.get("search", "").replace("\x00", ""),
        limit=query_number(request, "limit", 25, most=200),
        offset=query_number(request, "offset", 0, least=0, most=10_000_000),
    )
    rows, total = await service.page(call(request), asked)
    return json_answer(schemas.page_view(rows, total, asked))


@routes.post("/api/v1/patching/campaigns")
@gated(_MANAGE, module=_MODULE)
async def create_campaign(request: web.Request) -> web.Response:
    """Make a campaign; it starts at once unless it is a draft, waits for approval or has a later start."""
    wanted = (await read_json(request, schemas.CampaignBody)).wanted()
    return json_answer(schemas.campaign_view(await service.create(call(request), wanted)), 201)


@routes.post("/api/v1/patching/campaigns/preview")
@gated(_VIEW, module=_MODULE)
async def preview_campaign(request: web.Request) -> web.Response:
    """Answer which hosts each wave would have now."""
    body = await read_json(request, schemas.PlanBody)
    waves = await service.preview(call(request), body.plan(), body.targets())
    return json_answer({"waves": [{"number": n, "hosts": hosts} for n, hosts in enumerate(waves, 1)]})


@routes.get("/api/v1/patching/campaigns/{campaign}")
@gated(_VIEW, module=_MODULE)
async def show_campaign(request: web.Request) -> web.Response:
    """Answer one campaign with its waves, its progress and its failures by cause."""
    return json_answer(schemas.campaign_view(await service.fetch(call(request), path_text(request, "campaign"))))


@routes.get("/api/v1/patching/campaigns/{campaign}/hosts")
@gated(_VIEW, module=_MODULE)
async def list_hosts(request: web.Request) -> web.Response:
    """Answer the hosts of a campaign with their states and runs, by wave and name."""
    state = request.query.get("state", "")
    found = await service.hosts_of(
        call(request),
        path_text(request, "campaign"),
        state=state if state in set(HostState) else "",
        wave=query_number(request, "wave", 0, least=0, most=1000) or None,
        limit=query_number(request, "limit", 200, most=10_000),
        offset=query_number(request, "offset", 0, least=0, most=10_000_000),
    )
    return json_answer({"hosts": found})


@routes.post("/api/v1/patching/campaigns/{campaign}/launch")
@gated(_MANAGE, module=_MODULE)
async def launch_campaign(request: web.Request) -> web.Response:
    """Let a draft go its way."""
    return json_answer(schemas.campaign_view(await service.launch(call(request), path_text(request, "campaign"))))


@routes.post("/api/v1/patching/campaigns/{campaign}/approve")
@gated(_MANAGE, module=_MODULE)
async def approve_campaign(request: web.Request) -> web.Response:
    """Sign a campaign off."""
    return json_answer(schemas.campaign_view(await service.approve(call(request), path_text(request, "campaign"))))


@routes.post("/api/v1/patching/campaigns/{campaign}/pause")
@gated(_MANAGE, module=_MODULE)
async def pause_campaign(request: web.Request) -> web.Response:
    """Begin nothing more until it is resumed; what is on its host goes on."""
    return json_answer(schemas.campaign_view(await service.pause(call(request), path_text(request, "campaign"))))


@routes.post("/api/v1/patching/campaigns/{campaign}/resume")
@gated(_MANAGE, module=_MODULE)
async def resume_campaign(request: web.Request) -> web.Response:
    """Go on; after a stop with the failures so far accepted."""
    return json_answer(schemas.campaign_view(await service.resume(call(request), path_text(request, "campaign"))))


@routes.post("/api/v1/patching/campaigns/{campaign}/abandon")
@gated(_MANAGE, module=_MODULE)
async def abandon_campaign(request: web.Request) -> web.Response:
    """Give a campaign up; what is on its host may end."""
    return json_answer(schemas.campaign_view(await service.abandon(call(request), path_text(request, "campaign"))))


@routes.post("/api/v1/patching/campaigns/{campaign}/relaunch")
@gated(_MANAGE, module=_MODULE)
async def relaunch_campaign(request: web.Request) -> web.Response:
    """Run the hosts again that did not succeed."""
    return json_answer(schemas.campaign_view(await service.relaunch(call(request), path_text(request, "campaign"))))


@routes.post("/api/v1/patching/campaigns/{campaign}/repeat")
@gated(_MANAGE, module=_MODULE)
async def repeat_campaign(request: web.Request) -> web.Response:
    """Make the real campaign after a dry one, with the same hosts and waves."""
    made = await service.repeat_for_real(call(request), path_text(request, "campaign"))
    return json_answer(schemas.campaign_view(made), 201)


@routes.delete("/api/v1/patching/campaigns/{campaign}")
@gated(_MANAGE, module=_MODULE)
async def delete_campaign(request: web.Request) -> web.Response:
    """Remove a campaign that never started."""
    await service.delete(call(request), path_text(request, "campaign"))
    return web.Response(status=204)


@routes.get("/api/v1/patching/campaigns/{campaign}/report")
@documented(answers={200: "application/json"})
@gated(_VIEW, module=_MODULE)
async def show_report(request: web.Request) -> web.Response:
    """Answer the whole report of a campaign: its terms, waves, failures and every host with what changed."""
    found = await report.report_of(call(request), path_text(request, "campaign"))
    return json_answer(report.as_json(found))


@routes.get("/api/v1/patching/campaigns/{campaign}/report.csv")
@documented(answers={200: "text/csv"})
@gated(_VIEW, module=_MODULE)
async def csv_report(request: web.Request) -> web.StreamResponse:
    """Send the hosts of a campaign as a table to take away."""
    found = await report.report_of(call(request), path_text(request, "campaign"))
    return await send_csv(request, _file(found), report.COLUMNS, _handfuls(found))


@routes.get("/api/v1/patching/campaigns/{campaign}/report.json")
@gated(_VIEW, module=_MODULE)
async def json_report(request: web.Request) -> web.StreamResponse:
    """Send the hosts of a campaign as a JSON file to take away."""
    found = await report.report_of(call(request), path_text(request, "campaign"))
    return await send_json(request, _file(found), _handfuls(found))


@routes.get("/api/v1/patching/campaigns/{campaign}/report.html")
@documented(answers={200: "text/html"})
@gated(_VIEW, module=_MODULE)
async def html_report(request: web.Request) -> web.Response:
    """Send the report of a campaign as a page of its own, to keep or print."""
    found = await report.report_of(call(request), path_text(request, "campaign"))
    text = fragment(request, "campaigns/report.html", report=found)
    headers = {"Content-Disposition": f'attachment; filename="{_file(found)}.html"', "Cache-Control": "no-store"}
    return web.Response(text=text, content_type="text/html", headers=headers)


def _file(found: report.Report) -> str:
    began_at = found.campaign["started_at"] or found.campaign["created_at"]
    return f"campaign-{began_at:%Y-%m-%d}-{found.campaign['id'][:8]}"


async def _handfuls(found: report.Report) -> AsyncIterator[Sequence[Row]]:
    for first in range(0, len(found.rows), _HANDFUL):
        yield found.rows[first : first + _HANDFUL]


# ---------------------------------------------------------------- windows


@routes.get("/api/v1/patching/windows")
@gated(_VIEW, module=_MODULE)
async def list_windows(request: web.Request) -> web.Response:
    """Answer every maintenance window with its next openings."""
    return json_answer([schemas.window_view(row) for row in await windows.everything(call(request))])


@routes.post("/api/v1/patching/windows")
@gated(_MANAGE, module=_MODULE)
async def create_window(request: web.Request) -> web.Response:
    """Make a maintenance window."""
    body = await read_json(request, schemas.WindowBody)
    return json_answer(schemas.window_view(await windows.create(call(request), body.window())), 201)


@routes.post("/api/v1/patching/windows/openings")
@gated(_VIEW, module=_MODULE)
async def preview_openings(request: web.Request) -> web.Response:
    """Answer when a window with this expression would open."""
    window = (await read_json(request, schemas.OpeningsBody)).window()
    if wrong := recurrence.complaints_of(window, call(request).now):
        raise BadWindow.of(wrong)
    coming = recurrence.next_occurrences(window, call(request).now, _SHOWN_OPENINGS)
    return json_answer({"next_occurrences": [schemas.occurrence_view(one) for one in coming]})


@routes.get("/api/v1/patching/windows/{window}")
@gated(_VIEW, module=_MODULE)
async def show_window(request: web.Request) -> web.Response:
    """Answer one maintenance window with its next openings."""
    return json_answer(schemas.window_view(await windows.fetch(call(request), path_text(request, "window"))))


@routes.put("/api/v1/patching/windows/{window}")
@gated(_MANAGE, module=_MODULE)
async def change_window(request: web.Request) -> web.Response:
    """Change a maintenance window; what it had planned ahead is planned anew."""
    body = await read_json(request, schemas.WindowBody)
    changed = await windows.change(call(request), body.window(path_text(request, "window")))
    return json_answer(schemas.window_view(changed))


@routes.delete("/api/v1/patching/windows/{window}")
@gated(_MANAGE, module=_MODULE)
async def delete_window(request: web.Request) -> web.Response:
    """Remove a maintenance window; its campaigns stay."""
    await windows.delete(call(request), path_text(request, "window"))
    return web.Response(status=204)


@routes.post("/api/v1/patching/windows/{window}/start")
@gated(_MANAGE, module=_MODULE)
async def start_window(request: web.Request) -> web.Response:
    """Start a window's work now, beside its openings."""
    made = await windows.start_now(call(request), path_text(request, "window"))
    return json_answer(schemas.campaign_view(made), 201)


# ---------------------------------------------------------------- calendar


@routes.get("/api/v1/patching/calendar")
@gated(_VIEW, module=_MODULE)
async def show_calendar(request: web.Request) -> web.Response:
    """Answer what runs between ``from`` and ``to`` (ISO 8601; the next 30 days), and what gets in each other's way."""
    asked = call(request)
    since = schemas.moment(request.query.get("from", ""), asked.now)
    until = schemas.moment(request.query.get("to", ""), (since or asked.now) + timedelta(days=30))
    if since is None or until is None:
        raise BadCampaign.of({"from": "from and to must be ISO 8601"})
    return json_answer(schemas.calendar_view(await calendar.between(asked, since, until)))
