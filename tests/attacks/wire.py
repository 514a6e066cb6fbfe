"""Bytes to the server exactly as a test says, and what comes back."""

import asyncio
import re
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from aiohttp.test_utils import TestServer


def head(method: str, path: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the head of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Wire:
    """A connection of its own."""

    def __init__(self, server: TestServer) -> None:
        self._port = server.port

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def status(self, seconds: float = 5) -> int:
        """Return the status of the next answer; its body is left where it is."""
        async with asyncio.timeout(seconds):
            line = await self.reader.readline()
        found = re.match(rb"HTTP/1\.[01] (\d{3})", line)
        assert found is not None, line
        return int(found[1])

    async def everything(self, seconds: float = 10) -> bytes:
        """Return what comes until the server ends the connection."""
        async with asyncio.timeout(seconds):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def everything_or_silence(self, seconds: float) -> bytes:
        """Return what comes within a while; the connection may stay open."""
        found = b""
        try:
            async with asyncio.timeout(seconds):
                while piece := await self.reader.read(65_536):
                    found += piece
        except (TimeoutError, ConnectionError):
            return found
        return found
