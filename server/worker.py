"""Builds the queue worker: the same resources as the server, every room's tasks."""

import asyncio
import signal
from contextlib import aclosing

from server.app import opened, tasks
from server.core.env import Env
from server.core.log import get_log
from server.core.queue import Worker

log = get_log(__name__)


async def work(env: Env) -> None:
    """Run background work until SIGTERM or SIGINT."""
    async with aclosing(opened(env)) as opening:
        async for world, keeper in opening:
            Worker(world, tasks(), keeper).start()
            log.info("worker_started", tasks=len(tasks()))
            await until_told()


async def until_told() -> None:
    """Wait for the signal to stop."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()
