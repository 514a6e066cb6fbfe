"""Windows by the real scheduler: processes of their own, the real clock, cron's shortest interval."""

import asyncio

import pytest
from aiohttp import ClientSession

from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.factories.campaigns import Campaigns
from tests.factories.house import Start
from tests.factories.people import bearer


@pytest.mark.real
async def test_two_servers_with_workers_open_a_window_once_also_when_one_of_them_dies(call: Call, start: Start) -> None:
    first, second = await start(), await start()
    host = (await hosts.create(call, NewHost("a"))).uuid
    async with ClientSession() as session:
        api = Campaigns(session, second.url, await bearer(call))
        window = await api.window(host, cron="* * * * *", duration_minutes=1)
        opens_at = window["next_occurrences"][0]["starts_at"]
        async with asyncio.timeout(90):
            while not (found := (await api.ask("GET", "/patching/campaigns"))["campaigns"]):
                await asyncio.sleep(0.5)
        await first.kill()
        # Until the next opening nothing of this one is started again, and then it ends with its window.
        async with asyncio.timeout(90):
            while len(found := (await api.ask("GET", "/patching/campaigns"))["campaigns"]) < 2:
                assert [one["occurrence_at"] for one in found] == [opens_at]
                await asyncio.sleep(0.5)
        oldest = await api.comes(found[-1], "expired", 20)
        await api.host_comes(oldest, "a", "withdrawn", 20)
        assert len({one["occurrence_at"] for one in found}) == len(found)
