"""Group commit: whoever calls at the same moment shares one statement, and each gets the answer of its own part."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from server.core.loop import Keeper

Item = TypeVar("Item")
Store = Callable[[list[Item]], Awaitable[None]]

_LIMIT: Final = 500
#: A lonely caller is served at once; a crowd waits a little for the rest of the crowd.
_LINGER_SECONDS: Final = 0.05
_LINGER_PER_ITEM_SECONDS: Final = 0.0005


class Batches(Generic[Item]):
    """Collects items and stores them together; ``put`` returns when its item is committed, or raises what the store raised.

    Nothing is answered before it is stored: a server that is killed has told nobody something it then forgot. A batch holds
    at most one item per ``key``, so that a statement never touches a row twice.
    """

    def __init__(self, keeper: Keeper, name: str, store: Store[Item], key: Callable[[Item], object]) -> None:
        self._keeper = keeper
        self._name = name
        self._store = store
        self._key = key
        self._waiting: list[tuple[Item, asyncio.Future[None]]] = []
        self._last_size = 0
        self._task: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> None:
        """Store the item with everyone else's."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._task is None or self._task.done():
            self._task = self._keeper.start(self._name, self._drain())
        await done

    async def close(self) -> None:
        """Store what is still waiting."""
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    async def _drain(self) -> None:
        while self._waiting:
            if self._last_size > 1:
                await asyncio.sleep(min(_LINGER_SECONDS, self._last_size * _LINGER_PER_ITEM_SECONDS))
            await self._flush(self._take())

    def _take(self) -> list[tuple[Item, asyncio.Future[None]]]:
        taken: dict[object, tuple[Item, asyncio.Future[None]]] = {}
        later = []
        for pair in self._waiting:
            key = self._key(pair[0])
            if key in taken or len(taken) >= _LIMIT:
                later.append(pair)
            else:
                taken[key] = pair
        self._waiting = later
        self._last_size = len(taken)
        return list(taken.values())

    async def _flush(self, batch: list[tuple[Item, asyncio.Future[None]]]) -> None:
        try:
            await self._store([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 (handed to everyone whose item was in it)
            for _, done in batch:
                if not done.done():
                    done.set_exception(error)
        except asyncio.CancelledError:
            for _, done in batch:
                done.cancel()
            raise
        else:
            for _, done in batch:
                if not done.done():
                    done.set_result(None)
