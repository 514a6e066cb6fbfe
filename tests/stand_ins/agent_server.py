"""A tiny server for the agent's tests, written from the wire contract: it remembers everything and judges nothing."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from agent.protocol.codec import decode, encode
from agent.protocol.messages import JobEnded, JobOffer, JobPosition, JobRefused
from agent.protocol.session import (
    Declined,
    Finish,
    Greeted,
    Send,
    ServerEffect,
    ServerSession,
    Store,
    Taken,
    Wanted,
)

API_ID = "patchmon_0123456789abcdef"
API_KEY = "a1" * 32


@dataclass
class Request:
    """One request of the agent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class JobStore:
    """What a server's database would hold: events by job and source, last words, refusals."""

    contents: dict[str, bytes] = field(default_factory=dict)
    events: dict[str, dict[str, dict[int, dict[str, Any]]]] = field(
        default_factory=lambda: defaultdict(lambda: {"runner": {}, "live": {}})
    )
    order: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    ended: dict[str, JobEnded] = field(default_factory=dict)
    declined: dict[str, JobRefused] = field(default_factory=dict)
    states: list[tuple[str, str]] = field(default_factory=list)
    doubles: int = 0

    def position(self, job: str) -> JobPosition:
        kept = self.events[job]
        return JobPosition(job, "running", len(kept["runner"]), len(kept["live"]))

    def take(self, effect: Store) -> None:
        kept = self.events[effect.job][effect.source]
        for number, item in enumerate(effect.items, effect.first):
            if number in kept:
                self.doubles += 1
                continue
            assert number == len(kept) + 1, f"gap before {effect.source} {number}"
            kept[number] = item
            self.order[effect.job].append((effect.source, number))

    def text(self, job: str) -> str:
        return "".join(str(item.get("stdout") or "") for kept in self.events[job].values() for item in kept.values())


@dataclass
class AgentServer:
    """What a test sets before and looks at afterwards."""

    url: str = ""
    hash_gate: bool = True
    request_full: list[str] = field(default_factory=list)
    interval: int = 60
    integrations: dict[str, Any] = field(default_factory=lambda: {"docker": False, "compliance": True})
    statuses: dict[str, int] = field(default_factory=dict)
    latest_version: dict[str, Any] = field(default_factory=dict)
    file: bytes = b""
    file_sends: int | None = None
    requests: list[Request] = field(default_factory=list)
    links: list["ServerLink"] = field(default_factory=list)
    store: JobStore = field(default_factory=JobStore)
    results: dict[str, bytes] = field(default_factory=dict)
    link_status: int = 101

    def seen(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path.startswith(path)]

    async def until(self, condition: Callable[[], Any], seconds: float = 20) -> Any:
        """Wait until a condition holds and return what it gave."""
        async with asyncio.timeout(seconds):
            while not (found := condition()):
                await asyncio.sleep(0.02)
        return found

    async def link(self, number: int = 1) -> "ServerLink":
        """Wait for the n-th connection and its hello."""
        await self.until(lambda: len(self.links) >= number and self.links[number - 1].session.hello)
        return self.links[number - 1]


class ServerLink:
    """One WebSocket, driven by the server's end of the protocol."""

    def __init__(self, socket: web.WebSocketResponse, store: JobStore, headers: dict[str, str]) -> None:
        self.socket = socket
        self.session = ServerSession()
        self.headers = headers
        self.received: list[dict[str, Any]] = []
        self.acknowledges = True
        self.drops = True
        self.welcomes = True
        self.known: Callable[[str], bool] = lambda job: job in store.events or job in store.ended
        self._store = store

    async def say(self, body: dict[str, Any]) -> None:
        await self.socket.send_str(json.dumps(body))

    async def offer(self, offer: JobOffer) -> None:
        await self.carry_out(self.session.offer(offer))

    async def stop(self, job: str, grace_seconds: int) -> None:
        await self.carry_out(self.session.stop(job, grace_seconds))

    async def carry_out(self, effects: list[ServerEffect]) -> None:
        for effect in effects:
            await self._one(effect)

    async def _one(self, effect: ServerEffect) -> None:
        store = self._store
        if isinstance(effect, Send):
            await self.socket.send_str(encode(effect.message))
        elif isinstance(effect, Greeted) and self.welcomes:
            known = tuple(store.position(one.job) for one in effect.hello.jobs if self.known(one.job))
            await self.carry_out(self.session.welcome(known))
        elif isinstance(effect, Wanted):
            offset = self.session.resume_offset(effect.job, effect.part)
            await self.carry_out(self.session.provide(effect.job, effect.part, store.contents[effect.digest], offset))
        elif isinstance(effect, Store):
            store.take(effect)
            if self.acknowledges:
                at = store.position(effect.job)
                await self.carry_out(self.session.stored(effect.job, at.runner, at.live))
        elif isinstance(effect, Taken):
            store.states.append((effect.job, effect.state))
        elif isinstance(effect, Declined):
            store.declined[effect.job] = JobRefused(effect.job, effect.code, effect.reason)
        elif isinstance(effect, Finish):
            store.ended[effect.ended.job] = effect.ended
            if self.drops:
                await self.carry_out(self.session.drop(effect.ended.job))

    async def run(self) -> None:
        async for message in self.socket:
            if message.type is not WSMsgType.TEXT:
                continue
            body = json.loads(message.data)
            self.received.append(body)
            decoded = decode(body)
            if decoded is not None:
                await self.carry_out(self.session.received(decoded))


