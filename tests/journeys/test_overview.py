"""The overview and the search in a browser: cards dragged and moved by keyboard, and what the palette finds."""

import re
from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, expect

from server.core.call import Call
from server.dashboard import board
from server.demo import service as fleet
from tests.factories.people import PASSWORD, person
from tests.journeys.conftest import picture, tab_stops

pytestmark = pytest.mark.real


@pytest.fixture
async def page(server: TestServer, call: Call, chromium: Browser) -> AsyncIterator[Page]:
    await fleet.fill(call, 60, 1, lambda *_: None)
    await board.sample(call)
    known = await person(call, "superadmin")
    context = await chromium.new_context(
        base_url=str(server.make_url("/")), viewport={"width": 1280, "height": 860}, reduced_motion="reduce"
    )
    opened = await context.new_page()
    opened.set_default_timeout(30_000)
    await opened.goto("/login")
    await opened.fill("[name=username]", known.username)
    await opened.fill("[name=password]", PASSWORD)
    await opened.locator("form:has([name=password]) button[type=submit]").first.click()
    await opened.wait_for_url(re.compile(r"/$"))
    yield opened
    await context.close()


async def test_cards_are_dragged_where_they_shall_stand(page: Page) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    await picture(page, "overview")
    heads = page.locator(".overview-panel h2")
    await expect(heads.first).to_have_text("Update status")
    await page.get_by_role("link", name="Arrange").click()
    await picture(page, "overview-cards")
    grip = page.locator("#card-recentJobs [data-drag-grip]")
    await grip.drag_to(page.locator("#card-updateStatus"), target_position={"x": 20, "y": 4})
    await page.locator("#card-osDistribution").get_by_label("Width").select_option("2")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(heads.nth(0)).to_have_text("Recent jobs")
    await expect(heads.nth(1)).to_have_text("Update status")
    await expect(page.locator(".overview-panel.span-2 h2")).to_have_text(["Packages over time", "Operating systems"])
    assert problems == []


async def test_cards_are_moved_by_keyboard_alone(page: Page) -> None:
    await page.goto("/overview/cards")
    await page.get_by_role("button", name="Move Need updates up").focus()
    await page.keyboard.press("Enter")
    # It is the first now: the focus is on what still leads somewhere.
    await expect(page.get_by_role("button", name="Move Need updates down")).to_be_focused()
    stops = await tab_stops(page, 8)
    assert not [stop for stop in stops if stop.startswith("UNSEEN")], stops
    await page.get_by_role("button", name="Save", exact=True).press("Enter")
    await expect(page.locator(".tile-label").first).to_have_text("Need updates")
    await page.get_by_text("Show the numbers").first.press("Enter")
    await expect(page.get_by_role("region", name=re.compile("Hosts by what they wait for"))).to_be_visible()


async def test_the_palette_finds_a_host_and_enter_opens_it(page: Page, call: Call) -> None:
    name = await call.db.value("select friendly_name from hosts order by id limit 1")
    await page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Command palette")
    await page.keyboard.type(name)
    await expect(palette.get_by_role("option", name=name).first).to_be_visible()
    await expect(palette.get_by_role("option", selected=True)).to_contain_text(name)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=name)).to_be_visible()
    await page.goto("/search?q=openssl")
    await picture(page, "search")
