"""The description of the API in a real browser, under the strict policy."""

import pytest
from playwright.async_api import Browser

from server.core.call import Call
from tests.conftest import Browser as Client
from tests.factories.people import PASSWORD, person
from tests.journeys.conftest import PICTURES


@pytest.mark.real
@pytest.mark.proves("OPS-04")
async def test_swagger_ui_works_without_an_inline_script(client: Client, chromium: Browser, call: Call) -> None:
    admin = await person(call, "superadmin")
    page = await chromium.new_page(viewport={"width": 1280, "height": 860})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await page.goto(str(client.make_url("/login?next=/api/v1/api-docs")))
    await page.fill("input[name=username]", admin.username)
    await page.fill("input[name=password]", PASSWORD)
    await page.press("input[name=password]", "Enter")
    await page.wait_for_url("**/api/v1/api-docs/")
    PICTURES.mkdir(parents=True, exist_ok=True)
    await page.locator("#operations-Hosts-get_hosts_options").wait_for()
    for look, scheme, width in (("light", "light", 1280), ("dark", "dark", 1280), ("phone", "light", 390)):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": 860})
        await page.wait_for_timeout(200)
        await page.screenshot(path=PICTURES / f"api-docs-{look}.png")
        overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"scrolls sideways at {width} px"
    await page.set_viewport_size({"width": 1280, "height": 1100})
    await page.emulate_media(color_scheme="dark")
    await page.click("#operations-Hosts-get_hosts_options .opblock-summary-control")
    await page.click("#operations-Hosts-get_hosts_options .try-out__btn")
    await page.click("#operations-Hosts-get_hosts_options .execute")
    status = page.locator("#operations-Hosts-get_hosts_options .live-responses-table .response-col_status").last
    await status.wait_for()
    assert "200" in await status.inner_text()
    await page.screenshot(path=PICTURES / "api-docs-tried-dark.png")
    assert complaints == []
