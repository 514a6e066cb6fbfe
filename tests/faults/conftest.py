"""A house per test, and a program that asks its API."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from server.core.call import Call
from tests.factories.automation import Api
from tests.factories.house import House, ServerProcess
from tests.factories.people import bearer


@pytest.fixture
async def server_process(house: House, unused_tcp_port: int) -> ServerProcess:
    running = house.server(unused_tcp_port)
    await running.start()
    return running


@pytest.fixture
async def api(server_process: ServerProcess, call: Call) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:
        yield Api(session, server_process.url, await bearer(call))
