"""What the whole server promises about packages, from the door of the agents to the numbers on pages."""

import re

import pytest

from server.core.call import Call
from tests.conftest import Browser
from tests.factories.hosts import enrolled, full_report, package
from tests.factories.people import HTML, bearer
from tests.packages.fleets import three_hosts


@pytest.mark.proves("INV-150")
async def test_ten_thousand_packages_are_taken_and_listed_and_one_more_is_refused(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    many = [package(f"p{number:05}") for number in range(10_000)]
    answer = await agent.update(full_report(many))
    assert answer.status == 200, await answer.text()
    assert (await answer.json())["packagesProcessed"] == 10_000
    told = await (await client.get("/api/v1/packages?limit=1&page=10000", headers=await bearer(call))).json()
    assert told["pagination"]["total"] == 10_000
    assert [one["name"] for one in told["packages"]] == ["p09999"]
    assert (await agent.update(full_report([*many, package("q")]))).status == 400


@pytest.mark.proves("INV-122")
async def test_the_overview_and_the_list_count_the_same(as_admin: Browser, client: Browser, call: Call) -> None:
    await three_hosts(call, client)
    headers = await bearer(call)
    overview = await (await client.get("/api/v1/dashboard/stats", headers=headers)).json()
    listed = await (await client.get("/api/v1/packages", headers=headers)).json()
    assert overview["cards"]["totalOutdatedPackages"] == listed["stats"]["outdatedPackages"] == 3
    text = await (await as_admin.get("/packages", headers=HTML)).text()
    tile = re.search(r'Outdated packages</span>\s*<span class="tile-value num">(\d+)<', text)
    assert tile is not None
    assert tile[1] == "3"
