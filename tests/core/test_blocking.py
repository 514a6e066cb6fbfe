"""What blocks the loop is named, and nothing that many people can ask for at once blocks it."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator

import pytest

from server.core.blocking import Blocked, BlockingWatch
from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.conftest import Browser
from tests.factories.people import PASSWORD, bearer, person


@pytest.fixture
async def blockings() -> AsyncIterator[list[Blocked]]:
    """Everything that stood in the loop's way during the test."""
    # What thousands of other tests left behind takes long to collect, which is no fault of the server.
    gc.collect()
    gc.freeze()
    found: list[Blocked] = []
    watch = BlockingWatch(found.append)
    watch.start()
    yield found
    watch.stop()
    gc.unfreeze()


def stand_still(seconds: float) -> None:
    time.sleep(seconds)


async def test_what_blocks_is_reported_with_its_stack(blockings: list[Blocked]) -> None:
    await asyncio.sleep(0.1)
    stand_still(0.4)
    await asyncio.sleep(0.1)
    assert len(blockings) == 1
    assert 0.3 < blockings[0].seconds < 0.6
    assert "stand_still(0.4)" in blockings[0].stack


async def test_computing_counts_and_short_work_does_not(blockings: list[Blocked]) -> None:
    for _ in range(10):
        stand_still(0.02)
        await asyncio.sleep(0.03)
    assert blockings == []
    began = time.thread_time()
    while time.thread_time() - began < 0.3:
        sum(range(1000))
    await asyncio.sleep(0.05)
    assert [one.seconds > 0.2 for one in blockings] == [True]


async def test_signing_in_does_not_block(client: Browser, call: Call, blockings: list[Blocked]) -> None:
    users = [await person(call, "user") for _ in range(4)]
    bodies = [{"username": users[n % 4].username, "password": PASSWORD if n % 2 else "wrong"} for n in range(12)]
    answers = await asyncio.gather(*(client.post("/api/v1/auth/login", json=body) for body in bodies))
    assert {answer.status for answer in answers} == {200, 401}
    assert blockings == []


async def test_large_bodies_do_not_block(client: Browser, call: Call, blockings: list[Blocked]) -> None:
    headers = {**await bearer(call), "Content-Type": "application/json"}
    body = b'{"name": "' + b"x" * (4 * 1024**2) + b'"}'
    for method, url in (("POST", "/api/v1/host-groups"), ("PATCH", "/api/v1/settings"), ("POST", "/api/v1/jobs")):
        assert (await client.request(method, url, data=body, headers=headers)).status in {200, 400}
    assert (await client.get("/api/v1/openapi.json")).status == 200
    assert blockings == []


async def test_files_do_not_block(client: Browser, call: Call, blockings: list[Blocked]) -> None:
    host = await hosts.create(call, NewHost("web-01"))
    headers = {"X-API-ID": host.api_id, "X-API-KEY": host.api_key.reveal()}
    urls = ["/api/v1/hosts/agent/version?currentVersion=1", "/api/v1/hosts/agent/download"] * 3
    urls += ["/static/vendor/swagger-ui/swagger-ui-bundle.js", "/static/vendor/tabler/tabler.min.css"] * 3
    for answer in await asyncio.gather(*(client.get(url, headers=headers) for url in urls)):
        await answer.read()
        assert answer.status in {200, 404}
    assert blockings == []
