"""A relayed command: its input, its output and its errors as bytes, its exit code, and its end when nobody waits."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import AsyncIterator, Dict, Tuple

from agent.act.relay_stream import Stream
from agent.protocol.messages import CHUNK_BYTES
from agent.supervise.live import LiveSocket
from agent.system import shell
from agent.system.loop import in_thread

#: A child in the background may keep the output open for ever; what it says later belongs to nobody.
_LAST_WORDS_SECONDS = 1.0


async def carry_out(stream: Stream) -> Tuple[int, int]:
    """Run the command and return its exit code; a command that a signal ended gives 128 and the signal."""
    async with _live_lines(stream) as environment:
        process = await shell.start(stream.target, environment)
        feeding = asyncio.ensure_future(_feed(stream, process))  # noqa: TID251 (ended below, whatever happens)
        speaking = asyncio.ensure_future(_speak(stream, process))  # noqa: TID251 (ended below, whatever happens)
        try:
            # What it printed last is in the pipes when it is gone.
            code = await shell.ended(process)
            await _until_silent(speaking, stream)
        finally:
            for task in (feeding, speaking):
                task.cancel()
            await asyncio.gather(feeding, speaking, return_exceptions=True)
            if process.returncode is None:
                await asyncio.shield(shell.end(process))
    return (code if code >= 0 else 128 - code), 0


async def _until_silent(speaking: "asyncio.Future[None]", stream: Stream) -> None:
    said = -1
    while not speaking.done() and said != stream.sent:
        said = stream.sent
        await asyncio.wait([speaking], timeout=_LAST_WORDS_SECONDS)
        if stream.waits:
            # The server takes its time: nothing is lost meanwhile.
            said = -1
    if speaking.done():
        speaking.result()


async def _feed(stream: Stream, process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    heard = True
    while (data := await stream.read()) is not None:
        if not heard:
            continue
        try:
            process.stdin.write(data)
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            heard = False
    process.stdin.close()


async def _speak(stream: Stream, process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    assert process.stderr is not None
    await asyncio.gather(_pump(stream, "out", process.stdout), _pump(stream, "err", process.stderr))


async def _pump(stream: Stream, name: str, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(CHUNK_BYTES):
        await stream.write(name, data)


@contextlib.asynccontextmanager
async def _live_lines(stream: Stream) -> AsyncIterator[Dict[str, str]]:
    """Listen for lines of modules while the command runs, where somebody wants them."""
    if not stream.live:
        yield {}
        return
    loop = asyncio.get_running_loop()
    folder = Path(await in_thread(tempfile.mkdtemp, "", "patchmon-relay-"))
    said: "asyncio.Queue[str]" = asyncio.Queue()

    def take(text: str, _at: datetime) -> None:
        loop.call_soon_threadsafe(said.put_nowait, text)

    async def tell() -> None:
        while text := await said.get():
            await stream.write("live", text.encode())

    try:
        listening = LiveSocket(folder / "live.sock", take)
        telling = asyncio.ensure_future(tell())  # noqa: TID251 (awaited or cancelled below)
        try:
            yield {"PATCHMON_LIVE_SOCKET": str(folder / "live.sock")}
            await in_thread(listening.close)
            said.put_nowait("")
            await telling
        finally:
            if not telling.done():
                telling.cancel()
                await in_thread(listening.close)
    finally:
        await in_thread(shutil.rmtree, str(folder), True)
