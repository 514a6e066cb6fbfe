"""In the browser: two rules fail, the fix is tried, approved, watched, and the host's history shows both scans."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.factories.house import House
from tests.factories.openscap import needs_oscap, scanned
from tests.journeys.conftest import picture, signed_in

pytestmark = [pytest.mark.real, needs_oscap, pytest.mark.timeout(280)]
_PATIENCE_MS = 90_000


async def test_from_a_failing_rule_to_a_host_that_stands_as_required(
    house: House, unused_tcp_port_factory: Callable[[], int], tmp_path: Path, chromium: Browser
) -> None:
    async with scanned(house, unused_tcp_port_factory(), tmp_path) as box:
        page, problems = await signed_in(chromium, box.url, house.call)
        await page.goto("/compliance/remedies")
        await expect(page.get_by_text("No remediation yet")).to_be_visible()
        await page.goto(f"/compliance/hosts/{box.host}?status=fail")
        await page.get_by_label("Select all on this page").check()
        await page.get_by_role("button", name="Remediate…").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Remediation of box")
        await expect(page.get_by_text("Nothing was run yet")).to_be_visible()
        await expect(page.get_by_text("The guide has no Ansible fix for it")).to_be_visible()
        await picture(page, "remedy-draft")
        await page.get_by_role("button", name="Try it").click()
        await expect(page.get_by_text("Would change")).to_be_visible(timeout=_PATIENCE_MS)
        await picture(page, "remedy-checked")
        await page.get_by_role("button", name="Approve and apply").first.click()
        await page.get_by_role("dialog").get_by_role("button", name="Approve and apply").click()
        await expect(page.get_by_text("Every rule stands as required now")).to_be_visible(timeout=_PATIENCE_MS)
        assert (box.watched / "missing").is_file()
        await picture(page, "remedy-applied")
        await page.get_by_role("link", name="What Ansible said").click()
        await expect(page.get_by_text("fixable: Put the missing file there").first).to_be_visible()
        await box.api.scanned(2)
        await page.goto(f"/compliance/history?host={box.host}")
        await expect(page.locator("tbody tr")).to_have_count(2)
        await page.goto("/compliance/remedies")
        await expect(page.get_by_role("link", name="box")).to_be_visible()
        await picture(page, "remedies")
        await page.context.close()
        assert problems == []
