"""What stays open for long: never silent for long, never held back."""

import asyncio

import pytest
from aiohttp import ClientSession, WSMsgType
from aiohttp.test_utils import TestServer

from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.automation.conftest import api, fleet
from tests.factories.automation import Api, Fleet

__all__ = ["api", "fleet"]


@pytest.mark.real
@pytest.mark.proves("OPS-63")
async def test_an_idle_agent_hears_a_ping_within_thirty_seconds(server: TestServer, call: Call) -> None:
    host = await hosts.create(call, NewHost("web-01"))
    headers = {"X-API-ID": host.api_id, "X-API-KEY": host.api_key.reveal()}
    async with ClientSession() as session:
        ws = await session.ws_connect(server.make_url("/api/v1/agents/ws"), headers=headers, autoping=False)
        for _ in range(2):
            async with asyncio.timeout(31):
                message = await ws.receive()
            assert message.type is WSMsgType.PING
            await ws.pong(message.data)
        await ws.close()


@pytest.mark.proves("OPS-64")
async def test_live_output_reaches_the_reader_line_by_line(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    headers = {**api.headers, "Accept-Encoding": "gzip"}
    async with api.session.get(f"{api.url}/api/v1/jobs/{job['id']}/stream", headers=headers) as answer:
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert "Content-Encoding" not in answer.headers
        assert "Content-Length" not in answer.headers
        for number in range(5):
            # The next line is not printed before this one was read.
            await agent.tell(held, {"event": "live", "stdout": f"line {number}\n"}, source="live")
            async with asyncio.timeout(5):
                while f"line {number}" not in (await answer.content.readline()).decode():
                    pass
    await agent.end(held)
