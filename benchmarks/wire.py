"""The agents' end of a WebSocket, as little of it as ten thousand in one process can afford."""

import asyncio
from typing import Final, Protocol, cast

_TEXT: Final = 1
_CLOSE: Final = 8
_PING: Final = 9
_PONG: Final = 10
#: A mask of zeros is a mask: the bytes stay as they are, the server unmasks them all the same.
_MASK: Final = b"\0\0\0\0"


class Owner(Protocol):
    """What a socket tells."""

    def opened(self) -> None: ...

    def refused(self, status: str) -> None: ...

    def heard(self, text: bytes) -> None: ...

    def lost(self) -> None: ...


def frame(payload: bytes, kind: int = _TEXT) -> bytes:
    """Return a client's frame."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | kind, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | kind, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | kind, 0xFF)) + size.to_bytes(8, "big")
    return head + _MASK + payload


class Socket(asyncio.Protocol):
    """One connection: upgrades, answers pings, hands over texts."""

    __slots__ = ("_buffer", "_owner", "_request", "_upgraded", "paused", "transport")

    def __init__(self, owner: Owner, request: bytes) -> None:
        self._owner = owner
        self._request = request
        self._buffer = b""
        self._upgraded = False
        self.paused = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._request)
        self._request = b""

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False

    def send(self, text: bytes) -> None:
        if self.transport is not None:
            self.transport.write(frame(text))

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.transport = None
        self._owner.lost()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._upgraded and not self._upgrade():
            return
        while self._take():
            pass

    def _upgrade(self) -> bool:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return False
        if b" 101 " not in head[:16]:
            self._owner.refused(head[:40].decode(errors="replace"))
            self.abort()
            return False
        self._upgraded = True
        self._buffer = rest
        self._owner.opened()
        return True

    def _take(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        size, start = buffer[1] & 0x7F, 2
        if size == 126:
            size, start = int.from_bytes(buffer[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < start + size:
            return False
        payload, self._buffer = buffer[start : start + size], buffer[start + size :]
        kind = buffer[0] & 0x0F
        if kind == _TEXT:
            self._owner.heard(payload)
        elif kind == _PING and self.transport is not None:
            self.transport.write(frame(payload, _PONG))
        elif kind == _CLOSE:
            self.abort()
        return True
