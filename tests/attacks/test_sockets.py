"""Agents' sockets: frames without measure, without end, without sense."""

import asyncio
import contextlib
import os
import struct
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType
from aiohttp.test_utils import TestServer

from server.channel.socket import RECEIVE_BYTES
from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import Credentials, NewHost
from tests.attacks.wire import Wire, head
from tests.conftest import Browser

URL = "/api/v1/agents/ws"


@pytest.fixture
async def host(call: Call) -> Credentials:
    return await hosts.create(call, NewHost("web-01"))


def keys(host: Credentials) -> dict[str, str]:
    return {"X-API-ID": host.api_id, "X-API-KEY": host.api_key.reveal()}


@pytest.fixture
async def other(server: TestServer, client: Browser, call: Call) -> AsyncIterator[ClientWebSocketResponse]:
    """A well-behaved agent, whose link must outlive whatever its neighbour does."""
    # The browser ends the server when it goes, so it has to go last.
    assert not client.session.closed
    quiet = await hosts.create(call, NewHost("web-02"))
    async with ClientSession() as session:
        ws = await session.ws_connect(server.make_url(URL), headers=keys(quiet))
        yield ws
        await ws.ping()
        assert not ws.closed
        await ws.close()


def frame(opcode: int, payload: bytes, *, last: bool = True, length: int | None = None) -> bytes:
    """Return a masked frame as a client sends it; ``length`` may lie."""
    first = (0x80 if last else 0) | opcode
    size = len(payload) if length is None else length
    mask = os.urandom(4)
    body = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    if size < 126:
        return struct.pack("!BB", first, 0x80 | size) + mask + body
    if size < 65_536:
        return struct.pack("!BBH", first, 0x80 | 126, size) + mask + body
    return struct.pack("!BBQ", first, 0x80 | 127, size) + mask + body


async def upgraded(server: TestServer, host: Credentials) -> Wire:
    wire = await Wire(server).__aenter__()
    upgrade = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }  # fmt: skip
    await wire.send(head("GET", URL, {**upgrade, **keys(host)}))
    assert await wire.status() == 101
    while (await wire.reader.readline()).strip():
        pass
    return wire


async def test_a_message_without_measure_ends_its_link_and_no_other(
    server: TestServer, host: Credentials, other: ClientWebSocketResponse
) -> None:
    async with ClientSession() as session:
        ws = await session.ws_connect(server.make_url(URL), headers=keys(host), max_msg_size=0)
        await ws.send_str("x" * (RECEIVE_BYTES + 1))
        async with asyncio.timeout(10):
            while (message := await ws.receive()).type not in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR}:
                pass
        assert message.type in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR}
    assert not other.closed


@pytest.mark.parametrize(
    "data",
    [
        frame(1, b"x", length=2**62),
        frame(1, b"x" * 60_000, last=False) * 1 + frame(0, b"x" * 60_000, last=False) * 12,
        frame(0, b"a continuation of nothing"),
        frame(3, b"no such kind"),
        frame(8, b"x"),
        frame(9, b"x" * 126),
        b"\xff" * 1000,
        frame(1, b"\xff\xfe\xfd"),
        struct.pack("!BB", 0x81, 5) + b"hello",
        frame(1 | 0x40, b"compressed, which nobody agreed on"),
    ],
    ids=["length", "endless", "continuation", "kind", "close", "ping", "noise", "text", "unmasked", "compressed"],
)
async def test_frames_without_sense_end_their_link_and_no_other(
    server: TestServer, host: Credentials, other: ClientWebSocketResponse, client: Browser, data: bytes
) -> None:
    wire = await upgraded(server, host)
    await wire.send(data)
    said = await wire.everything_or_silence(1.5)
    wire.writer.close()
    assert b"Traceback" not in said
    assert (await client.get("/health")).status == 200
    assert not other.closed


async def test_fragments_that_never_end_are_cut_off_at_the_measure(server: TestServer, host: Credentials) -> None:
    wire = await upgraded(server, host)
    await wire.send(frame(1, b"x" * 6_000, last=False))
    piece, sent = frame(0, b"x" * 60_000, last=False), 0
    with contextlib.suppress(ConnectionError):
        for _ in range(1000):
            sent += len(piece)
            await wire.send(piece)
            await asyncio.sleep(0.001)
    assert sent < 30_000_000
    wire.writer.close()


async def test_who_never_greets_costs_nobody_anything(
    server: TestServer, host: Credentials, other: ClientWebSocketResponse, client: Browser
) -> None:
    wire = await upgraded(server, host)
    for byte in frame(1, b'{"type":"hello"}')[:-1]:
        await wire.send(bytes([byte]))
    async with asyncio.timeout(5):
        assert (await client.get("/health")).status == 200
        assert (await client.get("/login")).status in {200, 303}
    wire.writer.close()
    assert not other.closed


@pytest.mark.parametrize(
    "wrong",
    [
        {"X-API-ID": "x" * 5000},
        {"X-API-KEY": "\xff"},
        {"X-API-ID": "' or 1=1 --"},
        {"X-API-KEY": ""},
        {"X-API-ID": "a\x00b"},
    ],
    ids=["long", "byte", "quote", "empty", "nul"],
)
async def test_wrong_keys_are_refused_before_the_upgrade(
    server: TestServer, host: Credentials, wrong: dict[str, str]
) -> None:
    async with Wire(server) as wire:
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        await wire.send(head("GET", URL, {**upgrade, "Sec-WebSocket-Key": "AAAA", **keys(host), **wrong}))
        assert await wire.status() in {400, 401}
