"""Relayed files: written as they arrive, read as they are taken, never whole in memory."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO, Tuple

from agent.act.relay_stream import Failed, Stream
from agent.protocol.messages import CHUNK_BYTES
from agent.system.loop import in_thread

_READ_BYTES = 8 * CHUNK_BYTES


async def put(stream: Stream) -> Tuple[int, int]:
    """Write the input to the file; return nothing and its size. What was in the file before is gone."""
    file = await in_thread(_opened, stream.target, "wb")
    size = 0
    try:
        while (data := await stream.read()) is not None:
            await in_thread(file.write, data)
            size += len(data)
    finally:
        await in_thread(file.close)
    return 0, size


async def fetch(stream: Stream) -> Tuple[int, int]:
    """Send the file; return nothing and how many bytes it had."""
    file = await in_thread(_opened, stream.target, "rb")
    size = 0
    try:
        while data := await in_thread(file.read, _READ_BYTES):
            await stream.write("out", data)
            size += len(data)
    finally:
        await in_thread(file.close)
    return 0, size


def _opened(name: bytes, mode: str) -> BinaryIO:
    try:
        if mode == "rb" and not stat.S_ISREG(os.stat(name).st_mode):  # noqa: PTH116 (names need not be text)
            raise Failed("failed", "it is not a file")
        return open(name, mode)  # type: ignore[return-value]  # noqa: PTH123 (names need not be text)
    except FileNotFoundError as error:
        raise Failed("missing", "there is no such file or folder") from error
    except OSError as error:
        raise Failed("failed", error.strerror or str(error)) from error
