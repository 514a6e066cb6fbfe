"""Group commit: whoever calls at the same moment shares one statement, and each gets the answer of its own part."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from server.core.loop import Keeper

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Work = Callable[[list[Item]], Awaitable[Sequence[Answer]]]

_LIMIT: Final = 500
#: A lonely caller is served at once; a crowd waits a little for the rest of the crowd.
_LINGER_SECONDS: Final = 0.05
_LINGER_PER_ITEM_SECONDS: Final = 0.0002


class Batches(Generic[Item, Answer]):
    """Collects items and works on them together; ``put`` returns the answer to its item, or raises what the work did.

    Nothing is answered before it is committed: a server that is killed has told nobody something it then forgot. A
    batch holds at most one item per ``key``, so that a statement never touches a row twice.
    """

    def __init__(
        self, keeper: Keeper, name: str, work: Work[Item, Answer], key: Callable[[Item], object], *, linger: bool
    ) -> None:
        self._keeper = keeper
        self._name = name
        self._work = work
        self._key = key
        self._linger = linger
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._last_size = 0
        self._task: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> Answer:
        """Have the item worked on with everyone else's."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._task is None or self._task.done():
            self._task = self._keeper.start(self._name, self._drain())
        return await answer

    async def close(self) -> None:
        """Finish what is still waiting."""
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    async def _drain(self) -> None:
        while self._waiting:
            if self._linger and self._last_size > 1:
                await asyncio.sleep(min(_LINGER_SECONDS, self._last_size * _LINGER_PER_ITEM_SECONDS))
            await self._serve(self._take())

    def _take(self) -> list[tuple[Item, asyncio.Future[Answer]]]:
        taken: dict[object, tuple[Item, asyncio.Future[Answer]]] = {}
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

    async def _serve(self, batch: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._work([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 (handed to everyone whose item was in it)
            for _, waiting in batch:
                if not waiting.done():
                    waiting.set_exception(error)
        except asyncio.CancelledError:
            for _, waiting in batch:
                waiting.cancel()
            raise
        else:
            for (_, waiting), answer in zip(batch, answers, strict=True):
                if not waiting.done():
                    waiting.set_result(answer)
