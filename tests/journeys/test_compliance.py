"""What people see of compliance: the fleet, its rules, one host, before and after the first scan."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, expect

from server.core.call import Call
from server.demo import service as demo
from tests.factories.automation import url_of
from tests.factories.people import PASSWORD, person
from tests.journeys.conftest import picture

pytestmark = pytest.mark.real


@pytest.fixture
async def page(server: TestServer, call: Call, chromium: Browser) -> AsyncIterator[Page]:
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


@pytest.mark.proves("COMP-120", "COMP-121", "COMP-122", "COMP-123", "COMP-124")
async def test_the_fleet(page: Page, call: Call) -> None:
    await page.goto("/compliance")
    await expect(page.get_by_text("No scan was handed in yet.")).to_be_visible()
    await filled(call)
    await call.db.execute(
        """
        insert into compliance_scans (host_id, kind, status, origin, profile_id, profile_name, created_at, started_at)
        select id, 'openscap', 'running', 'manual', 'level1_server', 'level1_server', now(),
               now() - case when row_number() over (order by id) = 1 then interval '4 hours'
                        else interval '9 minutes' end
          from hosts order by id limit 3
        """
    )
    await page.goto("/compliance")
    for title in ("Failures by Severity", "Rule Results", "Compliance Profiles", "Last Scan Age", "Compliance Trend",
                  "Host Compliance Status", "Scans in Progress"):  # fmt: skip
        await expect(page.get_by_text(title, exact=True).first).to_be_visible()
    await picture(page, "compliance-overview")
    await page.get_by_role("button", name="Report").click()
    await expect(page.get_by_label("About")).to_be_visible()
    await picture(page, "compliance-report-dialog")
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    for word, panel in (("OpenSCAP", "Failures by Severity"), ("Docker Bench", "Warnings by Section")):
        await page.get_by_role("group", name="Profile type").get_by_role("link", name=word).click()
        for title in (f"{word} Analysis", "Rule Results", "Score Distribution", "Scan Freshness", panel):
            await expect(page.get_by_text(title, exact=True).first).to_be_visible()
    await page.get_by_role("link", name="Never scanned").first.click()
    await expect(page.get_by_text("Status: Never scanned")).to_be_visible()
    await page.goto("/compliance/hosts?size=25")
    await picture(page, "compliance-hosts")


@pytest.mark.proves("COMP-126")
async def test_from_a_rule_to_a_host(page: Page, call: Call) -> None:
    await filled(call)
    host = await call.db.value(
        "select h.uuid from hosts h join compliance_latest l on l.host_id = h.id where l.failed > 20 limit 1"
    )
    await page.goto("/compliance/rules?severity=critical")
    await page.locator("a.row-link").first.click()
    for title in ("Affected Hosts", "Why this failed (Rationale)", "What the fix does:", "Remediation"):
        await expect(page.get_by_text(title, exact=True).first).to_be_visible()
    await picture(page, "compliance-rule")
    await page.goto("/compliance/settings")
    await expect(page.get_by_label("Default Compliance Mode")).to_be_visible()
    await expect(page.get_by_label("Scan Interval")).to_be_visible()
    await picture(page, "compliance-settings")
    await page.goto("/compliance/history")
    await expect(page.get_by_role("link", name="History")).to_be_visible()
    await picture(page, "compliance-history")
    await page.goto("/compliance/hosts?size=25")
    for box in (await page.get_by_role("checkbox", name="Select ").all())[1:4]:
        await box.check()
    await page.get_by_role("button", name="Scan…").click()
    await expect(page.get_by_role("heading", name="Scan hosts")).to_be_visible()
    await picture(page, "compliance-bulk")
    await page.goto(f"/hosts/{host}/compliance?status=fail&size=25")
    await page.get_by_text("Why, and what to do").first.click()
    await expect(page.get_by_text("Why (this host):").first).to_be_visible()
    await picture(page, "compliance-host")
    await page.get_by_role("link", name="Compare the scan of").first.click()
    await expect(page.get_by_role("heading", name="Compare scans")).to_be_visible()
    await picture(page, "compliance-compare")
    await page.goto(f"/hosts/{host}/compliance")
    await page.get_by_role("button", name="Make this scan the baseline").click()
    await expect(page.get_by_text("This scan is the host's baseline")).to_be_visible()
    await picture(page, "compliance-baseline")
    await page.get_by_role("button", name="Compare", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Beside a group")
    await picture(page, "compliance-beside")


async def filled(call: Call) -> None:
    """Fill the database with a fleet that was scanned."""
    await demo.fill(call, 40, 1, lambda *_: None)
