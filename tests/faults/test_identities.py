"""One identity used twice, and a server that moved: both are seen, said in words, and cost no storm."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.channel import switchboard
from server.core.call import Call
from server.core.env import Env
from tests.agent.conftest import Agent
from tests.factories.hosts import Browser, enrolled
from tests.factories.house import House, Start
from tests.hosts.test_host_page import host_of, page

pytestmark = pytest.mark.real
_NOTICE = "Two agents use the credentials of this host"


@pytest.fixture
def env(env: Env) -> Env:
    """Addresses are those that a proxy on this machine tells."""
    return replace(env, trust_proxy="127.0.0.0/8")


async def test_two_machines_with_one_identity_are_shown_and_do_not_fight(
    as_admin: Browser, client: Browser, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switchboard, "PING_SECONDS", 1)
    monkeypatch.setattr(switchboard, "RIVAL_SECONDS", 2.0)
    known = await enrolled(call, client)
    copies = [Agent(tmp_path / name) for name in ("original", "copy")]
    for copy in copies:
        copy.configure(f"http://127.0.0.1:{client.port}", known.api_key, automation="builtin")
        (copy.folder / "credentials.yml").write_text(yaml.safe_dump({"api_id": known.api_id, "api_key": known.api_key}))
    _, uuid = await host_of(call)

    async def shown() -> bool:
        return _NOTICE in await page(as_admin, f"/hosts/{uuid}")

    first = await copies[0].serve()
    async with asyncio.timeout(20):
        while "WebSocket connected" not in copies[0].log:
            await asyncio.sleep(0.1)
    # A second one on another machine; a person's proxy tells where that is.
    far = await client.ws_connect("/api/v1/agents/ws", headers={**known.headers, "X-Forwarded-For": "192.0.2.8"})
    async with asyncio.timeout(20):
        while not await shown():
            await asyncio.sleep(0.2)
            await asyncio.wait({asyncio.ensure_future(far.receive())}, timeout=0.1)
    text = await page(as_admin, f"/hosts/{uuid}")
    assert "from 192.0.2.8 and 127.0.0.1" in text
    assert "/etc/patchmon/credentials.yml" in text
    assert (await (await as_admin.get(f"/api/v1/hosts/{uuid}")).json())["rivals"] == ["192.0.2.8", "127.0.0.1"]
    # Two of ours: each connects once, the newest is heard, and when it goes the other one takes over by itself.
    second = await copies[1].serve()
    await asyncio.sleep(6)
    assert [copy.log.count("WebSocket connected") for copy in copies] == [1, 1]
    assert len([line for line in copies[0].log.splitlines() if "Sending report" in line]) <= 2
    await copies[1].stop(second)
    await far.close()
    async with asyncio.timeout(40):
        while copies[0].log.count("WebSocket connected") < 2:
            await asyncio.sleep(0.1)
    # It is over, and after a while nothing is said of it any more.
    await call.db.execute("update hosts set rivals_at = now() - interval '11 minutes'")
    assert not await shown()
    await copies[0].stop(first)


async def test_an_agent_that_only_reconnects_is_no_rival(
    client: Browser, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switchboard, "PING_SECONDS", 1)
    monkeypatch.setattr(switchboard, "RIVAL_SECONDS", 1.0)
    known = await enrolled(call, client)
    # Its old line is dead and was never closed: nobody answers there.
    dead = await client.ws_connect("/api/v1/agents/ws", headers=known.headers, autoping=False)
    alive = await client.ws_connect("/api/v1/agents/ws", headers=known.headers)
    reader = asyncio.ensure_future(alive.receive())
    await asyncio.sleep(4)
    assert await call.db.value("select rivals_at is null from hosts")
    reader.cancel()
    await alive.close()
    await dead.close()


async def test_an_agent_follows_a_moved_server_only_when_a_person_says_so(
    house: House, start: Start, call: Call, tmp_path: Path
) -> None:
    old, new = await start(), await start()
    agent = await house.agent("web-01", old.port)
    await agent.start()

    async def connected(times: int) -> None:
        async with asyncio.timeout(40):
            while agent.said().count("WebSocket connected") < times:
                await asyncio.sleep(0.1)

    await connected(1)
    # The old address now points to the new one: neither door follows, the credentials go nowhere else.
    hits: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        hits.append(request.path)
        return web.json_response({})

    async def moved(request: web.Request) -> web.Response:
        raise web.HTTPPermanentRedirect(f"{trap.make_url('/')}{request.path_qs[1:]}")

    trap, sign = TestServer(web.Application()), TestServer(web.Application())
    trap.app.router.add_route("*", "/{path:.*}", elsewhere)
    sign.app.router.add_route("*", "/{path:.*}", moved)
    async with trap, sign:
        credentials = yaml.safe_load((agent.folder / "credentials.yml").read_text())
        lost = Agent(tmp_path / "lost")
        lost.configure(str(sign.make_url("")).rstrip("/"))
        ping = await lost.run("ping")
        assert ping.code == 1
        hint = f"server returned 308: it points to {str(trap.make_url('')).rstrip('/')}; if the server has moved"
        assert hint in ping.err
        service = await lost.serve()
        async with asyncio.timeout(20):
            while f"bad handshake: {hint}" not in lost.log:
                await asyncio.sleep(0.1)
        await lost.stop(service)
        assert hits == []
    # What a person does: one command, then the service anew. The identity stays, the host stays one.
    mover = Agent(agent.folder)
    done = await mover.run(
        "config", "set-api", credentials["api_id"], credentials["api_key"], f"http://127.0.0.1:{new.port}"
    )
    assert done.code == 0, done.err
    assert agent.program.alive
    await agent.stop()
    await agent.start()
    await connected(2)
    assert f"url=ws://127.0.0.1:{new.port}" in agent.said()
    assert mover.config["automation"] == "any"
    await old.stop()
    async with asyncio.timeout(20):
        while not await call.db.value(
            "select last_connected_at > coalesce(last_disconnected_at, '-infinity') from hosts"
        ):
            await asyncio.sleep(0.1)
    assert await call.db.value("select count(*) from hosts") == 1
    assert await call.db.value("select rivals_at is null from hosts")
