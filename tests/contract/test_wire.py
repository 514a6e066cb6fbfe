"""Rows of the wire contract that need more than a request and its answer."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError
from aiohttp.test_utils import TestServer

from agent.checkin import report_offset
from server.channel import presence, switchboard
from server.commands import catching_up
from server.core.call import Call
from server.core.env import Env, read
from server.hosts import service as hosts
from server.hosts.models import NewHost
from server.web import connections
from tests.factories.automation import Api, url_of
from tests.factories.hosts import Browser, enrolled, full_report, package
from tests.factories.people import bearer
from tests.stand_ins.existing_agent import ExistingAgent


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as opened:
        yield opened


@pytest.fixture
def env(env: Env) -> Env:
    """A proxy on this machine may say that it was asked over HTTPS."""
    return replace(env, trust_proxy="127.0.0.0/8")


def test_the_port_is_3000(tmp_path: Path) -> None:
    assert read({"PATCHMON_DATA_DIR": str(tmp_path)}).port == 3000


async def test_an_absent_database_never_looks_like_wrong_credentials(
    client: Browser, call: Call, session: ClientSession
) -> None:
    agent = await enrolled(call, client)
    await call.db.execute("alter table hosts rename column api_key to hidden")
    for path in ("/settings/update-interval", "/hosts/integrations", "/hosts/agent/version", "/hosts/install"):
        answer = await agent.get(path)
        assert (answer.status, await answer.json()) == (500, {"error": "Failed to look up host: database error"})
    with pytest.raises(WSServerHandshakeError) as refused:
        await session.ws_connect(f"http://127.0.0.1:{client.port}/api/v1/agents/ws", headers=agent.headers)
    assert refused.value.status == 500


async def test_an_idle_connection_is_closed_and_a_half_request_is_not_waited_for(server: TestServer) -> None:
    """The limits are longer than those of existing servers, for the proxies' sake; agents see them as closed idlers."""
    assert connections.HEAD_SECONDS >= 10
    assert connections.KEEP_ALIVE_SECONDS >= 60
    seen = connections.Watch(head_seconds=0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /api/v1/hosts/ping HTT")
    await writer.drain()
    assert server.runner is not None
    watching = asyncio.get_running_loop().create_task(connections.watch(server.runner, 0.1, seen))
    async with asyncio.timeout(5):
        with suppress(ConnectionResetError):
            while await reader.read(100):
                pass
    watching.cancel()
    writer.close()


def test_the_offset_of_reports() -> None:
    assert report_offset("patchmon_0f5bf7223ce22d62", 60) == 1860
    assert report_offset("patchmon_0123456789abcdef", 60) == 3000
    assert report_offset("patchmon_0123456789abcdef", 15) == 290


async def test_only_ninety_seconds_of_silence_end_a_link(
    server: TestServer, call: Call, session: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (switchboard.PING_SECONDS, switchboard.SILENT_SECONDS) == (30, 90.0)
    monkeypatch.setattr(switchboard, "PING_SECONDS", 1)
    monkeypatch.setattr(switchboard, "SILENT_SECONDS", 2.5)
    made = await hosts.create(call, NewHost("old-01"))
    headers = {"X-API-ID": made.api_id, "X-API-KEY": made.api_key.reveal()}
    ws = await session.ws_connect(f"{url_of(server)}/api/v1/agents/ws", headers=headers, autoping=False)
    begun = time.monotonic()
    # Any frame counts as life, also one that says nothing.
    while time.monotonic() - begun < 4:
        await ws.send_str("{}")
        frame = await ws.receive(timeout=2.4)
        assert frame.type is WSMsgType.PING
    async with asyncio.timeout(6):
        while (frame := await ws.receive()).type is WSMsgType.PING:
            pass
    assert frame.type in {WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR}


async def test_an_overdue_host_is_asked_for_a_report_when_it_connects(
    server: TestServer, call: Call, session: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The published values of FNV-1a with 32 bits, within a minute.
    assert catching_up.delay_seconds("") == 0x811C9DC5 % 60
    assert catching_up.delay_seconds("foobar") == 0xBF9CF968 % 60
    monkeypatch.setattr(catching_up, "delay_seconds", lambda _: 0)
    states = {
        "late": "status = 'active', last_update = now() - interval '61 minutes'",
        "fresh": "status = 'active', last_update = now() - interval '59 minutes'",
        "pending": "status = 'pending', last_update = null",
    }
    agents = {}
    for name, state in states.items():
        made = await hosts.create(call, NewHost(name))
        await call.db.execute(f"update hosts set {state} where id = {made.host_id}")
        agents[name] = ExistingAgent(session, url_of(server), made.api_id, made.api_key.reveal())
        await agents[name].connect()
    await agents["late"].until(lambda body: body == {"type": "report_now"})
    # Its link comes and goes, and it still did not report: once in five minutes is enough.
    await agents["late"].drop()
    await agents["late"].connect()
    await asyncio.sleep(2.5)
    assert {name: len(agent.heard) for name, agent in agents.items()} == {"late": 1, "fresh": 0, "pending": 0}
    assert await call.db.column("select asked_by from agent_commands") == ["catching up"]
    # Who reported meanwhile is not asked.
    await call.db.execute("delete from agent_commands")
    await agents["late"].ask("POST", "/hosts/ping", data=b"")
    await agents["late"].drop()
    await agents["late"].connect()
    await asyncio.sleep(2.5)
    assert len(agents["late"].heard) == 1
    for agent in agents.values():
        await agent.drop()


@pytest.mark.proves("AGENT-WS-08")
async def test_what_is_applied_while_a_host_is_away_reaches_it_when_it_returns(
    server: TestServer, call: Call, session: ClientSession
) -> None:
    made = await hosts.create(call, NewHost("old-01"))
    agent = ExistingAgent(session, url_of(server), made.api_id, made.api_key.reveal())
    api = Api(session, url_of(server), await bearer(call))
    here = f"/hosts/{made.uuid}/integrations"
    await api.ask("POST", f"{here}/docker/toggle", {"enabled": True})
    for _ in range(2):
        refused = await api.ask("POST", f"{here}/apply-pending-config", status=503)
        assert refused["error"] == "Agent is not currently connected. The change waits until it is."
    assert (await api.ask("GET", here))["pending_config"] == {"docker_enabled": True}
    await agent.connect()
    sent = await agent.until(lambda body: body["type"] == "apply_config")
    assert sent["config"]["docker"] is True
    # Until the agent has taken it over, nothing counts as applied.
    assert await call.db.value("select docker_enabled from hosts") is False
    await agent.drop()
    assert (await agent.ask("GET", "/hosts/integrations"))[1]["integrations"]["docker"] is True
    assert await call.db.value("select docker_enabled from hosts") is True
    await agent.connect()
    await asyncio.sleep(2)
    assert [body["type"] for body in agent.heard] == ["apply_config"]
    # Switched back before it returned: there is nothing to send any more.
    await agent.drop()
    await api.ask("POST", f"{here}/docker/toggle", {"enabled": False})
    await until_away(call)
    await api.ask("POST", f"{here}/apply-pending-config", status=503)
    await api.ask("POST", f"{here}/docker/toggle", {"enabled": True})
    await agent.connect()
    await asyncio.sleep(2)
    assert len(agent.heard) == 1
    assert await call.db.column("select status from agent_commands order by id") == ["active", "failed"]
    await agent.drop()


async def until_away(call: Call) -> None:
    async with asyncio.timeout(5):
        while [one async for one in presence.everyone(call.world.redis)]:
            await asyncio.sleep(0.02)


@pytest.mark.proves("AGENT-RUN-10", "AGENT-RUN-15")
async def test_people_see_what_an_agent_s_connection_is(
    server: TestServer, call: Call, session: ClientSession, as_admin: Browser
) -> None:
    made = await hosts.create(call, NewHost("old-01"))
    agent = ExistingAgent(session, url_of(server), made.api_id, made.api_key.reveal())

    async def shown(*words: str) -> None:
        text = ""
        async with asyncio.timeout(10):
            while not text or not all(word in text for word in words):
                await asyncio.sleep(0.1)
                text = await (await as_admin.get(f"/hosts/{made.uuid}")).text()
        assert made.api_key.reveal() not in text

    await shown("Pending")
    await agent.connect()
    await agent.ask("POST", "/hosts/update", full_report([package("bash")]))
    await shown("Active", "WS</span>")
    await agent.drop()
    await shown("Offline")
    upgrade = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }  # fmt: skip
    for headers, path, status in (({}, "/agents/ws", 401), (agent.headers, "/agents/none", 404)):
        async with session.get(f"{url_of(server)}/api/v1{path}", headers={**upgrade, **headers}) as answer:
            assert answer.status == status
    async with session.ws_connect(
        f"{url_of(server)}/api/v1/agents/ws", headers={**agent.headers, "X-Forwarded-Proto": "https"}
    ):
        await shown("Active", "WSS</span>")


@pytest.mark.proves("AGENT-INT-05")
async def test_nobody_switches_the_proxies_of_a_host_from_here(call: Call, as_admin: Browser) -> None:
    made = await hosts.create(call, NewHost("old-01"))
    page = await (await as_admin.get(f"/hosts/{made.uuid}/integrations")).text()
    assert "Docker" in page
    assert "ssh-proxy" not in page.lower()
    assert "rdp-proxy" not in page.lower()
    for name in ("ssh-proxy", "ssh-proxy-enabled", "ssh_proxy_enabled", "rdp-proxy", "rdp-proxy-enabled"):
        answer = await as_admin.post(f"/api/v1/hosts/{made.uuid}/integrations/{name}/toggle", json={"enabled": True})
        assert answer.status == 400
    assert await call.db.value("select count(*) from agent_commands") == 0
