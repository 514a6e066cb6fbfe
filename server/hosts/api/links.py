"""Who is connected, for people's programs."""

from typing import Final

from aiohttp import web

from server.core.call import Call
from server.hosts import fleet, service
from server.hosts.errors import HostMissing
from server.hosts.models import LinkState
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_MOST_IDS: Final = 1000
_LONGEST_QUERY: Final = 20_000


@routes.get("/api/v1/ws/status")
@gated("can_view_hosts")
async def link_states(request: web.Request) -> web.Response:
    """Answer which of these hosts are connected."""
    ids = request.query.get("apiIds", "")[:_LONGEST_QUERY].replace("\0", "").split(",")
    asked = call(request)
    found = await service.link_states(asked, [one.strip() for one in ids if one.strip()][:_MOST_IDS])
    return json_answer({"success": True, "data": {one: _link(state, asked) for one, state in found.items()}})


@routes.get("/api/v1/ws/status/summary")
@gated("can_view_hosts")
async def link_summary(request: web.Request) -> web.Response:
    """Answer how many hosts are connected."""
    return json_answer({"connected": (await fleet.counts(call(request))).online})


@routes.get("/api/v1/ws/status/{api_id}")
@gated("can_view_hosts")
async def link_state(request: web.Request) -> web.Response:
    """Answer how far a host has come: waiting, connected, receiving, done."""
    asked, api_id = call(request), path_text(request, "api_id")
    found = (await service.link_states(asked, [api_id.replace("\0", "")])).get(api_id)
    if found is None:
        raise HostMissing
    more = {
        "protocol": "wss" if found.secure else "ws",
        "host_id": found.host_id,
        "status": found.status,
        "last_update": found.last_update,
        "stage": found.stage,
    }
    return json_answer({"success": True, "data": {**_link(found, asked), **more}})


def _link(state: LinkState, asked: Call) -> dict[str, object]:
    gone_at = None if state.connected else state.last_disconnected_at
    ago = None if gone_at is None else max(0, int((asked.now - gone_at).total_seconds()))
    return {"connected": state.connected, "secure": state.connected and state.secure, "disconnected_seconds_ago": ago}
