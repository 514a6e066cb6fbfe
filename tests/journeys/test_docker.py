"""Docker in a real browser: nothing, one container and a whole fleet, each page for everybody; cards that stay true."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, expect

from server.core.call import Call
from server.demo import service as demo
from tests.docker.fleets import container, reported, snapshot, tell
from tests.docker.test_pages import two_hosts
from tests.factories.hosts import Browser as Client
from tests.journeys.conftest import picture
from tests.journeys.test_parts import signed_in

pytestmark = pytest.mark.real


@pytest.fixture
async def page(server: TestServer, call: Call, chromium: Browser) -> AsyncIterator[Page]:
    opened = await signed_in(server, call, chromium)
    yield opened
    await opened.context.close()


async def seen(page: Page, path: str, name: str) -> None:
    answer = await page.goto(path)
    assert answer is not None
    assert answer.status == 200, path
    await picture(page, name)


async def test_nothing_one_and_everything_looks_right(page: Page, client: Client, call: Call) -> None:
    await seen(page, "/docker/containers", "docker-none-containers")
    await two_hosts(call, client)
    for tab in ("stacks", "containers", "images", "hosts"):
        await seen(page, f"/docker/{tab}", f"docker-{tab}")
    for kind in ("containers", "images", "networks"):
        order = "desc" if kind == "networks" else "asc"
        sql = f"select uuid from docker_{kind} order by id {order} limit 1"
        await seen(page, f"/docker/{kind}/{await call.db.value(sql)}", f"docker-one-{kind}")
    host = await call.db.value("select uuid from hosts where friendly_name = 'web-01'")
    await seen(page, f"/hosts/{host}/docker", "docker-host-tab")


async def test_a_whole_fleet_looks_right(page: Page, call: Call) -> None:
    await demo.fill(call, 60, 1, lambda *_: None)
    await seen(page, "/docker/containers", "docker-many-containers")
    uuid = await call.db.value("select uuid from docker_images where repository = 'nginx'")
    await seen(page, f"/docker/images/{uuid}", "docker-many-image")


@pytest.mark.proves("DOCKER-52", "DOCKER-55", "DOCKER-56", "DOCKER-80")
async def test_cards_lead_to_lists_and_a_deletion_asks_first(page: Page, client: Client, call: Call) -> None:
    agent = await reported(call, client, "web-01", snapshot([container(1, "web")]))
    await page.goto("/docker")
    await expect(page).to_have_url("/docker/stacks")
    await page.get_by_role("link", name="Updates available").first.click()
    await expect(page).to_have_url("/docker/images?updates=1")
    await page.get_by_role("link", name="Refresh").click()
    await expect(page).to_have_url("/docker/images")
    await page.locator("#docker-images-search").fill("nothing like it")
    await page.locator("#docker-images-search").press("Enter")
    await expect(page.get_by_text("No image matches.")).to_be_visible()
    await page.locator("#tab-containers").click()
    await expect(page.locator("#docker-containers-search")).to_have_value("")
    await expect(page.locator("#docker-cards")).to_contain_text("1 / 1")
    await tell(agent, snapshot([container(1, "web"), container(2, "db", status="exited", state="exited")]))
    # What happens every half minute, now.
    await page.evaluate("htmx.ajax('GET', '/docker/cards', {target: '#docker-cards', swap: 'outerHTML'})")
    await expect(page.locator("#docker-cards")).to_contain_text("1 / 2")
    await page.get_by_role("button", name="Delete web on web-01").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Delete the container web?")
    await expect(dialog).to_contain_text("web-01")
    await dialog.get_by_role("button", name="Delete", exact=True).click()
    await expect(page.get_by_text("cannot delete")).to_be_visible()
