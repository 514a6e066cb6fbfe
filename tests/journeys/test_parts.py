"""The parts of pages in a real browser: lists by keyboard and without scripts, the palette, the styleguide's looks."""

import re
from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, Request, Route, expect

from server.core.call import Call
from tests.factories.people import PASSWORD, person
from tests.journeys.conftest import PICTURES, barriers, picture, tab_stops

pytestmark = pytest.mark.real
ROWS = "#list-sample tbody tr"


@pytest.fixture
async def page(server: TestServer, call: Call, chromium: Browser) -> AsyncIterator[Page]:
    opened = await signed_in(server, call, chromium)
    yield opened
    await opened.context.close()


async def signed_in(server: TestServer, call: Call, chromium: Browser, *, scripts: bool = True) -> Page:
    known = await person(call, "superadmin")
    context = await chromium.new_context(
        base_url=str(server.make_url("/")),
        viewport={"width": 1280, "height": 860},
        java_script_enabled=scripts,
        reduced_motion="reduce",
    )
    page = await context.new_page()
    page.set_default_timeout(30_000)
    await page.goto("/login")
    await page.fill("[name=username]", known.username)
    await page.fill("[name=password]", PASSWORD)
    await page.locator("form:has([name=password]) button[type=submit]").first.click()
    await page.wait_for_url(re.compile(r"/$"))
    return page


