"""In the browser: two rules fail, the fix is tried, approved, watched, and the host's history shows both scans."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from server.hosts import service as hosts
from tests.factories.house import House
from tests.factories.openscap import RULE, needs_oscap, scanned
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
        # From now on by itself: on the hosts of a group, and only this rule.
        await hosts.create_group(house.call, "Web servers", "", "#2f9e5b")
        await page.get_by_role("link", name="Automatic").click()
        await expect(page.get_by_text("No policy.")).to_be_visible()
        await picture(page, "policies-empty")
        await page.get_by_role("link", name="New policy").click()
        await page.get_by_label("Name").fill("Files of web servers")
        await page.get_by_label("Rules").fill("no_such_rule")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("No scan has a rule of this name: no_such_rule").first).to_be_visible()
        await picture(page, "policy-refused")
        await page.get_by_label("Rules").fill(f"{RULE}fixable")
        await page.get_by_label("Enabled").check()
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("link", name="Files of web servers")).to_be_visible()
        await picture(page, "policies")
        await page.context.close()
        # The form that was refused on purpose.
        assert [one for one in problems if "400" not in one] == []
