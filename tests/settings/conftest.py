"""A house per test, for settings that only a real process shows."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.factories.house import House


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