async def glimpse(page: Page, name: str) -> None:
    """Keep what is on the screen now, in both themes; the looks of every part are judged as a whole elsewhere."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for look, scheme in (("light", "light"), ("dark", "dark")):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.screenshot(path=PICTURES / f"{name}-{look}.png")
    await page.emulate_media(color_scheme="light")


async def test_every_part_looks_right_and_shuts_nobody_out(page: Page) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    await page.goto("/styleguide")
    await picture(page, "parts")
    await page.get_by_text("Show the numbers").first.click()
    assert await barriers(page) == []
    assert problems == []


async def test_a_list_follows_its_address_and_the_address_the_list(page: Page) -> None:
    await page.goto("/styleguide?size=25")
    search = page.get_by_label("Search the samples")
    await search.press_sequentially("web-fra-00", delay=20)
    await expect(page.locator(ROWS)).to_have_count(9)
    await expect(page).to_have_url(re.compile(r"/styleguide\?search=web-fra-00&size=25$"))
    await expect(search).to_be_focused()
    await page.get_by_role("button", name="Filter").first.click()
    await page.locator("#sample-filters").get_by_label("System").select_option("debian")
    await expect(page.locator(ROWS)).to_have_count(3)
    await page.get_by_role("link", name="Updates", exact=True).click()
    await expect(page.locator("#list-sample th[aria-sort=descending]")).to_have_text("Updates")
    await page.get_by_role("link", name="Remove filter: Search: web-fra-00").click()
    await expect(search).to_have_value("")
    await expect(page).to_have_url(re.compile(r"\?os=debian&sort=updates&direction=desc&size=25$"))
    await page.go_back()
    await expect(page.get_by_label("Search the samples")).to_have_value("web-fra-00")
    await expect(page.locator(ROWS)).to_have_count(3)


async def test_columns_are_chosen_and_ordered(page: Page) -> None:
    await page.goto("/styleguide")
    heads = page.locator("#list-sample thead th:not(.tick)")
    await page.locator("summary", has_text="Columns").first.click()
    sheet = page.locator("form.is-form").first
    await sheet.get_by_role("checkbox", name="Address").check()
    await expect(heads).to_have_text(["Name", "State", "System", "Updates", "30 days", "Last report", "Address"])
    await sheet.get_by_role("checkbox", name="30 days").uncheck()
    await expect(heads).to_have_count(6)
    await sheet.get_by_role("button", name="Move System up").click()
    await expect(heads).to_have_text(["Name", "System", "State", "Updates", "Last report", "Address"])
    await glimpse(page, "list-columns")
    await page.reload()
    await expect(heads).to_have_text(["Name", "System", "State", "Updates", "Last report", "Address"])


async def test_chosen_rows_and_everything_that_matches(page: Page) -> None:
    await page.goto("/styleguide")
    bar = page.locator("#list-sample [data-bulk-bar]")
    await expect(bar).to_be_hidden()
    await page.get_by_label("Select web-fra-001").check()
    await page.get_by_label("Select web-fra-004").click(modifiers=["Shift"])
    await expect(bar).to_contain_text("4 hosts selected")
    await bar.get_by_label("All 23 hosts").check()
    await expect(bar).to_contain_text("selected, on all pages")
    await glimpse(page, "list-chosen")
    await bar.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Delete: 23 hosts")
    await glimpse(page, "list-ask")
    posted: list[Request] = []

    async def keep(route: Route) -> None:
        posted.append(route.request)
        await route.fulfill(status=204)

    await page.route("**/none", keep)
    await dialog.get_by_role("button", name="Delete").click()
    await page.wait_for_timeout(300)
    assert "all=1" in (posted[0].post_data or "")
    assert "csrf=" in (posted[0].post_data or "")


async def test_a_list_that_cannot_be_fetched_says_so_and_tries_again(page: Page) -> None:
    await page.goto("/styleguide")
    await page.route("**/styleguide?*", lambda route: route.abort())
    await page.locator("#sample-page-after").click()
    notice = page.locator("#list-sample [data-list-trouble]")
    await expect(notice).to_be_visible()
    await expect(page.locator(ROWS)).to_have_count(5)
    await glimpse(page, "list-trouble")
    await page.unroute("**/styleguide?*")
    await notice.get_by_role("button", name="Try again").click()
    await expect(page.locator("#list-sample")).to_contain_text("web-fra-006")
    await expect(notice).to_be_hidden()


async def test_the_palette_leads_everywhere_by_keyboard(page: Page) -> None:
    await page.goto("/hosts")
    await page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Command palette")
    await expect(palette.get_by_role("combobox")).to_be_focused()
    await picture(page, "palette")
    await page.keyboard.type("audit lo")
    await expect(palette.get_by_role("option", selected=True)).to_contain_text("Audit log")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/audit")
    await page.keyboard.press("Control+k")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(palette.get_by_role("option", selected=True)).to_have_count(1)
    await page.keyboard.type("no such thing")
    await expect(palette.locator("[data-palette-none]")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(palette).to_be_hidden()


async def test_density_and_theme_are_kept(page: Page) -> None:
    await page.goto("/styleguide")
    await page.locator("summary[aria-label='Theme and density']").click()
    await page.get_by_role("button", name="Compact").click()
    await expect(page.locator("html")).to_have_attribute("data-density", "compact")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-density", "compact")
    await glimpse(page, "list-compact")


async def test_lists_work_by_keyboard(page: Page) -> None:
    await page.goto("/styleguide")
    await page.focus("#sample-search")
    stops = await tab_stops(page, 14)
    assert not [stop for stop in stops if stop.startswith("UNSEEN")], stops
    assert "Select web-fra-001" in stops
    await page.locator("#sample-sort-os").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#list-sample th[aria-sort=ascending]")).to_have_text("System")
    await expect(page.locator("#sample-sort-os")).to_be_focused()


async def test_lists_work_without_scripts(server: TestServer, call: Call, chromium: Browser) -> None:
    page = await signed_in(server, call, chromium, scripts=False)
    await page.goto("/styleguide?state=good&sort=updates&direction=desc")
    await page.fill("#sample-search", "fra-00")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/styleguide?*search=fra-00*")
    await expect(page.locator("#list-sample [aria-label='Filters in use'] li")).to_have_count(3)
    bar = page.locator("#sample-filters")
    await expect(bar).to_be_visible()
    await bar.get_by_label("System").select_option("debian")
    await bar.get_by_role("button", name="Filter").click()
    await page.wait_for_url("**/styleguide?search=fra-00&os=debian&state=good&sort=updates&direction=desc")
    await page.locator("summary", has_text="Columns").first.click()
    sheet = page.locator("form.is-form").first
    await sheet.get_by_role("checkbox", name="Address").check()
    await sheet.get_by_role("button", name="Show").click()
    await expect(page.locator("#list-sample thead")).to_contain_text("Address")
    assert re.search(r"columns=name(,|%2C)state", page.url)
    await page.context.close()
