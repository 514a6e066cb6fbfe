"""A server that cannot start says why, in words an operator can act on, and ends with status 1."""

import asyncio
import re
import socket

import pytest

from tests.factories.house import House


async def ending(house: House, port: int, seconds: float, **more: str) -> tuple[int, str]:
    server = house.server(port, **more)
    await server.program.start()
    assert server.program.process is not None
    async with asyncio.timeout(seconds):
        status = await server.program.process.wait()
    return status, server.program.log.read_text()


@pytest.mark.real
@pytest.mark.proves("OPS-25", "OPS-26")
async def test_a_database_that_stays_down_is_named(house: House, unused_tcp_port: int) -> None:
    status, said = await ending(house, unused_tcp_port, 120, DATABASE_URL="postgresql://me:hunter2@127.0.0.1:1/none")
    assert status == 1
    assert "database: 127.0.0.1:1: connect: connection refused" in said
    assert said.count("database_not_ready") == 29
    assert "hunter2" not in said


async def test_wrong_settings_are_all_named_at_once(house: House, unused_tcp_port: int) -> None:
    status, said = await ending(house, unused_tcp_port, 20, LOG_LEVEL="loud", JSON_BODY_LIMIT="many")
    assert status == 1
    assert "LOG_LEVEL" in said
    assert "JSON_BODY_LIMIT" in said


async def test_a_port_that_is_taken_is_named_with_what_to_do(house: House) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, said = await ending(house, port, 30)
    assert status == 1
    assert f"Port {port} is already in use" in said


async def test_a_dirty_schema_is_fatal(house: House, unused_tcp_port: int) -> None:
    await house.call.db.execute("update schema_migrations set dirty = true")
    status, said = await ending(house, unused_tcp_port, 30)
    assert status == 1
    assert re.search(r"\[fatal\] migrations failed: Dirty database version \d+\. Fix and force version\.", said)
