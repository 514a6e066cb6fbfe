"""What people see of how freshly hosts are patched, from the overview to the repair of one host."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, expect

from server.core.call import Call
from server.demo import service as demo
from server.packages import counters
from tests.factories.automation import url_of
from tests.factories.people import PASSWORD, person
from tests.journeys.conftest import picture

pytestmark = pytest.mark.real


@pytest.fixture
async def page(server: TestServer, call: Call, chromium: Browser) -> AsyncIterator[Page]:
    await demo.fill(call, 400, 1, lambda *_: None)
    await counters.refresh(call)
    user = await person(call, "superadmin", "ada")
    context = await chromium.new_context(viewport={"width": 1280, "height": 860}, base_url=url_of(server))
    opened = await context.new_page()
    opened.set_default_timeout(15_000)
    await opened.goto("/login")
    await opened.get_by_label("Username or email").fill(user.username)
    await opened.get_by_label("Password", exact=True).fill(PASSWORD)
    await opened.get_by_role("button", name="Sign in", exact=True).click()
    await expect(opened.get_by_role("heading", level=1)).to_be_visible()
    yield opened
    await context.close()


async def test_from_the_overview_to_the_host_that_needs_it(page: Page, call: Call) -> None:
    await page.goto("/")
    await picture(page, "freshness-overview")
    await page.get_by_role("link", name="Not patched lately").first.click()
    await expect(page.get_by_text("Checking in is not patching")).to_be_visible()
    await expect(page.get_by_role("columnheader", name="Patched")).to_be_visible()
    await picture(page, "freshness-hosts-stale")
    await page.goto("/hosts?filter=patchFailing&sort=patched")
    await page.locator("a.row-link").first.click()
    await expect(page.get_by_text("Patching failed")).to_be_visible()
    await picture(page, "freshness-host-failing")
    host = await call.db.value("select uuid from hosts where unfinished_packages <> '{}' limit 1")
    await page.goto(f"/hosts/{host}")
    await picture(page, "freshness-host-interrupted")
    await page.get_by_role("link", name="Repair").click()
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await picture(page, "freshness-repair")