SERVER: web.AppKey[AgentServer] = web.AppKey("server", AgentServer)


@asynccontextmanager
async def running(server: AgentServer, port: int = 0) -> AsyncIterator[AgentServer]:
    """Serve on a loopback port until the block ends."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app[SERVER] = server
    app.router.add_get("/api/v1/agents/ws", _socket)
    app.router.add_route("*", "/api/v1/{path:.*}", _answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    address = runner.addresses[0]
    server.url = f"http://127.0.0.1:{address[1]}"
    try:
        yield server
    finally:
        for link in server.links:
            await link.socket.close()
        await runner.cleanup()


def _authorised(request: web.Request) -> bool:
    return request.headers.get("X-API-ID") == API_ID and request.headers.get("X-API-KEY") == API_KEY


async def _answer(request: web.Request) -> web.StreamResponse:
    server = request.app[SERVER]
    path = "/" + request.match_info["path"]
    body = await request.read()
    server.requests.append(Request(request.method, path, dict(request.headers), body))
    if path in server.statuses:
        return web.json_response({"error": "as the test wants"}, status=server.statuses[path])
    if not _authorised(request):
        return web.json_response({"error": "Invalid API credentials"}, status=401)
    if path == "/hosts/agent/download":
        return await _file(request, server)
    return web.json_response(_content(server, path, body))


async def _file(request: web.Request, server: AgentServer) -> web.StreamResponse:
    """Hand out the agent's file, or only the beginning of it."""
    answer = web.StreamResponse(headers={"Content-Length": str(len(server.file))})
    await answer.prepare(request)
    await answer.write(server.file[: server.file_sends])
    if server.file_sends is not None and request.transport is not None:
        request.transport.close()
    return answer


def _content(server: AgentServer, path: str, body: bytes) -> dict[str, Any]:  # noqa: PLR0911 (one per path)
    if path == "/hosts/ping":
        answer: dict[str, Any] = {"message": "Ping successful", "agentStartup": True}
        if server.hash_gate:
            answer["hashGate"] = True
        return answer | ({"requestFull": server.request_full} if body and server.request_full else {})
    if path == "/hosts/update":
        packages = json.loads(body)["packages"] or []
        return {
            "message": "Host updated successfully",
            "packagesProcessed": len(packages),
            "updatesAvailable": sum(row["needsUpdate"] for row in packages),
            "securityUpdates": sum(row["isSecurityUpdate"] for row in packages),
        }
    if path == "/settings/update-interval":
        return {"updateInterval": server.interval}
    if path == "/hosts/integrations":
        return {"success": True, "integrations": server.integrations}
    if path.startswith("/agent/results/"):
        server.results[path.rpartition("/")[2]] = body
        return {"stored": True}
    if path == "/hosts/agent/version":
        return server.latest_version
    return {"success": True}


async def _socket(request: web.Request) -> web.StreamResponse:
    server = request.app[SERVER]
    if server.link_status != 101 or not _authorised(request):
        status = server.link_status if server.link_status != 101 else 401
        return web.Response(status=status, text="Invalid API credentials")
    socket = web.WebSocketResponse(compress=False, max_msg_size=512 * 1024, autoping=True)
    await socket.prepare(request)
    link = ServerLink(socket, server.store, dict(request.headers))
    server.links.append(link)
    await link.run()
    return socket
