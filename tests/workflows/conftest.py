"""A fleet of scripted agents and a program that launches jobs on it."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from server.core.call import Call
from tests.factories.automation import Api, Fleet, url_of
from tests.factories.people import bearer


@pytest.fixture
async def fleet(server: TestServer, call: Call) -> AsyncIterator[Fleet]:
    made = Fleet(call, url_of(server))
    yield made
    await made.close()


@pytest.fixture
async def api(server: TestServer, call: Call) -> AsyncIterator[Api]:
    async with ClientSession() as session:
        yield Api(session, url_of(server), await bearer(call))
