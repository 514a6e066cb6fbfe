"""What is alive about hosts: two people's browsers, a copied command, and a host's pages in a hand."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, BrowserContext, Page, expect

from server.core.call import Call
from tests.conftest import Browser as Client
from tests.factories.automation import url_of
from tests.factories.hosts import Agent, added, full_report, package
from tests.factories.people import PASSWORD, person
from tests.journeys.conftest import barriers, picture

pytestmark = pytest.mark.real
_PATIENCE_MS = 20_000


async def signed_in(chromium: Browser, server: TestServer, call: Call, role: str) -> tuple[BrowserContext, Page]:
    user = await person(call, role)
    context = await chromium.new_context(viewport={"width": 1280, "height": 860}, base_url=url_of(server))
    page = await context.new_page()
    page.set_default_timeout(_PATIENCE_MS)
    await page.goto("/login")
    await page.get_by_label("Username or email").fill(user.username)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    return context, page


@pytest.fixture
async def page(server: TestServer, call: Call, chromium: Browser) -> AsyncIterator[Page]:
    expect.set_options(timeout=_PATIENCE_MS)
    context, opened = await signed_in(chromium, server, call, "superadmin")
    yield opened
    expect.set_options(timeout=5_000)
    await context.close()


@pytest.mark.proves("INV-21")
async def test_two_people_see_a_link_come_and_go(
    page: Page, server: TestServer, client: Client, call: Call, chromium: Browser
) -> None:
    made = await added(call, "web-01")
    agent = Agent(client, made.api_id, made.api_key.reveal())
    await agent.update(full_report([package("a")]))
    other_context, other = await signed_in(chromium, server, call, "readonly")
    pages = (page, other)
    for one in pages:
        await one.goto("/hosts")
        await one.evaluate("window.notReloaded = true")
        await expect(one.get_by_role("row", name="web-01")).to_contain_text("Offline")
    async with ClientSession() as session:
        url = f"{url_of(server)}/api/v1/agents/ws"
        async with session.ws_connect(url, headers=agent.headers):
            for one in pages:
                await expect(one.get_by_role("row", name="web-01")).not_to_contain_text("Offline")
                await expect(one.get_by_role("row", name="web-01")).to_contain_text("WS")
    for one in pages:
        await expect(one.get_by_role("row", name="web-01")).to_contain_text("Offline", timeout=5_000)
        await expect(one.get_by_role("row", name="web-01")).to_contain_text("Active")
        assert await one.evaluate("window.notReloaded")
    await other_context.close()


@pytest.mark.proves("INV-37", "INV-41")
async def test_copying_the_command_goes_on_and_a_closed_clipboard_shows_it(page: Page) -> None:
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto("/hosts/new?os=linux")
    await page.get_by_label("Friendly name").fill("web-01")
    await page.get_by_role("button", name="Next").click()
    block = page.get_by_label("Install command")
    command = (await block.text_content() or "").strip()
    await page.get_by_role("button", name="Copy command").click()
    await expect(block).to_be_hidden()
    assert (await page.evaluate("navigator.clipboard.readText()")).strip() == command
    await expect(page.locator(".step-list [aria-current=step]")).to_contain_text("Connection")
    await page.get_by_role("button", name="View command again").click()
    await expect(block).to_be_visible()
    # Where pages may not write to the clipboard, a prompt holds the text.
    await page.evaluate(
        "navigator.clipboard.writeText = () => Promise.reject(); document.execCommand = () => false; undefined"
    )
    asked = []

    async def answer(dialog: object) -> None:
        asked.append((dialog.type, dialog.default_value.strip()))  # type: ignore[attr-defined]
        await dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", answer)
    await page.get_by_role("button", name="Copy command").click()
    await expect(block).to_be_hidden()
    assert asked == [("prompt", command)]


@pytest.mark.proves("INV-67")
async def test_a_host_in_a_hand(page: Page, client: Client, call: Call) -> None:
    made = await added(call, "web-01")
    agent = Agent(client, made.api_id, made.api_key.reveal())
    await agent.update(full_report([package("openssl", "1", "2", isSecurityUpdate=True), package("vim")]))
    await page.set_viewport_size({"width": 390, "height": 844})
    home = f"/hosts/{made.uuid}"
    await page.goto(home)
    for words in ("Host information", "What happened"):
        await expect(page.get_by_role("heading", name=words)).to_be_visible()
    # The same tabs jump from one part to the next; the integrations are one tap away from the summary too.
    names = await page.get_by_role("navigation", name="About web-01").get_by_role("link").all_text_contents()
    assert {"System", "Network", "Package reports", "Agent queue", "Notes", "Integrations"} <= {
        name.strip() for name in names
    }
    await page.get_by_role("link", name="Manage in Integrations tab").click()
    await expect(page).to_have_url(f"{page.url.partition('/hosts/')[0]}{home}/integrations")
    for tab in ("", "/packages", "/repositories", "/system", "/network", "/reports", "/queue", "/notes"):
        await page.goto(home + tab)
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, tab
        rows = await page.evaluate(
            "[...document.querySelectorAll('table.is-cards tbody tr')].map(row => getComputedStyle(row).display)"
        )
        assert "table-row" not in rows, tab
        assert await barriers(page) == [], tab
    await picture(page, "host-in-a-hand")
