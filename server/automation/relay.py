"""Operations of Ansible on hosts, carried over the agents' links, whichever process holds them; memory is bounded."""

import asyncio
import base64
import binascii
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import orjson

from agent.protocol.codec import BadMessage, decode, encode
from agent.protocol.messages import (
    CHUNK_BYTES,
    RELAY_FROM_AGENT,
    RELAY_READ_CHUNKS,
    RELAY_WINDOW,
    RelayCancel,
    RelayDone,
    RelayFromAgent,
    RelayInput,
    RelayOpen,
    RelayOutput,
    RelayRead,
    RelayToAgent,
    RelayWritten,
)
from server.automation.errors import HostOffline, RelayCut
from server.automation.events import RelayTold, relay_topic
from server.channel import service as channel
from server.channel.events import AgentsConnected, AgentsDisconnected, Told
from server.channel.models import Body, Lines, Link
from server.core.bus import announce
from server.core.call import Call, World, system
from server.core.ids import HostId, random_hex
from server.core.log import get_log
from server.core.loop import Keeper
from server.core.redis import RedisError

log = get_log(__name__)

_LOOK_SECONDS: Final = 15.0

Send = Callable[[RelayToAgent], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a host's link was when an operation began: here, or at another process under this mark."""

    link: Link | None
    server: str = ""
    mark: str = ""


class Exchange:
    """One operation on one host: what goes in, what comes out, how it ended."""

    def __init__(self, relay: str, host_id: HostId, place: Place, send: Send) -> None:
        self.relay = relay
        self.host_id = host_id
        self.place = place
        self.over = False
        self._send = send
        self._room = asyncio.Semaphore(RELAY_WINDOW)
        self._arrived: deque[RelayOutput | RelayDone] = deque()
        self._news = asyncio.Event()
        self._given = 0
        self._expected = 0
        self._taken = 0
        self._cut = ""

    async def feed(self, data: bytes, *, last: bool = False) -> None:
        """Send input; waits while the host has not taken what was sent before."""
        pieces = [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)] or [b""]
        for place, piece in enumerate(pieces):
            await self._room.acquire()
            ends = last and place == len(pieces) - 1
            text = base64.b64encode(piece).decode("ascii")
            await self._send(RelayInput(self.relay, self._given, text, ends))
            self._given += 1

    async def next(self, within_seconds: float) -> tuple[str, bytes] | RelayDone | None:
        """Return the next bytes and their stream, or the end; nothing when there was none in time.

        Raises:
            RelayCut: the host's connection is gone, and with it the operation.
        """
        try:
            async with asyncio.timeout(within_seconds):
                while not self._arrived and not self._cut:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None
        if not self._arrived:
            self.over = True
            raise RelayCut(reason=self._cut)
        frame = self._arrived.popleft()
        if isinstance(frame, RelayDone):
            self.over = True
            return frame
        self._taken += 1
        if self._taken >= RELAY_READ_CHUNKS:
            taken, self._taken = self._taken, 0
            await self._send(RelayRead(self.relay, taken))
        return frame.stream, base64.b64decode(frame.data)

    def received(self, message: RelayFromAgent) -> None:
        """Take what the host says."""
        if isinstance(message, RelayWritten):
            for _ in range(min(message.chunks, RELAY_WINDOW)):
                self._room.release()
        elif isinstance(message, RelayDone):
            self._arrived.append(message)
            self._news.set()
        elif message.number != self._expected or len(self._arrived) > 2 * RELAY_WINDOW or not _fits(message.data):
            self.cut("a part of the output is missing")
        else:
            self._expected += 1
            self._arrived.append(message)
            self._news.set()

    def cut(self, reason: str) -> None:
        """End it: the connection it ran over is gone."""
        self._cut = self._cut or reason
        for _ in range(RELAY_WINDOW):
            self._room.release()
        self._news.set()

    async def close(self) -> None:
        """Nobody waits any more: what still runs is ended."""
        if not self.over:
            await self._send(RelayCancel(self.relay))


def _fits(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) <= CHUNK_BYTES
    except (binascii.Error, ValueError):
        return False


