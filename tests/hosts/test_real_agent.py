"""A real agent and a real server: how soon a host is there, what its link costs, and how it returns."""

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from server.core.call import Call
from tests.factories.house import House, Start

pytestmark = pytest.mark.real
#: States of sockets, as the kernel writes them.
_IS_OPEN = "01"
_LISTENS = "0A"
#: The first byte of a WebSocket's ping.
_PING = 0x89


def sockets(pid: int) -> list[tuple[str, int]]:
    """Return state and far port of every TCP socket of this process and its children."""
    family = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    links = {str(link.readlink()) for one in family for link in Path(f"/proc/{one}/fd").iterdir() if link.is_symlink()}
    own = {found[1] for link in links if (found := re.fullmatch(r"socket:\[(\d+)\]", link))}
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()]
    return [(line[3], int(line[2].rpartition(":")[2], 16)) for line in lines if line[9] in own]


async def until_reported(call: Call, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await call.db.value("select status = 'active' and last_full_report_at is not null from hosts"):
            await asyncio.sleep(0.1)


@dataclass
class Ear:
    """A relay that notes when an agent dials and when it pings; while it is closed it hangs up at once."""

    target_port: int
    port: int = 0
    closed: bool = False
    dialled: list[float] = field(default_factory=list)
    pinged: list[float] = field(default_factory=list)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def close(self) -> None:
        self.closed = True
        for end in self._open:
            end.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.closed:
            self.dialled.append(time.monotonic())
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        self._open |= {writer, far_writer}
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(self._heard(reader, far_writer), self._passed(far_reader, writer))

    async def _heard(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            if piece[0] == _PING:
                self.pinged.append(time.monotonic())
            writer.write(piece)
            await writer.drain()

    async def _passed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()


@pytest.mark.proves("INV-45", "INV-46", "INV-48")
async def test_a_host_is_there_within_half_a_minute_and_listens_to_nobody(
    house: House, start: Start, call: Call
) -> None:
    server = await start()
    agent = await house.agent("web-01", server.port)
    await agent.start()
    await until_reported(call, 30)
    row = await call.db.one("select os_type, os_version, architecture, hostname, ip, kernel_version from hosts")
    assert row
    assert all(row.values()), row
    assert agent.program.process is not None
    links = sockets(agent.program.process.pid)
    assert [port for state, port in links if state == _LISTENS] == []
    assert {port for state, port in links if state == _IS_OPEN} == {server.port}


@pytest.mark.timeout(200)
@pytest.mark.proves("INV-22")
async def test_an_idle_link_is_pinged_and_a_broken_one_tried_ever_less_often(
    house: House, start: Start, call: Call
) -> None:
    server = await start()
    ear = Ear(server.port)
    listening = await ear.start()
    agent = await house.agent("web-01", ear.port)
    await agent.start()
    await until_reported(call, 30)
    async with asyncio.timeout(100):
        while len(ear.pinged) < 3:
            await asyncio.sleep(0.5)
    for first, second in pairwise(ear.pinged):
        assert 25 <= second - first <= 35
    ear.close()
    async with asyncio.timeout(60):
        while len(ear.dialled) < 5:
            await asyncio.sleep(0.2)
    waits = [second - first for first, second in pairwise(ear.dialled)]
    assert all(later > earlier * 1.1 for earlier, later in pairwise(waits)), waits
    ear.closed = False
    async with asyncio.timeout(60):
        while not await call.db.value("select last_connected_at > last_disconnected_at from hosts"):
            await asyncio.sleep(0.5)
    listening.close()
    assert agent.program.alive
