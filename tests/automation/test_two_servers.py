"""Two server processes' worth of application on one PostgreSQL and one Redis."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer

from server.app import build, close_world, open_world
from server.channel import service as channel
from server.core.call import Call, system
from server.core.env import Env
from server.core.loop import Keeper
from tests.factories.automation import Api, Fleet, url_of


@pytest.fixture
async def other(env: Env) -> AsyncIterator[TestServer]:
    """A second server beside the first, with connections of its own."""
    keeper = Keeper()
    world = await open_world(env, keeper, pool=8)
    running = TestServer(build(world, keeper))
    await running.start_server()
    yield running
    await running.close()
    await keeper.close()
    await close_world(world)


@pytest.fixture
def far(api: Api, other: TestServer) -> Api:
    """The same program, talking to the second server."""
    return Api(api.session, url_of(other), api.headers)


async def _watched(api: Api, job: dict[str, object]) -> list[tuple[str, object]]:
    seen: list[tuple[str, object]] = []
    async with asyncio.timeout(10), api.following(job) as frames:
        async for name, _, data in frames:
            if name == "event":
                seen.append((data["source"], data["counter"]))
    return seen


async def test_an_agent_on_one_is_driven_by_a_job_of_the_other_and_watched_from_both(
    api: Api, far: Api, fleet: Fleet
) -> None:
    agent = await fleet.online("web-01")
    job = await far.launch("web-01")
    held = await agent.job()
    near_view, far_view = (asyncio.get_running_loop().create_task(_watched(one, job)) for one in (api, far))
    for number in range(20):
        await agent.tell(held, {"stdout": f"{number}"})
        await agent.tell(held, {"event": "live", "stdout": f"line {number}\n"}, source="live")
    await agent.end(held)
    expected = {(source, number) for source in ("runner", "live") for number in range(1, 21)}
    assert set(await near_view) == set(await far_view) == expected
    assert await near_view == await far_view
    await far.status(job, "succeeded")


async def test_a_host_that_moves_to_the_other_server_takes_its_job_along(api: Api, far: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    await agent.tell(held, {"stdout": "here"})
    await agent.drop()
    agent.url = far.url.replace("http", "ws", 1) + "/api/v1/agents/ws"
    await agent.connect()
    await agent.tell(held, {"stdout": "there"})
    await agent.end(held)
    await api.status(job, "succeeded")
    assert [e["stdout"] for e in await far.events(job)] == ["here", "there"]


async def test_a_takeover_on_the_other_server_leaves_the_old_link_without_work(
    api: Api, far: Api, fleet: Fleet
) -> None:
    old = await fleet.online("web-01")
    new = await fleet.enrol("web-02")
    new.headers, new.url = old.headers, far.url.replace("http", "ws", 1) + "/api/v1/agents/ws"
    await new.connect()
    await asyncio.sleep(0.3)
    job = await api.launch("web-01")
    held = await new.job()
    await new.end(held)
    await api.status(job, "succeeded")
    assert old.connected, "the old link is not closed by the takeover"
    assert not old.jobs


async def test_stop_and_messages_find_the_server_that_holds_the_link(far: Api, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("web-01")
    job = await far.launch("web-01")
    held = await agent.job()
    await far.ask("POST", f"/jobs/{job['id']}/stop")
    await agent.until(lambda: any(body["type"] == "job_stop" for body in agent.raw))
    await agent.end(held, "cancelled")
    await far.status(job, "cancelled")
    host_id = await call.db.value("select id from hosts where friendly_name = %(name)s", name="web-01")
    await asyncio.sleep(0.3)
    assert await channel.tell(Call(call.world, system("test")), host_id, {"type": "report_now"})
    await agent.until(lambda: {"type": "report_now"} in agent.raw)
    await agent.close()
    await asyncio.sleep(0.5)
    assert not await channel.online(call, [host_id])
    assert not await channel.tell(call, host_id, {"type": "report_now"})
