"""One agent's WebSocket: one reader, one writer while there is something to write, everything else shared."""

import asyncio
import time
import zlib
from collections import deque
from typing import Final

from aiohttp import WSMsgType, web

from server.channel.models import MESSAGE_BYTES
from server.core.ids import HostId, random_hex
from server.core.log import get_log
from server.core.loop import Keeper

log = get_log(__name__)

RECEIVE_BYTES: Final = 512 * 1024
_WRITE_SECONDS: Final = 10.0
_CLOSE_SECONDS: Final = 5.0
_QUEUE_BYTES: Final = 8 * 1024**2
_QUEUE_MESSAGES: Final = 4096
_POLICY: Final = 1008

Frame = tuple[bytes, WSMsgType]


def new_websocket() -> web.WebSocketResponse:
    """Return a response that upgrades without extensions and leaves keep-alive to the switchboard's one timer."""
    return web.WebSocketResponse(
        max_msg_size=RECEIVE_BYTES, compress=False, autoping=False, timeout=_CLOSE_SECONDS, decode_text=False
    )


def mark_of(api_id: str) -> int:
    """Return what a link remembers of the credentials it was opened with: enough to notice that they are others now."""
    return zlib.crc32(api_id.encode())


class AgentLink:
    """An open connection; ten thousand of them are idle most of the time, so it keeps as little as it can."""

    __slots__ = (
        "_closing",
        "_frames",
        "_keeper",
        "_queued_bytes",
        "_transport",
        "_ws",
        "address",
        "heard_at",
        "host_id",
        "key",
        "mark",
        "name",
        "opened_at",
        "record",
        "secure",
        "slot",
        "superseded",
        "superseded_at",
    )

    def __init__(
        self,
        ws: web.WebSocketResponse,
        transport: asyncio.Transport,
        keeper: Keeper,
        host_id: HostId,
        name: str,
        *,
        secure: bool,
        api_id: str = "",
        address: str = "",
    ) -> None:
        self._ws = ws
        self._transport = transport
        self._keeper = keeper
        self._frames: deque[Frame] | None = None
        self._queued_bytes = 0
        self._closing = False
        self.host_id = host_id
        self.name = name
        self.secure = secure
        self.mark = mark_of(api_id)
        self.key = random_hex(8)
        self.record = ""
        self.slot = 0
        self.address = address
        self.superseded = False
        self.opened_at = self.heard_at = self.superseded_at = time.monotonic()

    def send(self, text: str) -> None:
        """Queue a message; a peer that does not read loses its link, it resumes from the rows when it returns."""
        data = text.encode()
        if len(data) > MESSAGE_BYTES:
            message = f"{len(data)} bytes are more than an agent reads"
            raise ValueError(message)
        self._put(data, WSMsgType.TEXT)

    def _put(self, data: bytes, kind: WSMsgType) -> None:
        if self._closing:
            return
        if self._frames is None:
            self._frames = deque()
            self._keeper.start("link-writer", self._write())
        self._frames.append((data, kind))
        self._queued_bytes += len(data)
        if self._queued_bytes > _QUEUE_BYTES or len(self._frames) > _QUEUE_MESSAGES:
            log.warning("link_dropped", host=self.name, reason="the agent does not read")
            self.abort()

    async def _write(self) -> None:
        try:
            while self._frames:
                data, kind = self._frames.popleft()
                self._queued_bytes -= len(data)
                async with asyncio.timeout(_WRITE_SECONDS):
                    await self._ws.send_frame(data, kind)
        except (TimeoutError, ConnectionError) as error:
            log.info("link_write_failed", host=self.name, reason=str(error) or "timed out")
            self.abort()
        finally:
            # Without frames no queue and no task: that is what an idle link costs.
            self._frames = None
            self._queued_bytes = 0

    async def ping(self) -> None:
        """Ask for a sign of life, unless a message on its way asks already or the peer does not even read."""
        if self._frames is None and not self._closing and self._transport.get_write_buffer_size() == 0:
            await self._ws.ping()

    def close(self, reason: str) -> None:
        """End the connection in an orderly way."""
        if not self._closing:
            self._closing = True
            log.info("link_closed", host=self.name, reason=reason)
            self._keeper.start("link-close", self._close(reason))

    async def _close(self, reason: str) -> None:
        await self._ws.close(code=_POLICY, message=reason.encode()[:100])

    def supersede(self) -> None:
        """A newer connection of the same host holds the slot from now on."""
        self.superseded = True
        self.superseded_at = time.monotonic()

    def outlives(self, seconds: float) -> bool:
        """Tell whether it was still heard so long after a newer one took over: somebody else is at its other end."""
        return self.superseded and self.heard_at - self.superseded_at > seconds

    def abort(self) -> None:
        """End the connection at once; the reader notices."""
        self._closing = True
        if self._frames is not None:
            self._frames.clear()
        self._transport.abort()

    async def receive(self) -> bytes | None:
        """Return the next message, or nothing when the connection is over; any frame counts as life."""
        while True:
            frame = await self._ws.receive()
            self.heard_at = time.monotonic()
            if frame.type is WSMsgType.TEXT:
                return bytes(frame.data)
            if frame.type is WSMsgType.PING:
                self._put(frame.data, WSMsgType.PONG)
            elif frame.type not in {WSMsgType.PONG, WSMsgType.BINARY}:
                self._forget_errors()
                return None

    def _forget_errors(self) -> None:
        # The socket keeps the error it ended with, that keeps the frames it went through, and those the socket: after
        # a crowd has left, the collector would have to find all of them.
        error = self._ws.exception()
        while error is not None:
            error.__traceback__ = None
            error = error.__context__
