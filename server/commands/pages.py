"""Buttons that ask agents for something."""

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from server.commands import service
from server.commands.models import Kind
from server.core.call import Call
from server.core.errors import Conflict, Invalid, Unavailable
from server.web import flash
from server.web.asking import REPORT_ASKER
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()


async def _ask_reports(asked: Call, uuids: Sequence[str]) -> list[tuple[str, str]]:
    return [(one.id, one.error) for one in await service.ask_many(asked, uuids, "report_now")]


def set_up(app: web.Application) -> None:
    """Let the list of hosts ask many at once."""
    app[REPORT_ASKER] = _ask_reports


async def _done(request: web.Request, kind: Kind | None, place: str, text: str) -> web.Response:
    uuid = path_text(request, "host")
    answer = web.Response(status=303, headers={"Location": f"/hosts/{uuid}{place}"})
    try:
        await (service.apply(call(request), uuid) if kind is None else service.ask(call(request), uuid, kind))
    except (Conflict, Invalid, Unavailable) as refused:
        flash.say(answer, request, "bad", str(refused))
    else:
        flash.say(answer, request, "good", text)
    return answer


@routes.post("/hosts/{host}/fetch-report")
@gated("can_manage_hosts")
async def fetch_report(request: web.Request) -> web.Response:
    """Ask for a report."""
    return await _done(request, "report_now", "/queue", "The agent was asked for a report.")


@routes.post("/hosts/{host}/update-agent")
@gated("can_manage_hosts")
async def update_agent(request: web.Request) -> web.Response:
    """Ask the agent to replace itself."""
    return await _done(request, "update_agent", "/queue", "The agent was asked to update itself.")


@routes.post("/hosts/{host}/refresh-status")
@gated("can_manage_hosts")
async def refresh_status(request: web.Request) -> web.Response:
    """Ask how ready the integrations are."""
    text = "The agent was asked how ready its integrations are."
    return await _done(request, "refresh_integration_status", "/integrations", text)


@routes.post("/hosts/{host}/apply")
@gated("can_manage_hosts")
async def apply(request: web.Request) -> web.Response:
    """Send what waits."""
    return await _done(request, None, "/integrations", "Sent. The change holds once the agent has confirmed it.")
