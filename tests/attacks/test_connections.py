"""Connections that dawdle, and requests hidden inside requests."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.core.loop import Keeper
from server.web import connections
from server.web.connections import Watch
from tests.attacks.wire import Wire, head
from tests.conftest import Browser

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def watched(server: TestServer, keeper: Keeper) -> TestServer:
    """The server with its watch, whose patience is measured in tenths of a second here."""
    assert server.runner is not None
    keeper.start("watch", connections.watch(server.runner, 0.1, Watch(head_seconds=0.5, stall_seconds=0.8)))
    return server


@pytest.mark.parametrize("first", [b"", b"GET / HT", head("GET", "/health")[:-2]], ids=["silence", "line", "headers"])
async def test_a_connection_that_never_asks_is_ended(watched: TestServer, client: Browser, first: bytes) -> None:
    async with Wire(watched) as wire:
        await wire.send(first)
        assert await wire.everything(5) == b""
    assert (await client.get("/health")).status == 200


async def drip(wire: Wire) -> None:
    for _ in range(100):
        await wire.send(b"X")
        await asyncio.sleep(0.05)


async def test_a_head_that_comes_drop_by_drop_is_ended(watched: TestServer) -> None:
    async with Wire(watched) as wire:
        with pytest.raises(ConnectionError):
            await drip(wire)


async def test_hundreds_of_dawdlers_keep_nobody_waiting(watched: TestServer, client: Browser) -> None:
    wires = [await Wire(watched).__aenter__() for _ in range(300)]
    for wire in wires:
        await wire.send(b"GET /health HTTP/1.1\r\nHost: a\r\nX-")
    async with asyncio.timeout(2):
        assert (await client.get("/health")).status == 200
    assert await asyncio.gather(*(wire.everything(5) for wire in wires)) == [b""] * 300


async def test_a_connection_that_asked_before_may_rest(watched: TestServer) -> None:
    async with Wire(watched) as wire:
        await wire.send(head("GET", "/robots.txt"))
        assert await wire.status() == 200
        await asyncio.sleep(1.2)
        await wire.send(head("GET", "/robots.txt"))
        rest = b""
        async with asyncio.timeout(5):
            while rest.count(b"Disallow") < 2:
                rest += await wire.reader.read(4096)


async def test_who_does_not_take_the_answer_is_ended(keeper: Keeper) -> None:
    async def large(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 64 * 1024**2)

    app = web.Application()
    app.router.add_get("/", large)
    server = TestServer(app)
    await server.start_server()
    assert server.runner is not None
    keeper.start("watch", connections.watch(server.runner, 0.1, Watch(head_seconds=5, stall_seconds=0.8)))
    async with Wire(server) as wire:
        await wire.send(head("GET", "/"))
        await asyncio.sleep(2.5)
        assert server.runner.server is not None
        assert server.runner.server.connections == []
    await server.close()


SMUGGLED = head("GET", "/smuggled")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Length": "4", "Transfer-Encoding": "chunked"}, b"0\r\n\r\n" + SMUGGLED),
        ({"Transfer-Encoding": "chunked", "Transfer-encoding": "identity"}, b"0\r\n\r\n" + SMUGGLED),
        ({"Transfer-Encoding": "xchunked"}, b"0\r\n\r\n" + SMUGGLED),
        ({"Transfer-Encoding": " chunked", "Content-Length": "5"}, b"0\r\n\r\n" + SMUGGLED),
        ({"Content-Length": "+5"}, b"0\r\n\r\n" + SMUGGLED),
        ({"Content-Length": "0x5"}, b"0\r\n\r\n" + SMUGGLED),
        ({"Content-Length": "5, 6"}, b"0\r\n\r\n" + SMUGGLED),
        ({"Content-Length": "5", "Content-length": "6"}, b"0\r\n\r\n" + SMUGGLED),
        ({"Content-Length": "-1"}, SMUGGLED),
        ({"Transfer-Encoding": "chunked"}, b"-1\r\n\r\n" + SMUGGLED),
        ({"Transfer-Encoding": "chunked"}, b"5;\r\n0\r\n\r\n" + b"zz\r\n" + SMUGGLED),
        ({"X : a": "b"}, SMUGGLED),
        ({"X\x00": "b"}, SMUGGLED),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_no_request_hides_in_another(
    server: TestServer, client: Browser, headers: dict[str, str], body: bytes
) -> None:
    async with Wire(server) as wire:
        await wire.send(head("POST", "/api/v1/auth/login", {**JSON, **headers}) + body)
        said = await wire.everything_or_silence(1.5)
    assert said.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), said[:200]
    assert said.count(b"HTTP/1.") == 1, said
    assert (await client.get("/health")).status == 200


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET http://evil.example/ HTTP/1.1", b"GET / HTTP/9.9", b"GET /\x00 HTTP/1.1", b"G\xc3\xa9T / HTTP/1.1",
        b"GET " + b"/" + b"a" * 20_000 + b" HTTP/1.1", b"CONNECT evil.example:443 HTTP/1.1", b"TRACE / HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=repr,
)  # fmt: skip
async def test_lines_that_are_no_request_break_nothing(
    server: TestServer, client: Browser, request_line: bytes
) -> None:
    async with Wire(server) as wire:
        await wire.send(request_line[:30_000] + b"\r\nHost: localhost\r\nX-Secret: hunter2\r\n\r\n")
        said = await wire.everything_or_silence(1.0)
    assert b" 500 " not in said.split(b"\r\n", 1)[0]
    assert b"hunter2" not in said
    assert b"Traceback" not in said
    assert (await client.get("/health")).status == 200


@pytest.mark.parametrize(
    "headers", [{f"X-{n}": "a" for n in range(500)}, {"X-Large": "a" * 100_000}, {"Cookie": "a=b; " * 3_000}]
)
async def test_heads_have_a_limit(server: TestServer, client: Browser, headers: dict[str, str]) -> None:
    async with Wire(server) as wire:
        await wire.send(head("GET", "/health", headers))
        said = await wire.everything_or_silence(1.5)
    assert b" 400 " in said.split(b"\r\n", 1)[0] or b" 431 " in said.split(b"\r\n", 1)[0]
    assert (await client.get("/health")).status == 200


async def dawdling() -> AsyncIterator[bytes]:
    for _ in range(100):
        yield b"{"
        await asyncio.sleep(0.05)


async def test_a_body_that_comes_drop_by_drop_is_ended(client: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.web.shell._REQUEST_SECONDS", 0.5)
    answer = await client.post("/api/v1/auth/login", data=dawdling(), headers=JSON)
    assert answer.status == 504
