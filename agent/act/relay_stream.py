"""The bytes of one relayed operation, both ways, in numbered chunks of which only so many are under way."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import deque
from typing import Awaitable, Callable, Deque, Optional

from agent.protocol.codec import encode
from agent.protocol.messages import (
    CHUNK_BYTES,
    RELAY_READ_CHUNKS,
    RELAY_WINDOW,
    RelayInput,
    RelayOpen,
    RelayOutput,
    RelayWritten,
)


class Failed(Exception):
    """The operation cannot be carried out: the protocol's code, and a sentence for whoever asked."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Stream:
    """What an operation reads and writes; memory is bounded by the window on both sides."""

    def __init__(self, opened: RelayOpen, target: bytes, send: Callable[[str], Awaitable[None]]) -> None:
        self.relay = opened.relay
        self.target = target
        self.live = opened.live
        self.broken = False
        self._send = send
        self._arrived: Deque[bytes] = deque()
        self._complete = False
        self._news = asyncio.Event()
        self._expected = 0
        self._taken = 0
        self._room = asyncio.Semaphore(RELAY_WINDOW)
        self._order = asyncio.Lock()
        self._next = 0

    @property
    def sent(self) -> int:
        """How many chunks of output went out so far."""
        return self._next

    @property
    def waits(self) -> bool:
        """The server has not taken what it was sent."""
        return self._room.locked()

    # ------------------------------------------------------------ from the server

    def feed(self, message: RelayInput) -> bool:
        """Take a chunk; False when one before it is missing or there are more than was agreed."""
        try:
            data = base64.b64decode(message.data, validate=True)
        except (binascii.Error, ValueError):
            return False
        if message.number != self._expected or self._complete or len(data) > CHUNK_BYTES:
            return False
        if len(self._arrived) > RELAY_WINDOW:
            return False
        self._expected += 1
        if data:
            self._arrived.append(data)
        self._complete = message.last
        self._news.set()
        return True

    def may_send(self, chunks: int) -> None:
        """The server has taken so many chunks."""
        for _ in range(min(chunks, RELAY_WINDOW)):
            self._room.release()

    # ------------------------------------------------------------ for the operation

    async def read(self) -> Optional[bytes]:
        """Return the next bytes of the input, nothing at its end."""
        while not self._arrived:
            if self._complete:
                return None
            self._news.clear()
            await self._news.wait()
        data = self._arrived.popleft()
        self._taken += 1
        if self._taken >= RELAY_READ_CHUNKS:
            taken, self._taken = self._taken, 0
            await self._send(encode(RelayWritten(self.relay, taken)))
        return data

    async def write(self, stream: str, data: bytes) -> None:
        """Send bytes; waits while the server has not taken what was sent before."""
        for start in range(0, len(data), CHUNK_BYTES):
            await self._room.acquire()
            async with self._order:
                text = base64.b64encode(data[start : start + CHUNK_BYTES]).decode("ascii")
                await self._send(encode(RelayOutput(self.relay, self._next, stream, text)))
                self._next += 1
