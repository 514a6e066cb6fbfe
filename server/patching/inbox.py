"""The doors of existing agents: what they post about runs, and Windows updates."""

import functools
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from server.core.db import DatabaseError
from server.core.ids import HostId, is_uuid
from server.core.log import get_log
from server.hosts import service as hosts
from server.patching import native, windows
from server.patching.errors import BadPost, BadRunId, GuidNeeded
from server.patching.native_models import Said
from server.web.agent_bodies import read_first_value
from server.web.forms import BadBody
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import TRANSLATORS, Routes, agent_only, call, path_text

log = get_log(__name__)
routes: Final = Routes()

Body = TypeVar("Body", bound=msgspec.Struct)
Door = Callable[[web.Request], Awaitable[web.Response]]
_NO_KEY: Final = "API ID and Key required"
_BAD_KEY: Final = "Invalid API credentials"


def set_up(app: web.Application) -> None:
    """Say patch jobs to existing agents."""
    app[TRANSLATORS].append(native.PatchCommands())


def stored_or(text: str) -> Callable[[Door], Door]:
    """Answer 500 with the contract's words when the database does not take it, or give it."""

    def wrap(door: Door) -> Door:
        @functools.wraps(door)
        async def guarded(request: web.Request) -> web.Response:
            try:
                return await door(request)
            except DatabaseError:
                log.exception("post_not_stored", path=request.path)
                return json_answer({"error": text}, status=500)

        return guarded

    return wrap


# ---------------------------------------------------------------- runs


class OutputBody(msgspec.Struct, frozen=True):
    """What an agent says about its run."""

    stage: str = ""
    output: str = ""
    error_message: str = ""


@routes.post("/api/v1/patching/runs/{run}/output", name="agents.patch_output")
@documented(body=OutputBody)
@agent_only(limit="agent", missing=_NO_KEY)
@stored_or("Failed to save patch output")
async def output(request: web.Request) -> web.Response:
    """Take what an existing agent says about its run: that it began, what it prints, how it ended."""
    asked = call(request)
    run = path_text(request, "run").lower()
    if not is_uuid(run):
        raise BadRunId
    body = await _posted(request, OutputBody)
    said = Said(body.stage, body.output, body.error_message)
    await native.hear(asked, HostId(hosts.agent_of(asked).id), run, said)
    return json_answer({"ok": True})


# ---------------------------------------------------------------- Windows updates


class ResultBody(msgspec.Struct, frozen=True):
    """How the installation of one update went."""

    patch_run_id: str = ""
    guid: str = ""
    success: bool = False
    error: str = ""


class RebootBody(msgspec.Struct, frozen=True):
    """Whether what was installed needs a restart."""

    patch_run_id: str = ""
    needs_reboot: bool = False


class SupersededBody(msgspec.Struct, frozen=True):
    """Updates that newer ones replaced."""

    guids: tuple[str, ...] = ()


@routes.post("/api/v1/patching/windows-updates/result", name="agents.windows_result")
@documented(body=ResultBody)
@agent_only(limit="agent", missing=_BAD_KEY)
async def windows_result(request: web.Request) -> web.Response:
    """Note how the installation of one update went."""
    asked = call(request)
    body = await _posted(request, ResultBody)
    if not body.guid:
        raise GuidNeeded
    host = HostId(hosts.agent_of(asked).id)
    await windows.note_result(asked, host, body.guid, success=body.success, error=body.error)
    return json_answer({"status": "ok"})


@routes.post("/api/v1/patching/windows-updates/reboot", name="agents.windows_reboot")
@documented(body=RebootBody)
@agent_only(limit="agent", missing=_BAD_KEY)
async def windows_reboot(request: web.Request) -> web.Response:
    """Note that the host needs a restart."""
    asked = call(request)
    body = await _posted(request, RebootBody)
    if body.needs_reboot:
        await windows.note_reboot(asked, HostId(hosts.agent_of(asked).id), body.patch_run_id)
    return json_answer({"status": "ok"})


@routes.post("/api/v1/patching/windows-updates/superseded", name="agents.windows_superseded")
@documented(body=SupersededBody)
@agent_only(limit="agent", missing=_BAD_KEY)
async def windows_superseded(request: web.Request) -> web.Response:
    """Forget updates that newer ones replaced."""
    asked = call(request)
    body = await _posted(request, SupersededBody)
    if not body.guids:
        return json_answer({"status": "ok"})
    await windows.forget_superseded(asked, HostId(hosts.agent_of(asked).id), body.guids)
    return json_answer({"removed": "ok"})


@routes.get("/api/v1/patching/windows-updates/approved", name="agents.windows_approved")
@agent_only(limit="agent", missing=_BAD_KEY)
@stored_or("Failed to fetch pending updates")
async def windows_approved(request: web.Request) -> web.Response:
    """Answer the updates that the host shall install."""
    asked = call(request)
    return json_answer({"guids": await windows.approved(asked, HostId(hosts.agent_of(asked).id))})


# ---------------------------------------------------------------- bodies


async def _posted(request: web.Request, model: type[Body]) -> Body:
    """Return a body as existing servers read it; raises ``BadPost``."""
    try:
        return msgspec.convert(await read_first_value(request), model)
    except (BadBody, msgspec.ValidationError) as error:
        raise BadPost from error
