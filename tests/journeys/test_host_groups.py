"""An administrator limits a person to a host group with the mouse; that person sees the rest of the fleet no more."""

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, expect

from server.core.call import Call
from server.hosts import service as hosts
from tests.factories.automation import url_of
from tests.factories.people import PASSWORD, person
from tests.factories.scopes import fleet, group
from tests.journeys.conftest import picture


async def signed_in(chromium: Browser, url: str, username: str) -> Page:
    page = await (await chromium.new_context(viewport={"width": 1280, "height": 860})).new_page()
    await page.goto(f"{url}/login")
    await page.get_by_label("Username or email").fill(username)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


@pytest.mark.real
async def test_limiting_a_person_to_a_host_group(server: TestServer, call: Call, chromium: Browser) -> None:
    url = url_of(server)
    there = await fleet(call)
    for name in ("databases", "development", "web servers of the shop"):
        await group(call, name)
    boss, ann = await person(call, "superadmin", "boss"), await person(call, "host_manager", "ann")
    page = await signed_in(chromium, url, boss.username)
    await page.goto(f"{url}/settings/users/{ann.id}")
    await page.get_by_label("Only these host groups").check()
    await page.get_by_label("north").check()
    await picture(page, "user-host-groups")
    await page.get_by_role("button", name="Save Hosts").click()
    await expect(page.get_by_text("The hosts of ann are saved.")).to_be_visible()
    await expect(page.get_by_label("north")).to_be_checked()
    await page.goto(f"{url}/settings/roles")
    await picture(page, "roles-hosts")
    await page.get_by_role("link", name="Hosts of Readonly: All").click()
    await page.get_by_label("Only these host groups").check()
    await picture(page, "role-host-groups")
    await page.get_by_role("button", name="Save Hosts").click()
    await expect(page.get_by_role("link", name="Hosts of Readonly: 0 groups")).to_be_visible()
    hers = await signed_in(chromium, url, ann.username)
    await hers.goto(f"{url}/hosts")
    await expect(hers.get_by_role("link", name="inside", exact=True)).to_be_visible()
    await expect(hers.get_by_text("outside")).to_have_count(0)
    await hers.goto(f"{url}/hosts/{there.outside}")
    await expect(hers.get_by_text("Host not found")).to_be_visible()
    assert len(await hosts.list_groups(call)) == 5
