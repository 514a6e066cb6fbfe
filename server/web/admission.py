"""How many agents are greeted at the same time: the others wait their turn, so that people's requests keep theirs.

When a server comes back, thousands of agents do too. Without this a page would wait behind all of them, on the loop
and in the database pool.
"""

import asyncio
from typing import Final

from aiohttp import web

from server.web.routing import gate_of

#: Enough to keep a processor and some database connections busy.
AT_ONCE: Final = 32
PLACES: Final = web.AppKey("greeting_places", asyncio.Semaphore)
_HELD: Final = web.RequestKey("greeting_place", asyncio.Semaphore)


async def enter(request: web.Request) -> None:
    """Wait for a place, if this is an agent's socket; every other request passes at once."""
    gate = gate_of(request.match_info.handler)
    if gate is not None and gate.kind == "agent" and gate.plain:
        places = request.config_dict[PLACES]
        await places.acquire()
        request[_HELD] = places


def leave(request: web.Request) -> None:
    """Give the place to the next: the socket is open, or refused. Twice does no harm."""
    places: asyncio.Semaphore | None = request.pop(_HELD, None)
    if places is not None:
        places.release()
