"""The door agents come in by."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from server.channel.models import OpenInbox
from server.channel.pushes import push_settings
from server.channel.socket import AgentLink, new_websocket
from server.channel.switchboard import Switchboard, switchboard
from server.core.ids import HostId
from server.core.log import get_log
from server.core.loop import Keeper
from server.hosts import service as hosts
from server.web import admission
from server.web.handler_code import documented
from server.web.proxy import origin
from server.web.routing import AGENT_INBOXES, CALL, FORM_COOKIE, WORLD, Routes, agent_only, call

log = get_log(__name__)

routes = Routes()
_BOARD: Final = web.AppKey("switchboard", Switchboard)
_KEEPER: Final = web.AppKey("channel_keeper", Keeper)


def set_up(app: web.Application) -> None:
    """Open the list in which upper rooms register."""
    app[AGENT_INBOXES] = []
    admission.set_up(app)


async def resources(app: web.Application) -> AsyncIterator[None]:
    """Keep the switchboard open as long as the application."""
    inboxes: list[OpenInbox] = app[AGENT_INBOXES]
    keeper = Keeper()
    async with switchboard(app[WORLD], inboxes) as board:
        app[_BOARD] = board
        app[_KEEPER] = keeper
        keeper.start("settings-push", push_settings(app[WORLD], board))
        yield
    await keeper.close()


@routes.get("/api/v1/agents/ws", name="agents.socket")
@documented(answers={101: ""})
@agent_only(plain=True)
async def connect(request: web.Request) -> web.StreamResponse:
    """Upgrade an authenticated agent and stay with it until it leaves."""
    agent = hosts.agent_of(call(request))
    source = origin(request)
    secure = source.secure
    ws = new_websocket()
    await ws.prepare(request)
    transport = request.transport
    if transport is None:
        return ws
    link = AgentLink(
        ws, transport, request.app[_KEEPER], HostId(agent.id), agent.name,
        secure=secure, api_id=agent.api_id, address=source.address,
    )  # fmt: skip
    log.info("agent_connected", host=agent.name, protocol="wss" if secure else "ws")
    # What the request brought along would otherwise stay in memory as long as the link.
    del agent
    for brought in (CALL, FORM_COOKIE):
        request.pop(brought, None)
    ws.headers.clear()
    await _converse(request.app[_BOARD], link)
    return ws


async def _converse(board: Switchboard, link: AgentLink) -> None:
    board.attach(link)
    try:
        while (data := await link.receive()) is not None:
            await board.received(link, data)
    finally:
        board.detach(link)
