"""A proxy that connects through: it knows names that nobody else does, and asks who comes."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """What it was asked for.

    Attributes:
        port: where it listens on the loopback.
        names: what it leads to, by ``host:port`` as clients name it; everything else is refused.
        people: who may pass, as ``user:password``; empty lets everybody.
        passed, refused: targets in the order they were asked for.
    """

    port: int
    names: dict[str, int]
    people: str = ""
    passed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        wanted = "Basic " + base64.b64encode(self.people.encode()).decode() if self.people else None
        answer = ""
        if method != "CONNECT":
            answer = "405 Method Not Allowed"
        elif wanted and headers.get("proxy-authorization") != wanted:
            answer = "407 Proxy Authentication Required"
        elif target not in self.names:
            answer = "403 Forbidden"
        if answer:
            self.refused.append(target)
            writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            writer.close()
            return
        self.passed.append(target)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.names[target])
        writer.write(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n")
        await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await source.read(65536):
            target.write(piece)
            await target.drain()
    target.close()


@asynccontextmanager
async def proxy(port: int, names: dict[str, int], people: str = "") -> AsyncIterator[Proxy]:
    """Run one on the loopback."""
    made = Proxy(port, names, people)
    async with await asyncio.start_server(made.accept, "127.0.0.1", port):
        yield made
