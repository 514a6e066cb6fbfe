"""The agents' WebSocket as the wire contract describes it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType
from aiohttp.test_utils import TestServer

from server.channel import presence, switchboard
from server.channel import service as channel
from server.channel.errors import MessageTooLong
from server.channel.models import Presence
from server.core.call import Call
from server.core.env import Env
from server.core.ids import HostId
from server.hosts import service as hosts
from server.hosts.models import Credentials, NewHost
from tests.factories.automation import url_of


@pytest.fixture
async def host(call: Call) -> Credentials:
    return await hosts.create(call, NewHost("web-01"))


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as opened:
        yield opened


class Door:
    def __init__(self, server: TestServer, session: ClientSession, host: Credentials) -> None:
        self.url = f"{url_of(server)}/api/v1/agents/ws"
        self.session = session
        self.headers = {"X-API-ID": host.api_id, "X-API-KEY": host.api_key.reveal()}

    async def open(self, **options: Any) -> ClientWebSocketResponse:
        opened: ClientWebSocketResponse = await self.session.ws_connect(self.url, headers=self.headers, **options)
        return opened


@pytest.fixture
def door(server: TestServer, session: ClientSession, host: Credentials) -> Door:
    return Door(server, session, host)


async def online(call: Call, host: Credentials, *, wanted: bool) -> None:
    async with call.world.bus.following("agents_connected", "agents_disconnected") as bell, asyncio.timeout(5):
        while bool(await channel.online(call, [HostId(host.host_id)])) is not wanted:
            await bell.ring(within=0.1)


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "Missing API credentials"),
        ({"X-API-ID": "patchmon_0"}, "Missing API credentials"),
        ({"X-API-ID": "patchmon_0", "X-API-KEY": "1"}, "Invalid API credentials"),
    ],
)
async def test_refusals_come_before_the_upgrade_in_plain_text(door: Door, headers: dict[str, str], text: str) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    async with door.session.get(door.url, headers={**upgrade, **headers}) as answer:
        assert answer.status == 401
        assert answer.content_type == "text/plain"
        assert await answer.text() == text


async def test_nothing_is_said_on_connect_and_no_extension_is_negotiated(door: Door) -> None:
    ws = await door.open(compress=15, origin="https://elsewhere.example")
    assert ws.compress == 0
    with pytest.raises(TimeoutError):
        await ws.receive(timeout=0.3)
    await ws.close()


@pytest.fixture
def quick_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every link is looked at each second instead of each half minute."""
    monkeypatch.setattr(switchboard, "PING_SECONDS", 1)


@pytest.mark.usefixtures("quick_timer")
@pytest.mark.parametrize(
    "statement",
    [
        "update hosts set api_id = 'patchmon_another' where id = %(id)s",
        "delete from hosts where id = %(id)s",
        "update hosts set notes = 'the same credentials' where id = %(id)s",
    ],
)
async def test_a_link_with_old_credentials_ends_also_when_nobody_rings(
    door: Door, host: Credentials, call: Call, statement: str
) -> None:
    ws = await door.open()
    # As when Redis is away: what is stored changes, and no bell says so.
    await call.db.execute(statement, id=host.host_id)
    if "notes" in statement:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.receive(), 2.5)
        return
    ended = await ws.receive(timeout=5)
    assert (ended.type, ended.data, ended.extra) == (WSMsgType.CLOSE, 1008, "the host's credentials changed")


async def test_pings_are_answered_with_their_payload(door: Door) -> None:
    ws = await door.open(autoping=False)
    await ws.ping(b"still there?")
    answer = await ws.receive(timeout=5)
    assert (answer.type, bytes(answer.data)) == (WSMsgType.PONG, b"still there?")
    await ws.close()


async def test_a_message_above_the_limit_ends_the_link_and_one_below_does_not(door: Door) -> None:
    ws = await door.open()
    await ws.send_str(json.dumps({"type": "unheard_of", "data": "x" * 500_000}))
    await ws.ping()
    assert not ws.closed
    await ws.send_str(json.dumps({"type": "unheard_of", "data": "x" * 600_000}))
    answer = await ws.receive(timeout=5)
    assert (answer.type, answer.data) == (WSMsgType.CLOSE, 1009)


