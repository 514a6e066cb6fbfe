"""A crowd of agents waits its turn, and nobody else waits for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSServerHandshakeError, web

from server.app import build
from server.core.call import Call, World
from server.core.loop import Keeper
from server.hosts import service as hosts
from server.hosts.models import NewHost
from server.web.admission import ADMISSION, Admission, Connection, Door
from server.web.connections import Watch, watch

PLACES = 2
Socket = ClientWebSocketResponse[bool]


@dataclass(frozen=True)
class Entrance:
    """The listening application, an agent's credentials and those who wait."""

    runner: web.AppRunner
    session: ClientSession
    port: int
    headers: dict[str, str]
    world: World

    def knock(self, headers: dict[str, str] | None = None) -> asyncio.Task[Socket | int]:
        """Come as an agent; the end is its socket, or the status it was refused with."""

        async def come() -> Socket | int:
            try:
                return await self.session.ws_connect(f"{self.url}/api/v1/agents/ws", headers=headers or self.headers)
            except WSServerHandshakeError as error:
                return error.status

        return asyncio.get_running_loop().create_task(come())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def waiting(self) -> int:
        """How many greetings were not read yet."""
        assert self.runner.server is not None
        return sum(isinstance(one, Connection) and one.waits for one in self.runner.server.connections)

    def busy(self) -> AbstractAsyncContextManager[None]:
        """Keep whoever is inside inside: nobody can look up a host."""

        @asynccontextmanager
        async def locked() -> AsyncIterator[None]:
            async with self.world.db.transaction() as tx:
                await tx.execute("lock table hosts in access exclusive mode")
                yield

        return locked()


@pytest.fixture
async def entrance(world: World, keeper: Keeper, call: Call) -> AsyncIterator[Entrance]:
    host = await hosts.create(call, NewHost("web-01"))
    headers = {"X-API-ID": host.api_id, "X-API-KEY": host.api_key.reveal()}
    app = build(world, keeper)
    app[ADMISSION] = Admission(PLACES)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await Door(runner, "127.0.0.1", 0, 128, {"access_log": None}).start()
    async with ClientSession() as session:
        yield Entrance(runner, session, runner.addresses[0][1], headers, world)
    await runner.cleanup()


async def until(entrance: Entrance, waiting: int) -> None:
    """Return once that many wait."""
    async with asyncio.timeout(5):
        while entrance.waiting != waiting:
            await asyncio.sleep(0.01)


async def send(entrance: Entrance, data: bytes) -> asyncio.StreamWriter:
    """Send these bytes on a connection of their own."""
    _, writer = await asyncio.open_connection("127.0.0.1", entrance.port)
    writer.write(data)
    await writer.drain()
    return writer


async def test_agents_wait_while_all_places_are_taken_and_pages_do_not(entrance: Entrance) -> None:
    async with entrance.busy():
        agents = [entrance.knock() for _ in range(PLACES + 3)]
        await until(entrance, waiting=3)
        async with asyncio.timeout(5), entrance.session.get(f"{entrance.url}/health") as answer:
            assert answer.status == 200
        assert not any(agent.done() for agent in agents)
    async with asyncio.timeout(5):
        sockets = await asyncio.gather(*agents)
    assert not any(isinstance(one, int) for one in sockets)
    # The places are free again while the sockets stay open.
    async with asyncio.timeout(5):
        assert not isinstance(await entrance.knock(), int)


async def test_who_is_refused_gives_the_place_back(entrance: Entrance) -> None:
    async with asyncio.timeout(10):
        strangers = [entrance.knock({"X-API-ID": "x", "X-API-KEY": "y"}) for _ in range(20 * PLACES)]
        assert set(await asyncio.gather(*strangers)) == {401}
        assert not isinstance(await entrance.knock(), int)


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(b"GET /api/v1/agents/ws HTTP/1.1\r\nHost: x\r\n", id="a head without an end"),
        pytest.param(b"GET /api/v1/agents/wsx HTTP/1.1\r\nHost: x\r\n\r\n", id="no address"),
        pytest.param(b"GET /api/v1/agents/ws HTTP/1.1\r\nHost x\r\n\r\n", id="no request"),
        pytest.param(
            b"GET /api/v1/agents/ws HTTP/1.1\r\nHost: x\r\n\r\nPOST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 999\r\n\r\n",
            id="another request behind it",
        ),
    ],
)
async def test_nobody_keeps_the_others_out(entrance: Entrance, piece: bytes) -> None:
    writers = [await send(entrance, piece) for _ in range(3 * PLACES)]
    async with asyncio.timeout(5):
        assert not isinstance(await entrance.knock(), int)
    for writer in writers:
        writer.close()


async def test_a_body_that_looks_like_a_greeting_takes_no_place(entrance: Entrance) -> None:
    head = (
        b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n"
    )
    writers = [await send(entrance, head) for _ in range(3 * PLACES)]
    await asyncio.sleep(0.1)
    for writer in writers:
        writer.write(b"GET /api/v1/agents/ws HTTP/1.1\r\n\r\n")
        await writer.drain()
    async with asyncio.timeout(5):
        assert not isinstance(await entrance.knock(), int)
    for writer in writers:
        writer.close()


async def test_who_went_away_while_waiting_is_passed_over(entrance: Entrance) -> None:
    async with entrance.busy():
        inside = [entrance.knock() for _ in range(PLACES)]
        while entrance.runner.server is None or len(entrance.runner.server.connections) < PLACES:
            await asyncio.sleep(0.01)
        gone = [entrance.knock() for _ in range(10)]
        await until(entrance, waiting=10)
        for agent in gone:
            agent.cancel()
        await asyncio.wait(gone)
        last = entrance.knock()
        await until(entrance, waiting=11)
    async with asyncio.timeout(5):
        assert not any(isinstance(one, int) for one in await asyncio.gather(*inside, last))


async def test_who_has_to_wait_is_not_taken_for_silent(entrance: Entrance) -> None:
    looks = asyncio.get_running_loop().create_task(watch(entrance.runner, 0.02, Watch(head_seconds=0.1)))
    async with entrance.busy():
        agents = [entrance.knock() for _ in range(PLACES + 3)]
        await until(entrance, waiting=3)
        await asyncio.sleep(0.5)
        assert entrance.waiting == 3
    async with asyncio.timeout(5):
        assert not any(isinstance(one, int) for one in await asyncio.gather(*agents))
    looks.cancel()
