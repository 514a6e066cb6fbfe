"""Runs the server process: embedded services where none are given, migrations, the listener, and a worker beside it."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from aiohttp import web

from server.app import build, opened, tasks
from server.background.service import Record
from server.core import embedded
from server.core.blocking import BlockingWatch
from server.core.call import World
from server.core.embedded import Services
from server.core.env import Env
from server.core.errors import Conflict
from server.core.log import get_log
from server.core.loop import Keeper, in_thread
from server.core.migrate import migrate
from server.core.queue import Worker
from server.core.secretbox import Secret
from server.web import connections
from server.web.admission import Door
from server.web.render import compile_templates

log = get_log(__name__)

#: Open streams and sockets are closed after this long at the end; agents and browsers come back by themselves.
_SHUTDOWN_SECONDS: Final = 3.0
_CONNECTIONS: Final[dict[str, Any]] = {"access_log": None, "keepalive_timeout": connections.KEEP_ALIVE_SECONDS}

Say = Callable[[str], None]


class PortTaken(Conflict):
    """Another program listens where we should."""

    code = "port_taken"
    text = "Port {port} is already in use. Choose another one: PORT=3001 make run, or patchmon serve --port 3001"


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that listens."""

    world: World
    keeper: Keeper
    app: web.Application
    url: str


@asynccontextmanager
async def equipped(env: Env, say: Say) -> AsyncIterator[Env]:
    """Start the embedded services when the environment names none; the result points at whatever is used."""
    if not env.embedded:
        yield env
        return
    services = Services(env.data_dir, say=say)
    endpoints = await services.start()
    try:
        yield await _pointed(env, endpoints)
    finally:
        await services.stop()


@asynccontextmanager
async def borrowed(env: Env, say: Say) -> AsyncIterator[Env]:
    """Use the embedded services of a running server, or start them for as long as the block lasts (commands do)."""
    if not env.embedded:
        yield env
        return
    async with embedded.opened(env.data_dir, say=say) as endpoints:
        yield await _pointed(env, endpoints)


async def _pointed(env: Env, endpoints: embedded.Endpoints) -> Env:
    secrets = await in_thread(embedded.load_or_create_secrets, env.data_dir)
    return replace(
        env,
        database_url=Secret(endpoints.database_url),
        redis_url=Secret(endpoints.redis_url),
        master_key=Secret(env.master_key.reveal() or secrets["master_key"]),
        jwt_secret=Secret(env.jwt_secret.reveal() or secrets["jwt_secret"]),
    )


@asynccontextmanager
async def serving(env: Env, say: Say = lambda _: None) -> AsyncIterator[Serving]:
    """Serve until the block ends; everything started is stopped in reverse order."""
    async with AsyncExitStack() as stack:
        ready = await stack.enter_async_context(equipped(env, say))
        world, keeper = await stack.enter_async_context(opened(ready))
        await migrate(world.db)
        app = build(world, keeper)
        runner = web.AppRunner(app, shutdown_timeout=_SHUTDOWN_SECONDS, handle_signals=False, **_CONNECTIONS)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await _listen(runner, env)
        keeper.start("connections", connections.watch(runner))
        if env.development:
            watching = BlockingWatch()
            watching.start()
            stack.callback(watching.stop)
        _calm_the_collector()
        keeper.start("templates", compile_templates(app))
        if env.worker_inside:
            Worker(world, tasks(), keeper, Record(world)).start()
        yield Serving(world, keeper, app, f"http://127.0.0.1:{env.port}")


def _calm_the_collector() -> None:
    # What was loaded for the start stays, and ten thousand open links are no garbage: to look through all of them stops
    # the server for a second. Young things are looked through often and in small portions, which nobody notices.
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 5, 300)


async def _listen(runner: web.AppRunner, env: Env) -> None:
    site = Door(runner, env.host, env.port, 4096, _CONNECTIONS)
    try:
        await site.start()
    except OSError as error:
        raise PortTaken(port=env.port) from error
    log.info("listening", host=env.host, port=env.port)


async def serve(env: Env) -> None:
    """Serve until SIGTERM or SIGINT."""
    async with serving(env, say=lambda text: log.info("starting", step=text)):
        await until_told()


async def until_told() -> None:
    """Wait for the signal to stop."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()
