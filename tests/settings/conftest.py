"""A house per test, for settings that only a real process shows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from server.core.call import Call
from server.core.env import Env
from tests.factories import house as houses
from tests.factories.house import House, ServerProcess

#: Starts a server with these variables.
Start = Callable[..., Awaitable[ServerProcess]]


@pytest.fixture
async def house(env: Env, call: Call, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.house(env, call, tmp_path) as built:
        yield built


@pytest.fixture
def start(house: House, unused_tcp_port: int) -> Start:
    async def started(**said: str) -> ServerProcess:
        running = house.server(unused_tcp_port, **said)
        await running.start()
        return running

    return started


@pytest.fixture
def ending(house: House, unused_tcp_port: int) -> Callable[..., Awaitable[tuple[int, str]]]:
    """Start a server that cannot start; return its exit status and what it said."""

    async def ended(seconds: float = 20, **said: str) -> tuple[int, str]:
        server = house.server(unused_tcp_port, **said)
        await server.program.start()
        assert server.program.process is not None
        async with asyncio.timeout(seconds):
            status = await server.program.process.wait()
        return status, server.program.log.read_text()

    return ended
