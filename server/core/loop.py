"""Owned tasks and work that would block the loop."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, ParamSpec, TypeVar

from server.core.log import get_log

log = get_log(__name__)
_CLOSE_SECONDS: Final = 5.0
_CLOSE_TRIES: Final = 5

P = ParamSpec("P")
R = TypeVar("R")


class Keeper:
    """Keeps every background task it starts: named, failures logged, cancelled at close."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start ``work`` under ``name``; its failure is logged, never lost."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task_failed", task=task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancel what is left and wait for it; a task that ignores this is named in the log, not waited for."""
        left = set(self._tasks)
        for _ in range(_CLOSE_TRIES):
            for task in left:
                # Again: a driver may have turned the first one into an error of its own, after which the task went on.
                task.cancel()
            if not left:
                return
            _, left = await asyncio.wait(left, timeout=_CLOSE_SECONDS / _CLOSE_TRIES)
        for task in left:
            log.error("task_stuck", task=task.get_name(), at=repr(task.get_stack(limit=1)))


async def in_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run blocking work (files, hashing, waiting for processes) without stopping the loop."""
    return await asyncio.to_thread(work, *args, **kwargs)


def being_cancelled() -> bool:
    """Tell whether the running task was told to end.

    For endless loops around drivers: a driver may turn the cancellation into an error of its own.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
