"""A crowd of agents waits its turn, and nobody else waits for it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, WSServerHandshakeError
from aiohttp.test_utils import TestServer

from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from server.web.admission import AT_ONCE, PLACES
from tests.conftest import Browser

URL = "/api/v1/agents/ws"


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as opened:
        yield opened


async def test_agents_wait_while_all_places_are_taken_and_pages_do_not(
    server: TestServer, client: Browser, session: ClientSession, call: Call
) -> None:
    host = await hosts.create(call, NewHost("web-01"))
    headers = {"X-API-ID": host.api_id, "X-API-KEY": host.api_key.reveal()}
    places = server.app[PLACES]
    for _ in range(AT_ONCE):
        await places.acquire()
    waiting = asyncio.get_running_loop().create_task(
        session.ws_connect(server.make_url(URL), headers=headers).__aenter__()
    )
    await asyncio.sleep(0.3)
    assert not waiting.done()
    async with asyncio.timeout(5):
        assert (await client.get("/health")).status == 200
        assert (await client.post("/api/v1/hosts/ping")).status == 401
    places.release()
    async with asyncio.timeout(5):
        ws = await waiting
    # The place is free again while the socket stays open.
    async with asyncio.timeout(5):
        await places.acquire()
    await ws.close()


async def test_who_is_refused_gives_the_place_back(server: TestServer, session: ClientSession) -> None:
    async def knock() -> int:
        try:
            await session.ws_connect(server.make_url(URL), headers={"X-API-ID": "x", "X-API-KEY": "y"})
        except WSServerHandshakeError as error:
            return error.status
        return 101

    assert set(await asyncio.gather(*(knock() for _ in range(3 * AT_ONCE)))) == {401}
    for _ in range(AT_ONCE):
        async with asyncio.timeout(1):
            await server.app[PLACES].acquire()
