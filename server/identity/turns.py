"""How many sign-ins are under way at the same time: the others wait their turn, and not for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakKeyDictionary

from server.core import passwords
from server.core.call import Call
from server.core.db import Database
from server.identity.errors import Crowded

#: One looks things up while another one's password is checked; more would only wait further on, with a connection.
AT_ONCE: Final = 2 * passwords.THREADS
#: Less than a request may take: who waited in vain is told when to come again.
WAIT_SECONDS: Final = 20.0
_AGAIN_SECONDS: Final = 10

_places: WeakKeyDictionary[Database, asyncio.Semaphore] = WeakKeyDictionary()


@asynccontextmanager
async def turn(call: Call) -> AsyncIterator[None]:
    """Hold one of this process's places for a sign-in, in the order of coming; raises ``Crowded``."""
    places = _places.setdefault(call.db, asyncio.Semaphore(AT_ONCE))
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await places.acquire()
    except TimeoutError as error:
        raise Crowded(_AGAIN_SECONDS) from error
    try:
        yield
    finally:
        places.release()
