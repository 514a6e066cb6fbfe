"""What agents leave behind when they go: nothing, or the collector would have to look for it after every crowd."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
import uvloop
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

from server.app import build, close_world, open_world
from server.automation import rules
from server.channel.socket import AgentLink
from server.core.call import Call, system
from server.core.env import Env
from server.core.loop import Keeper
from server.hosts import service as hosts
from server.hosts.models import NewHost
from server.web.admission import Connection, Door
from tests.channel.test_socket import online

Socket = ClientWebSocketResponse[bool]
Leave = Callable[[Socket], Awaitable[None]]
VISITS = 3
OURS = (AgentLink, Connection, web.Request, web.WebSocketResponse)


async def is_cut(socket: Socket) -> None:
    transport_of(socket).abort()


async def hangs_up(socket: Socket) -> None:
    transport_of(socket).close()


async def says_goodbye(socket: Socket) -> None:
    await socket.close()


async def sends_nonsense(socket: Socket) -> None:
    transport_of(socket).write(b"\x8f" * 32)
    while (await socket.receive()).type not in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR}:
        pass


def transport_of(socket: Socket) -> asyncio.Transport:
    connection = socket._response.connection
    assert connection is not None
    return cast("asyncio.Transport", connection.transport)


@asynccontextmanager
async def opened(env: Env) -> AsyncIterator[tuple[Call, str]]:
    """Open the application as the server does; an aiohttp test server would cancel the handlers of who leaves."""
    keeper = Keeper()
    world = await open_world(env, keeper, pool=4)
    runner = web.AppRunner(build(world, keeper), shutdown_timeout=1)
    await runner.setup()
    await Door(runner, "127.0.0.1", 0, 16, {"access_log": None}).start()
    yield Call(world, system("test")), f"http://127.0.0.1:{runner.addresses[0][1]}/api/v1/agents/ws"
    await runner.cleanup()
    await keeper.close()
    await close_world(world)


async def left_behind(env: Env, leave: Leave) -> Counter[str]:
    """Have an agent come and go; return what of ours only the collector found."""
    async with opened(env) as (call, url), ClientSession() as session:
        host = await hosts.create(call, NewHost("web-01"))
        headers = {"X-API-ID": host.api_id, "X-API-KEY": host.api_key.reveal()}
        gc.collect()
        gc.disable()
        for _ in range(VISITS):
            socket = await session.ws_connect(url, headers=headers)
            await online(call, host, wanted=True)
            await leave(socket)
            await online(call, host, wanted=False)
        await asyncio.sleep(0.1)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        gc.set_debug(0)
        gc.enable()
        found = Counter(type(one).__name__ for one in gc.garbage if isinstance(one, OURS))
        gc.garbage.clear()
        return found


@pytest.mark.parametrize("leave", [is_cut, hangs_up, says_goodbye, sends_nonsense])
def test_whoever_leaves_leaves_nothing_behind(env: Env, leave: Leave, monkeypatch: pytest.MonkeyPatch) -> None:
    # Links that said no hello are remembered for so long.
    monkeypatch.setattr(rules, "HELLO_SECONDS", 0.0)
    # On the loop the server runs on: the other one ends connections in another order.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(left_behind(env, leave)) == {}
