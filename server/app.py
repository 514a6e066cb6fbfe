"""Builds the web application: resources, middlewares and each room's routes; decides nothing."""

import importlib
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from types import ModuleType
from typing import Final

from aiohttp import web

from server.core import zones
from server.core.bus import Bus
from server.core.call import World
from server.core.db import Database
from server.core.env import Env
from server.core.loop import Keeper, in_thread
from server.core.queue import Queue, Task
from server.core.redis import open_redis
from server.core.secretbox import SecretBox
from server.settings import start as settings_at_start
from server.web import render, shell
from server.web.navigation import MENU, Menu
from server.web.routing import WORK, WORLD, ungated
from server.web.searching import SEARCH

ROOMS: Final = (
    "settings",
    "identity",
    "audit",
    "lists",
    "hosts",
    "channel",
    "commands",
    "packages",
    "docker",
    "automation",
    "library",
    "patching",
    "compliance",
    "campaigns",
    "workflows",
    "intake",
    "dossier",
    "dashboard",
    "background",
    "integrations",
    "webhooks",
)
_DRAWERS: Final = ("api", "pages", "search", "tasks", "inbox", "listeners", "resources")
KEEPER: Final = web.AppKey("keeper", Keeper)


class UngatedRoutes(Exception):
    """Routes that do not say who may use them; the server does not start with one."""


@cache
def drawers() -> tuple[ModuleType, ...]:
    """Return every door of every room that exists; looking for those that do not takes longest."""
    names = [f"server.{room}.{drawer}" for room in ROOMS for drawer in _DRAWERS]
    return tuple(importlib.import_module(name) for name in names if _exists(name))


def _exists(name: str) -> bool:
    return importlib.util.find_spec(name.rsplit(".", 1)[0]) is not None and importlib.util.find_spec(name) is not None


def tasks() -> tuple[Task, ...]:
    """Return every room's background work."""
    return tuple(task for drawer in drawers() for task in getattr(drawer, "TASKS", ()))


async def open_world(env: Env, keeper: Keeper, *, pool: int | None = None) -> World:
    """Open the resources everything stands on; close them with ``close_world``."""
    # Rooms that answer for others register while they are imported.
    drawers()
    limits = env.database
    database = await Database.open(
        env.database_url.reveal(),
        size=pool or env.database_pool,
        tries=limits.tries,
        pause_seconds=limits.pause_seconds,
        limits=limits,
    )
    await in_thread(zones.known)
    redis = await open_redis(env.redis_url.reveal(), link=env.redis)
    queue = Queue(env.redis_url.reveal(), env.redis)
    await queue.open()
    return World(env, database, redis, Bus(redis, keeper), queue, SecretBox(env.master_key))


async def close_world(world: World) -> None:
    """Close what ``open_world`` opened, in reverse order."""
    await world.queue.close()
    await world.redis.aclose()
    await world.db.close()


def build(world: World, keeper: Keeper) -> web.Application:
    """Return the application over an opened world; the caller owns the world."""
    from server.identity.doorkeeper import doorkeeper  # noqa: PLC0415 (rooms are loaded when the app is built)

    app = web.Application(middlewares=shell.middlewares(doorkeeper), client_max_size=world.env.body_limit_bytes)
    app[WORLD] = world
    app[KEEPER] = keeper
    found = drawers()
    app[MENU] = Menu(
        entries=tuple(entry for drawer in found for entry in getattr(drawer, "ENTRIES", ())),
        host_tabs=tuple(tab for drawer in found for tab in getattr(drawer, "HOST_TABS", ())),
        actions=tuple(action for drawer in found for action in getattr(drawer, "ACTIONS", ())),
    )
    searchers = (searcher for drawer in found for searcher in getattr(drawer, "SEARCHERS", ()))
    app[SEARCH] = tuple(sorted(searchers, key=lambda searcher: searcher.order))
    app[WORK] = tasks()
    render.set_up(app)
    for drawer in found:
        if hasattr(drawer, "set_up"):
            drawer.set_up(app)
        if hasattr(drawer, "routes"):
            app.add_routes(drawer.routes)
        if hasattr(drawer, "resources"):
            app.cleanup_ctx.append(drawer.resources)
    app.router.add_static("/static/", shell.STATIC, append_version=True)
    app.on_response_prepare.append(shell.headers)
    if missing := ungated(app):
        raise UngatedRoutes(", ".join(missing))
    return app


@asynccontextmanager
async def opened(env: Env) -> AsyncIterator[tuple[World, Keeper]]:
    """Open a world and its keeper, and close both at the end."""
    keeper = Keeper()
    world = await open_world(await settings_at_start.with_stored(env), keeper)
    try:
        yield world, keeper
    finally:
        await keeper.close()
        await close_world(world)
