"""The door through which Ansible's connection plugin reaches agents: one request per command or file, bytes both ways.

The request's body is a line of JSON and then the input; the answer is frames: one byte that names the stream, four that
count, and the bytes. The last frame is JSON and says how it ended.
"""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import orjson
from aiohttp import ClientError, web

from agent.protocol.messages import CHUNK_BYTES, RELAY_TARGET_BYTES, RelayDone, RelayOpen
from server.automation import relaying
from server.automation.errors import BadRelay, RelayCut
from server.automation.relay import Exchange, Hub, hub
from server.channel.models import Lines
from server.core.call import Call, World
from server.core.ids import HostId
from server.core.loop import Keeper
from server.web.handler_code import documented
from server.web.routing import AGENT_INBOXES, RELAYER, Routes, call, gated, path_text

routes = Routes()

#: Takes lines that a module prints while it runs.
TakeLive = Callable[[bytes], Awaitable[None]]

_DONE, _STILL = 0, 9
_STREAMS: Final = {"out": 1, "err": 2, "live": 3}
_STILL_SECONDS: Final = 15
_LOOK_SECONDS: Final = 1.0
_LINE_BYTES: Final = 2 * RELAY_TARGET_BYTES


@dataclass(slots=True)
class Counter:
    """The place of this process's hub, which opens with the channel."""

    hub: Hub | None = None


_COUNTER: Final = web.AppKey("relay_counter", Counter)


def open_door(app: web.Application) -> None:
    """Hear what agents say about relayed operations."""
    app[_COUNTER] = Counter()
    app[RELAYER] = relay_for
    app[AGENT_INBOXES].append(partial(_opened, app[_COUNTER]))


@asynccontextmanager
async def _opened(counter: Counter, world: World, keeper: Keeper, lines: Lines) -> AsyncIterator[Hub]:
    async with hub(world, keeper, lines) as made:
        counter.hub = made
        yield made
        counter.hub = None


@routes.post("/api/v1/relay/hosts/{host}/{operation}")
@documented(answers={200: "application/octet-stream"}, body_kind="application/octet-stream")
@gated("can_manage_automation", counted=False)
async def relay(request: web.Request) -> web.StreamResponse:
    """Run a command on a host, or write or read a file there, for Ansible that runs elsewhere."""
    return await relay_for(request, call(request))


async def relay_for(request: web.Request, asked: Call) -> web.StreamResponse:
    """Relay for somebody who was recognised and may; the host must be one of theirs."""
    wanted = await read_wanted(request, f"{asked.actor.name} ({asked.actor.via_name or asked.actor.kind})")
    host = await relaying.admit(asked, path_text(request, "host"), wanted)
    found = request.app[_COUNTER].hub
    assert found is not None
    return await carry(request, found, host, wanted)


async def read_wanted(request: web.Request, by: str, *, live: bool = False) -> RelayOpen:
    """Return what is asked for: the path names the operation, the body's first line its target.

    Raises:
        BadRelay: it cannot be understood.
    """
    operation = path_text(request, "operation")
    if operation not in {"exec", "put", "fetch"}:
        raise BadRelay(reason="the operation is exec, put or fetch")
    try:
        line = await request.content.readuntil(b"\n")
        body = orjson.loads(line)
        target = base64.b64decode(body["target"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error, asyncio.IncompleteReadError) as error:
        raise BadRelay(reason="the body begins with a line of JSON") from error
    if not 0 < len(target) <= RELAY_TARGET_BYTES:
        raise BadRelay(reason=f"a command or file name has 1 to {RELAY_TARGET_BYTES} bytes")
    return RelayOpen("", operation, body["target"], by[:200], live=live or body.get("live") is True)


async def carry(
    request: web.Request, through: Hub, host_id: HostId, wanted: RelayOpen, live: TakeLive | None = None
) -> web.StreamResponse:
    """Carry one operation out, its bytes passed on as they come; ``live`` takes what modules print meanwhile."""
    async with through.exchange(host_id, wanted) as exchange:
        answer = web.StreamResponse(headers={"Content-Type": "application/octet-stream", "Cache-Control": "no-store"})
        await answer.prepare(request)
        async with asyncio.TaskGroup() as group:
            feeding = group.create_task(_feed(request, exchange))
            complete = await _tell(request, answer, exchange, live)
            feeding.cancel()
        if complete:
            await answer.write_eof()
    return answer


async def _feed(request: web.Request, exchange: Exchange) -> None:
    try:
        async for data in request.content.iter_chunked(4 * CHUNK_BYTES):
            await exchange.feed(data)
        await exchange.feed(b"", last=True)
    except (web.RequestPayloadError, ClientError, ConnectionError):
        # Half an input must not be taken for the whole.
        exchange.cut("whoever asked is gone")


async def _tell(request: web.Request, answer: web.StreamResponse, exchange: Exchange, live: TakeLive | None) -> bool:
    """Pass frames on until the last one; False when nobody listens any more."""
    silent = 0
    try:
        while not isinstance(frame := await _next(exchange), RelayDone):
            if frame is not None and frame[0] == "live" and live is not None:
                await live(frame[1])
            elif frame is not None:
                silent = 0
                await answer.write(_framed(_STREAMS.get(frame[0], _STREAMS["err"]), frame[1]))
            elif request.transport is None or request.transport.is_closing():
                return False
            elif (silent := silent + 1) >= _STILL_SECONDS:
                silent = 0
                await answer.write(_framed(_STILL, b""))
        end = {"rc": frame.rc, "size": frame.size, "code": frame.code, "reason": frame.reason}
        await answer.write(_framed(_DONE, orjson.dumps(end)))
    except ConnectionError:
        return False
    return True


async def _next(exchange: Exchange) -> tuple[str, bytes] | RelayDone | None:
    try:
        return await exchange.next(_LOOK_SECONDS)
    except RelayCut as error:
        return RelayDone(exchange.relay, code="cut", reason=str(error))


def _framed(kind: int, data: bytes) -> bytes:
    return bytes((kind,)) + len(data).to_bytes(4, "big") + data
