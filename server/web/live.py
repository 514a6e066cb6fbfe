"""Server-Sent Events: numbered, resumable, dropped when the reader does not read."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import web

_WRITE_SECONDS: Final = 20.0
_BEAT_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a stream; ``number`` is what the browser sends back as Last-Event-ID when it returns."""

    name: str
    data: object
    number: int | None = None

    def encode(self) -> bytes:
        """Return the frame."""
        head = f"id: {self.number}\n" if self.number is not None else ""
        return f"{head}event: {self.name}\ndata: ".encode() + orjson.dumps(self.data) + b"\n\n"


def last_seen(request: web.Request) -> int:
    """Return where a returning reader left off; ``after`` in the query for those who start from a rendered page."""
    raw = request.headers.get("Last-Event-ID") or request.query.get("after", "0")
    return int(raw) if raw.isdecimal() and len(raw) < 18 else 0  # noqa: PLR2004 (fits bigint)


async def sse(request: web.Request, happenings: AsyncIterator[Happening | None]) -> web.StreamResponse:
    """Send happenings until they end; ``None`` is a heartbeat. A reader that stalls for 20 s is dropped and resumes."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    try:
        async for happening in happenings:
            frame = happening.encode() if happening is not None else b": beat\n\n"
            async with asyncio.timeout(_WRITE_SECONDS):
                await response.write(frame)
    except (ConnectionError, TimeoutError):
        # The reader left or stalled; it comes back with Last-Event-ID.
        return response
    return response
