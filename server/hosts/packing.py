"""Agent files made smaller on their way out: packed once per file, kept while somebody fetches them."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web
from isal import igzip

from server.core.loop import in_thread
from server.hosts.binaries import PYZ, AgentFile
from server.web.compression import accepts_gzip, wants_whole

_IDLE_SECONDS: Final = 24 * 3600


@dataclass(slots=True)
class _Packed:
    sha256: str
    content: bytes
    used_at_seconds: float


class Packer:
    """The packed forms of what agents fetch; one is made at a time, however many ask for it."""

    def __init__(self) -> None:
        self._known: dict[str, _Packed] = {}
        self._one_at_a_time = asyncio.Lock()

    async def pack(self, file: AgentFile) -> bytes:
        """Return a file's packed content."""
        async with self._one_at_a_time:
            now = time.monotonic()
            fresh = {name: one for name, one in self._known.items() if now - one.used_at_seconds < _IDLE_SECONDS}
            self._known = fresh
            known = fresh.get(file.name)
            if known is None or known.sha256 != file.sha256:
                known = _Packed(file.sha256, await in_thread(_packed, file), now)
                self._known[file.name] = known
            known.used_at_seconds = now
            return known.content


def _packed(file: AgentFile) -> bytes:
    return igzip.compress(file.path.read_bytes(), 2)


def takes_packed(request: web.Request, file: AgentFile) -> bool:
    """Tell whether the asker takes the file packed; ours is packed in itself."""
    return wants_whole(request) and file.name != PYZ and accepts_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, ""))