async def test_presence_follows_the_connection(door: Door, call: Call, host: Credentials) -> None:
    assert await channel.online(call, [HostId(host.host_id)]) == {}
    ws = await door.open()
    await online(call, host, wanted=True)
    found = (await channel.online(call, [HostId(host.host_id)]))[HostId(host.host_id)]
    assert not found.secure
    await ws.close()
    await online(call, host, wanted=False)
    # Presence is told first and written then.
    async with asyncio.timeout(5):
        while not await call.db.value(
            "select last_disconnected_at > last_connected_at from hosts where id = %(id)s", id=host.host_id
        ):
            await asyncio.sleep(0.02)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look after every link each second or two."""
    monkeypatch.setattr("server.channel.switchboard.PING_SECONDS", 2)


@pytest.mark.usefixtures("quick")
async def test_a_link_that_gave_way_to_one_that_is_gone_is_ended_so_that_its_agent_comes_back(
    door: Door, host: Credentials, call: Call
) -> None:
    # Left behind by a server that was killed and whose clock was ahead of this one's.
    ahead = Presence("killed", "link", secure=False, since=call.now + timedelta(seconds=30))
    await call.world.redis.set(presence.name_of(HostId(host.host_id)), ahead.encode(), ex=1)
    link = await door.open()
    async with asyncio.timeout(8):
        frame = await link.receive()
    assert frame.type is WSMsgType.CLOSE
    await link.close()
    link = await door.open()
    await online(call, host, wanted=True)
    await link.close()


async def test_a_newer_link_takes_over_and_the_older_ones_end_changes_nothing(
    door: Door, call: Call, host: Credentials
) -> None:
    older = await door.open()
    await online(call, host, wanted=True)
    newer = await door.open()
    await asyncio.sleep(0.2)
    with pytest.raises(TimeoutError):
        await older.receive(timeout=0.2)
    await older.close()
    await asyncio.sleep(0.3)
    assert await channel.online(call, [HostId(host.host_id)])
    assert await channel.tell(call, HostId(host.host_id), {"type": "report_now"})
    answer = await newer.receive(timeout=5)
    assert json.loads(answer.data) == {"type": "report_now"}
    await newer.close()


class TestBehindProxy:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, trust_proxy="127.0.0.0/8")

    async def test_https_at_the_proxy_counts_as_secure(self, door: Door, call: Call, host: Credentials) -> None:
        door.headers["X-Forwarded-Proto"] = "https"
        ws = await door.open()
        await online(call, host, wanted=True)
        assert (await channel.online(call, [HostId(host.host_id)]))[HostId(host.host_id)].secure
        await ws.close()


async def test_who_is_no_proxy_cannot_say_https(door: Door, call: Call, host: Credentials) -> None:
    door.headers["X-Forwarded-Proto"] = "https"
    ws = await door.open()
    await online(call, host, wanted=True)
    assert not (await channel.online(call, [HostId(host.host_id)]))[HostId(host.host_id)].secure
    await ws.close()


async def test_messages_of_existing_agents_are_taken_politely(door: Door, call: Call, host: Credentials) -> None:
    ws = await door.open()
    for body in (
        {"type": "ssh_proxy_connected", "session_id": "0" * 32},
        {"type": "ssh_proxy_data", "session_id": "0" * 32, "data": "text"},
        {"type": "ssh_proxy_error", "session_id": "0" * 32, "data": "no", "message": "no"},
        {"type": "rdp_proxy_data", "session_id": "0" * 32, "data": "AAAA"},
        {"type": "docker_status", "event": {"type": "container_start"}, "container_id": "1", "status": "running"},
        {"type": "compliance_scan_progress", "phase": "started", "progress": 5},
        {"type": ""},
        {},
    ):
        await ws.send_json(body)
    await online(call, host, wanted=True)
    assert await channel.tell(call, HostId(host.host_id), {"type": "report_now"})
    answer = await ws.receive(timeout=5)
    assert json.loads(answer.data) == {"type": "report_now"}
    await ws.close()


async def test_new_keys_end_the_link_that_was_opened_with_the_old_ones(
    door: Door, call: Call, host: Credentials
) -> None:
    ws = await door.open()
    await online(call, host, wanted=True)
    await hosts.regenerate(call, host.uuid)
    answer = await ws.receive(timeout=5)
    assert answer.type is WSMsgType.CLOSE
    async with door.session.get(door.url, headers=door.headers) as refused:
        assert refused.status == 401


async def test_what_is_too_long_for_an_agent_is_never_sent(call: Call, host: Credentials) -> None:
    with pytest.raises(MessageTooLong):
        await channel.tell(call, HostId(host.host_id), {"type": "x", "data": "y" * 70_000})


async def test_streams_and_sockets_outlive_the_deadline_of_requests(server: TestServer) -> None:
    long = {"/api/v1/agents/ws", "/api/v1/jobs/{job}/stream", "/jobs/{job}/stream", "/jobs/{job}/output"}
    names = {route.resource.canonical: route.name for route in server.app.router.routes() if route.resource}
    assert {str(names[path]).rsplit(".", 1)[-1] for path in long} <= {"socket", "stream", "download"}


async def test_a_server_that_was_stuck_does_not_take_a_host_back(call: Call) -> None:
    redis, host = call.world.redis, HostId(7)
    old = Presence("stuck", "1", False, datetime(2026, 1, 1, tzinfo=UTC)).encode()
    new = Presence("quick", "2", True, datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)).encode()
    assert await presence.hold(redis, [(host, new)]) == []
    assert await presence.hold(redis, [(host, old)]) == [host]
    await presence.leave(redis, [(host, old)])
    assert (await presence.look_up(redis, [host]))[host].server == "quick"
    await redis.flushall()
    assert await presence.hold(redis, [(host, new)]) == [], "after a flush the record comes back"
    assert (await presence.look_up(redis, [host]))[host] == Presence.decode(new)
