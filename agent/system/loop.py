"""Background tasks with an owner, a name and an end."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Coroutine, Set, TypeVar

Found = TypeVar("Found")


class Keeper:
    """Keeps every background task it starts; a failure goes to ``failed`` and is never lost."""

    def __init__(self, failed: Callable[[str, BaseException], None]) -> None:
        self._failed = failed
        self._tasks: Set[asyncio.Task[Any]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start ``work`` under ``name``."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel what is left and wait for it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed(task.get_name(), error)


async def in_thread(work: Callable[..., Found], *arguments: Any) -> Found:
    """Run blocking work (files, HTTP) without stopping the loop."""
    return await asyncio.get_running_loop().run_in_executor(None, lambda: work(*arguments))
