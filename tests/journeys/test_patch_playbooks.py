"""The launch forms that patching, going back and snapshots make of their variables."""

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, expect

from server.core.call import Call
from tests.factories.automation import url_of
from tests.factories.people import person
from tests.factories.scopes import fleet
from tests.journeys.conftest import picture
from tests.journeys.test_host_groups import signed_in


@pytest.mark.real
async def test_every_option_is_a_field_with_its_words(server: TestServer, call: Call, chromium: Browser) -> None:
    url = url_of(server)
    await fleet(call)
    page = await signed_in(chromium, url, (await person(call, "superadmin", "boss")).username)

    await page.goto(f"{url}/playbooks/patch/launch")
    for label in ("Hold patterns", "Allow patterns"):
        await expect(page.get_by_label(label)).to_have_value("")
    await expect(page.get_by_label("Full upgrade")).not_to_be_checked()
    await picture(page, "launch-patch")
    await page.goto(f"{url}/playbooks/rollback/launch")
    await expect(page.get_by_text("look at a dry run first")).to_be_visible()
    await picture(page, "launch-rollback")
    await page.goto(f"{url}/playbooks/snapshot/launch")
    await expect(page.get_by_label("Keep")).to_have_value("3")
    await picture(page, "launch-snapshot")
