"""The doors for agents: inventories by HTTP, live events and the ends of deletions over their links."""

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from server.channel.models import Body, Lines, Link
from server.core.call import Call, World, system
from server.core.db import DatabaseError
from server.core.log import get_log
from server.core.loop import Keeper, in_thread
from server.docker import deleting, schemas, service
from server.docker.models import Snapshot
from server.docker.rules import STATUS_OF
from server.hosts import service as hosts
from server.web.forms import read_bytes
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import AGENT_INBOXES, Routes, agent_only, call, world

log = get_log(__name__)
routes: Final = Routes()
_ANSWER: Final = "docker_deleted"
#: Bodies above are taken apart beside the loop.
_LARGE_BYTES: Final = 64 * 1024


def set_up(app: web.Application) -> None:
    """Hear what agents say about containers."""
    app[AGENT_INBOXES].append(opened)


@routes.post("/api/v1/integrations/docker", name="agents.docker_inventory")
@documented(body=Snapshot)
@agent_only(limit="agent")
async def inventory(request: web.Request) -> web.Response:
    """Take in everything a host has."""
    asked, host, env = call(request), hosts.agent_of(call(request)), world(request).env
    body = await read_bytes(request, min(env.update_body_limit_bytes, env.body_limit_bytes))
    decode = functools.partial(schemas.snapshot, body)
    told, computed, collected_at = await in_thread(decode) if len(body) > _LARGE_BYTES else decode()
    try:
        received = await service.store(asked, host, told, computed, collected_at)
    except DatabaseError:
        log.exception("docker_inventory_not_stored", host=host.name)
        return json_answer({"error": "Failed to process Docker data"}, status=500)
    return json_answer(
        {
            "message": "Docker data collected successfully",
            "containers_received": received.containers,
            "images_received": received.images,
            "volumes_received": received.volumes,
            "networks_received": received.networks,
            "updates_found": received.updates,
        }
    )


class DockerInbox:
    """Takes live events and the ends of deletions."""

    message_types: Final = frozenset({"docker_status", _ANSWER, *STATUS_OF})

    def __init__(self, world: World) -> None:
        self._world = world

    def opened(self, link: Link) -> None:
        """Nothing is replayed: the next snapshot makes up for what was missed."""

    async def received(self, link: Link, body: Body, size_bytes: int) -> None:
        """Carry out what an agent says; one that says nonsense is not listened to."""
        asked = Call(self._world, system("docker"))
        if body.get("type") == _ANSWER:
            await deleting.ended(asked, link.host_id, *schemas.answer(body))
            return
        told = schemas.happening(body)
        if told is None:
            log.info("docker_event_unknown", host=link.name, size_bytes=size_bytes)
            return
        await service.hear(asked, link.host_id, told)

    def closed(self, link: Link) -> None:
        """Nothing is kept per link."""


@asynccontextmanager
async def opened(world: World, keeper: Keeper, lines: Lines) -> AsyncIterator[DockerInbox]:
    """Open the inbox; it has nothing to close."""
    del keeper, lines
    yield DockerInbox(world)
