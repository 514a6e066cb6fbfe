"""What an agent does while it stays: signs of life, reports with everything behind them, news after a break."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web

from tests.agent.conftest import Agent
from tests.stand_ins.agent_server import AgentServer


@pytest.mark.real
@pytest.mark.proves("AGENT-RUN-03")
async def test_it_pings_every_thirty_seconds(agent: Agent) -> None:
    heard: asyncio.Queue[float] = asyncio.Queue()

    async def link(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoping=False, compress=False)
        await socket.prepare(request)
        heard.put_nowait(time.monotonic())
        async for frame in socket:
            if frame.type is WSMsgType.PING:
                heard.put_nowait(time.monotonic())
                await socket.pong(frame.data)
        return socket

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/api/v1/agents/ws", link)
    app.router.add_route("*", "/api/v1/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    agent.configure(f"http://127.0.0.1:{runner.addresses[0][1]}")
    process = await agent.serve()
    try:
        opened = await asyncio.wait_for(heard.get(), 20)
        first = await asyncio.wait_for(heard.get(), 33)
        assert 25 < first - opened < 33
    finally:
        await agent.stop(process)
        await runner.cleanup()


@asynccontextmanager
async def engine(place: Path) -> AsyncIterator[None]:
    """An engine with nothing in it."""

    async def answer(request: web.Request) -> web.Response:
        empty = {"/volumes": {"Volumes": []}, "/version": {"Version": "27.0"}, "/info": {}}
        return web.json_response(empty.get(request.path, []))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(place)).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.mark.proves("AGENT-REP-03")
async def test_a_report_is_followed_by_what_has_its_own_door(agent: Agent, server: AgentServer, tmp_path: Path) -> None:
    socket = tmp_path / "engine.sock"
    agent.configure(server.url, integrations={"docker": True, "docker_socket": str(socket)})
    server.latest_version = {"currentVersion": "0", "latestVersion": "0", "hasUpdate": False}
    async with engine(socket):
        done = await agent.run("report")
    assert done.code == 0, done.err
    posted = [request for request in server.requests if request.path != "/hosts/ping"]
    assert posted[0].path == "/hosts/update"
    assert {request.path for request in posted[1:]} == {"/integrations/docker", "/hosts/agent/version"}
    report = json.loads(posted[0].body)
    containers = next(request for request in posted if request.path == "/integrations/docker").json
    assert "containers" not in report
    assert (containers["containers"], containers["hostname"]) == ([], report["hostname"])


@pytest.mark.real
@pytest.mark.proves("AGENT-REP-05")
async def test_an_interval_that_changed_while_it_was_away_holds_after_its_return(
    agent: Agent, server: AgentServer
) -> None:
    await agent.serve()
    link = await server.link()
    await server.until(lambda: server.seen("/hosts/update"))
    server.link_status = 503
    await link.socket.close()
    server.interval = 15
    await asyncio.sleep(1.5)
    assert agent.config["update_interval"] == 60
    server.link_status = 101
    await server.link(2)
    # Not at once: a server that returns has thousands of them.
    await server.until(lambda: agent.config["update_interval"] == 15, 30)
    await server.until(lambda: agent.config["report_offset"] == 290)
