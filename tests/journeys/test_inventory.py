"""A day with a fleet: add a host, group, find what is outdated, arrange, switch, delete; by mouse and by keyboard."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, expect

from server.core.call import Call
from server.demo import service as demo
from server.packages import counters
from tests.conftest import Browser as Client
from tests.factories.automation import url_of
from tests.factories.hosts import Agent, full_report, package
from tests.factories.people import PASSWORD, person
from tests.journeys.conftest import picture
from tests.journeys.hands import Hand, Keys, Mouse
from tests.stand_ins.scripted_agent import ScriptedAgent

pytestmark = pytest.mark.real
NEW = "orders-01"
#: A busy machine is no failure.
_PATIENCE_MS = 20_000


@pytest.fixture
async def page(server: TestServer, call: Call, chromium: Browser) -> AsyncIterator[Page]:
    """A signed-in administrator's page over a fleet of a hundred hosts."""
    await demo.fill(call, 100, 1, lambda *_: None)
    await counters.refresh(call)
    user = await person(call, "superadmin")
    context = await chromium.new_context(viewport={"width": 1280, "height": 860}, base_url=url_of(server))
    opened = await context.new_page()
    opened.set_default_timeout(_PATIENCE_MS)
    expect.set_options(timeout=_PATIENCE_MS)
    await opened.goto("/login")
    await opened.get_by_label("Username or email").fill(user.username)
    await opened.get_by_label("Password", exact=True).fill(PASSWORD)
    await opened.get_by_role("button", name="Sign in", exact=True).click()
    await expect(opened.get_by_role("heading", level=1)).to_be_visible()
    yield opened
    expect.set_options(timeout=5_000)
    await context.close()


@pytest.mark.parametrize("means", [Mouse, Keys])
async def test_a_day_with_a_fleet(
    page: Page, server: TestServer, client: Client, call: Call, means: type[Mouse] | type[Keys]
) -> None:
    hand = means(page)
    agent = await wizard(hand, server, client)
    try:
        await group_in_bulk(hand)
        await find_outdated_openssl(hand)
        await arrange_the_overview(hand)
        await switch_and_apply(hand, call)
    finally:
        await agent.close()
    await delete(hand, call)


async def looked_at(hand: Hand, name: str) -> None:
    """Keep the page in all its looks, once."""
    if isinstance(hand, Mouse):
        await picture(hand.page, name)


async def wizard(hand: Hand, server: TestServer, client: Client) -> ScriptedAgent:
    """Add a host; its agent connects and reports while the page is watched."""
    page = hand.page
    await page.goto("/hosts")
    await hand.press(page.get_by_role("link", name="Add host", exact=True))
    await hand.press(page.get_by_role("link", name=re.compile(r"^Linux")))
    await hand.write(page.locator("[name=friendly_name]"), NEW)
    await hand.press(page.get_by_role("button", name="Next"))
    await expect(page.locator("#install-command")).to_contain_text("/api/v1/hosts/install")
    await looked_at(hand, "wizard-command")
    api_id, api_key = [(await page.locator(one).text_content() or "").strip() for one in ("#api-id", "#api-key")]
    agent = await ScriptedAgent(url_of(server), api_id, api_key).connect()
    await expect(page.locator("[aria-current=step]", has_text="Connected")).to_be_visible()
    await Agent(client, api_id, api_key).update(full_report([package("openssl", "3.0.1", "3.0.2")]))
    # Once everything is there, the page goes on to the host by itself.
    await page.wait_for_url(re.compile(r"/hosts/[0-9a-f-]{36}$"))
    await expect(page.get_by_role("heading", name=NEW)).to_be_visible()
    return agent


async def group_in_bulk(hand: Hand) -> None:
    """Put every host whose name matches into one group."""
    page = hand.page
    await page.goto("/hosts")
    await hand.write(page.locator("#hosts-search"), "orders")
    await expect(page).to_have_url(re.compile("search=orders"))
    rows = page.locator("#list-hosts tbody tr")
    await expect(rows).to_have_count(1)
    await hand.tick(rows.first.get_by_role("checkbox"))
    await hand.press(page.get_by_role("button", name="Assign to group", exact=True))
    await hand.tick(page.get_by_role("checkbox", name="Databases"))
    await hand.press(page.get_by_role("button", name="Assign to Groups"))
    await page.wait_for_url(re.compile(r"/hosts\?search=orders"))
    await expect(rows.first).to_contain_text("Databases")


async def find_outdated_openssl(hand: Hand) -> None:
    """Look for a package, see which hosts are behind, and open one."""
    page = hand.page
    await page.goto("/packages")
    await hand.write(page.locator("#packages-search"), "openssl")
    await expect(page).to_have_url(re.compile("search=openssl"))
    await hand.press(page.get_by_role("link", name="openssl", exact=True))
    behind = page.locator("main tbody tr")
    await expect(behind.first).to_be_visible()
    await looked_at(hand, "package-hosts")
    link = behind.first.get_by_role("link").first
    name = (await link.inner_text()).strip()
    await hand.press(link)
    await expect(page.get_by_role("heading", name=name)).to_be_visible()


async def arrange_the_overview(hand: Hand) -> None:
    """Switch one card off and move another one up."""
    page = hand.page
    await page.goto("/")
    await expect(page.get_by_role("heading", name="Recent jobs")).to_be_visible()
    await hand.press(page.get_by_role("link", name="Arrange"))
    await looked_at(hand, "overview-cards")
    await hand.tick(page.locator("input[name=on][value=recentJobs]"))
    await hand.press(page.get_by_role("button", name="Save"))
    await expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
    await expect(page.get_by_role("heading", name="Recent jobs")).to_have_count(0)


async def switch_and_apply(hand: Hand, call: Call) -> None:
    """Change a switch, which waits, and have it applied."""
    page = hand.page
    host = await call.db.value("select uuid::text from hosts where friendly_name = %(name)s", name=NEW)
    await page.goto(f"/hosts/{host}/integrations")
    docker = page.locator("section", has=page.get_by_role("heading", name="Docker"))
    await hand.press(docker.get_by_role("button", name="Enable"))
    await expect(docker.get_by_text("pending")).to_be_visible()
    assert await is_on(call, host) is False
    await hand.press(page.get_by_role("button", name="Apply").last)
    # It waits on until the agent says that it is done; this one only takes orders.
    await expect(page.get_by_role("heading", name=NEW)).to_be_visible()
    asked = "select count(*) from agent_commands where kind = 'apply_config'"
    async with asyncio.timeout(_PATIENCE_MS / 1000):
        while await call.db.value(asked) != 1:
            await asyncio.sleep(0.1)


async def is_on(call: Call, host: str) -> bool:
    """What the agent is told, not what waits to be applied."""
    return bool(await call.db.value("select docker_enabled from hosts where uuid = %(host)s", host=host))


async def delete(hand: Hand, call: Call) -> None:
    """Delete the host; what that means is spelled out first."""
    page = hand.page
    await page.goto("/hosts?search=orders")
    await hand.press(page.get_by_role("button", name=f"Delete {NEW}"))
    await expect(page.get_by_text("This cannot be undone")).to_be_visible()
    await looked_at(hand, "host-delete")
    assert await call.db.value("select count(*) from hosts where friendly_name = %(name)s", name=NEW) == 1
    await hand.press(page.get_by_role("button", name=re.compile("^Delete")).last)
    await expect(page.get_by_role("heading", name="Hosts")).to_be_visible()
    assert await call.db.value("select count(*) from hosts where friendly_name = %(name)s", name=NEW) == 0