class Hub:
    """The operations that this process waits for, and the ear for what agents on its links say to anybody's."""

    message_types: frozenset[str] = frozenset(kind.type for kind in RELAY_FROM_AGENT)  # type: ignore[attr-defined]

    def __init__(self, world: World, lines: Lines | None) -> None:
        self.id = random_hex(8)
        self._world = world
        self._lines = lines
        self._count = 0
        self._open: dict[str, Exchange] = {}

    # ------------------------------------------------------------ for whoever relays

    @asynccontextmanager
    async def exchange(self, host_id: HostId, wanted: RelayOpen) -> AsyncIterator[Exchange]:
        """Begin an operation; leaving the block ends it, whatever happened.

        Raises:
            HostOffline: no process holds a link of the host.
        """
        place = await self._find(host_id)
        self._count += 1
        relay = f"{self.id}.{self._count}"

        async def send(message: RelayToAgent) -> None:
            await self._send(host_id, place, message)

        made = self._open[relay] = Exchange(relay, host_id, place, send)
        try:
            opening = RelayOpen(relay, wanted.operation, wanted.target, wanted.by, wanted.live)
            await send(opening)
            yield made
        finally:
            del self._open[relay]
            await made.close()

    async def _find(self, host_id: HostId) -> Place:
        link = self._lines.link(host_id) if self._lines is not None else None
        if link is not None:
            return Place(link)
        found = (await channel.online(Call(self._world, system("relay")), [host_id])).get(host_id)
        if found is None:
            raise HostOffline
        return Place(None, found.server, found.link)

    async def _send(self, host_id: HostId, place: Place, message: RelayToAgent) -> None:
        if place.link is None:
            await announce(Told(place.server, host_id, encode(message)))(self._world)
        elif not place.link.superseded:
            place.link.send(encode(message))

    # ------------------------------------------------------------ for links

    def opened(self, link: Link) -> None:
        """Nothing runs over a new link yet."""

    def closed(self, link: Link) -> None:
        """Whatever ran over it has ended on the host as well."""
        for exchange in self._open.values():
            if exchange.place.link is link:
                exchange.cut("the connection of the host's agent was cut")

    async def received(self, link: Link, body: Body, size_bytes: int) -> None:  # noqa: ARG002 (as inboxes have it)
        """Take a message of an agent, or pass it on to the process that waits for it."""
        hub = str(body.get("relay", "")).partition(".")[0]
        if hub == self.id:
            self._take(link.host_id, body)
        elif hub.isalnum():
            await announce(RelayTold(hub, link.host_id, orjson.dumps(body).decode()))(self._world)

    def _take(self, host_id: HostId, body: Body) -> None:
        exchange = self._open.get(str(body.get("relay", "")))
        # An agent speaks only of what runs on its own host.
        if exchange is None or exchange.host_id != host_id:
            return
        try:
            message = decode(body)
        except BadMessage as error:
            exchange.cut(f"the agent sent a message with a bad field: {error}")
            return
        if isinstance(message, RelayOutput | RelayWritten | RelayDone):
            exchange.received(message)

    # ------------------------------------------------------------ background

    async def hear(self) -> None:
        """Listen to what other processes pass on; runs until cancelled."""
        async with self._world.bus.following(relay_topic(self.id)) as bell:
            while True:
                for news in await bell.ring():
                    self._take(news["host_id"], orjson.loads(news["text"]))

    async def watch(self) -> None:
        """Notice that links at other processes are gone; runs until cancelled."""
        async with self._world.bus.following(AgentsConnected.name, AgentsDisconnected.name) as bell:
            while True:
                news = await bell.ring(within=_LOOK_SECONDS)
                moved = {host_id for one in news for host_id in one["host_ids"]}
                far = {e.host_id for e in self._open.values() if e.place.link is None}
                if far and (not news or far & moved):
                    await self._compare(far)

    async def _compare(self, far: set[HostId]) -> None:
        try:
            found = await channel.online(Call(self._world, system("relay")), sorted(far))
        except RedisError as error:
            log.warning("relay_not_compared", reason=str(error))
            return
        for exchange in self._open.values():
            here = found.get(exchange.host_id)
            if exchange.place.link is None and (here is None or here.link != exchange.place.mark):
                exchange.cut("the connection of the host's agent was cut")


@asynccontextmanager
async def hub(world: World, keeper: Keeper, lines: Lines | None = None) -> AsyncIterator[Hub]:
    """Open a hub; without ``lines`` it reaches agents through the processes that hold their links."""
    made = Hub(world, lines)
    tasks = [keeper.start("relay-ear", made.hear()), keeper.start("relay-watch", made.watch())]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
