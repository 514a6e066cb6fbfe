"""A fleet of scripted agents, and a program that keeps projects."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from server.core.call import Call
from server.library import tasks
from tests.factories.automation import Api, Fleet, url_of
from tests.factories.people import bearer


@dataclass
class Projects(Api):
    """Also does what a worker does, when it is told to."""

    call: Call | None = None

    async def project(self, slug: str = "shop", **said: Any) -> dict[str, Any]:
        """Make a project."""
        made: dict[str, Any] = await self.ask("POST", "/projects", {"slug": slug, "title": slug, **said}, status=201)
        return made

    async def put(self, path: str, text: str, *, slug: str = "shop", version: int = 0, status: int = 0) -> Any:
        """Save a file."""
        body = {"text": text, "version": version}
        return await self.ask(
            "PUT", f"/projects/{slug}/files/{path}", body, status=status or (201 if version == 0 else 200)
        )

    async def work(self) -> None:
        """Do what waits in the queue."""
        assert self.call is not None
        await tasks.tick(self.call)

    async def shown(self, slug: str = "shop") -> dict[str, Any]:
        found: dict[str, Any] = await self.ask("GET", f"/projects/{slug}")
        return found


@pytest.fixture
async def fleet(server: TestServer, call: Call) -> AsyncIterator[Fleet]:
    made = Fleet(call, url_of(server))
    yield made
    await made.close()


@pytest.fixture
async def api(server: TestServer, call: Call) -> AsyncIterator[Projects]:
    async with ClientSession() as session:
        yield Projects(session, url_of(server), await bearer(call), call)


@pytest.fixture
async def operator(server: TestServer, call: Call) -> AsyncIterator[Projects]:
    """Somebody who manages automation, and not the server."""
    async with ClientSession() as session:
        yield Projects(session, url_of(server), await bearer(call, "host_manager"), call)
