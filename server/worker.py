"""Builds the queue worker: the same resources as the server, every room's tasks."""

from server.app import opened, tasks
from server.background.service import Record
from server.core.env import Env
from server.core.log import get_log
from server.core.queue import Worker
from server.serve import until_told
from server.settings import service as settings

log = get_log(__name__)


async def work(env: Env) -> None:
    """Run background work until SIGTERM or SIGINT."""
    async with opened(env) as (world, keeper):
        Worker(world, tasks(), keeper, Record(world)).start()
        keeper.start("settings-bell", settings.keep_fresh(world))
        log.info("worker_started", tasks=len(tasks()))
        await until_told()
