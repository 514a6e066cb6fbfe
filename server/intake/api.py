"""The agents' two doors: check-ins and reports."""

import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from aiohttp import web

from server.core.db import DatabaseError
from server.core.errors import TooLarge
from server.core.log import get_log
from server.core.loop import Keeper
from server.hosts import service as hosts
from server.hosts.service import CheckIns
from server.intake import schemas, service
from server.intake.errors import BadReport
from server.intake.models import Delivery
from server.web.forms import read_bytes
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import WORLD, Routes, agent_only, call, open_to_all, world

log = get_log(__name__)
routes: Final = Routes()

CHECK_INS: Final = web.AppKey("check_ins", CheckIns)
Door = Callable[[web.Request], Awaitable[web.Response]]


async def resources(app: web.Application) -> AsyncIterator[None]:
    """Keep the place where check-ins are stored together."""
    keeper = Keeper()
    app[CHECK_INS] = CheckIns(app[WORLD], keeper)
    yield
    await app[CHECK_INS].close()
    await keeper.close()


def stored_or(text: str) -> Callable[[Door], Door]:
    """Answer 500 with the contract's words when the database does not take it."""

    def wrap(door: Door) -> Door:
        @functools.wraps(door)
        async def guarded(request: web.Request) -> web.Response:
            try:
                return await door(request)
            except DatabaseError:
                log.exception("report_not_stored", path=request.path)
                return json_answer({"error": text}, status=500)

        return guarded

    return wrap


@routes.post("/api/v1/hosts/ping")
@documented(body=schemas.Beat)
@agent_only(limit="agent")
@stored_or("Ping failed")
async def ping(request: web.Request) -> web.Response:
    """Note that a host is alive."""
    asked, host, began = call(request), hosts.agent_of(call(request)), time.monotonic()
    async with service.noting_refusals(asked, host, Delivery(began, request.content_length or 0)):
        body = await _small_body(request)
        told = schemas.check_in(body)
    answer = await service.ping(asked, request.app[CHECK_INS], host, told, Delivery(began, len(body)))
    reply: dict[str, object] = {
        "message": "Ping successful",
        "timestamp": asked.now,
        "friendlyName": answer.name,
        "agentStartup": True,
        "hashGate": True,
        "integrations": {"docker": answer.docker, "compliance": answer.compliance},
    }
    if answer.wanted:
        reply["requestFull"] = answer.wanted
    return json_answer(reply)


async def _small_body(request: web.Request) -> bytes:
    try:
        return await read_bytes(request, world(request).env.ping_body_limit_bytes)
    except TooLarge as error:
        raise BadReport from error


@routes.post("/api/v1/hosts/update")
@documented(body=schemas.WholeReport)
@agent_only(limit="agent")
@stored_or("Failed to update host")
async def update(request: web.Request) -> web.Response:
    """Take in a report."""
    asked, host, began = call(request), hosts.agent_of(call(request)), time.monotonic()
    env = world(request).env
    async with service.noting_refusals(asked, host, Delivery(began, request.content_length or 0)):
        body = await read_bytes(request, min(env.update_body_limit_bytes, env.body_limit_bytes))
        parcel = schemas.parcel(schemas.report(body))
        receipt = await service.accept(asked, request.app[CHECK_INS], host, parcel, Delivery(began, len(body)))
    return json_answer(
        {
            "message": "Host updated successfully",
            "packagesProcessed": receipt.processed,
            "updatesAvailable": receipt.updates,
            "securityUpdates": receipt.security,
        }
    )


@routes.route("*", "/api/v1/hosts/ping")
@routes.route("*", "/api/v1/hosts/update")
@open_to_all("says which method the door takes, before it asks who knocks")
async def wrong_method(_request: web.Request) -> web.Response:
    """Refuse every other method."""
    return json_answer({"error": "Method not allowed"}, status=405, headers={"Allow": "POST"})
