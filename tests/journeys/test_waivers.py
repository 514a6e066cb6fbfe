"""A person waives a failing rule from a host's page, and sees both scores wherever the host stands."""

from datetime import timedelta

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, expect

from server.automation import service
from server.compliance import waivers
from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.factories.automation import url_of
from tests.factories.compliance import decided, hand_in, scan
from tests.journeys.conftest import picture, signed_in
from tests.stand_ins.existing_agent import ExistingAgent

pytestmark = pytest.mark.real


async def test_a_person_waives_a_rule_on_a_host(server: TestServer, call: Call, chromium: Browser) -> None:
    await service.publish_builtin(call)
    async with ClientSession() as session:
        made = await hosts.create(call, NewHost("web-01"))
        await call.db.execute("update hosts set compliance_mode = 'on-demand', status = 'active'")
        agent = ExistingAgent(session, url_of(server), made.api_id, made.api_key.reveal())
        await hand_in(agent, scan(*decided(7, 3)))
    page, _ = await signed_in(chromium, url_of(server), call)
    await page.goto(f"{url_of(server)}/compliance/hosts/{made.uuid}?status=fail")
    await page.get_by_text("Why, and what to do").first.click()
    await page.get_by_role("link", name="Waive Rule bad_0000 on this host").click()
    await expect(page.get_by_label("Where", exact=True)).to_contain_text("Host web-01")
    await page.get_by_label("Reason").fill("The vendor's kiosk image ships with this; ticket SEC-812 replaces it")
    await page.get_by_label("Owner").fill("Ada Obi")
    await page.get_by_label("Last day").fill((waivers.today(call) + timedelta(days=20)).isoformat())
    await picture(page, "compliance-waiver-new")
    await page.get_by_role("button", name="Waive", exact=True).click()
    # Back where the person came from: it still fails, visibly waived, and both scores are there.
    await expect(page.get_by_text("Waived until").first).to_be_visible()
    await expect(page.locator(".compliance-cards")).to_contain_text("77.8 %")
    await expect(page.locator(".compliance-cards")).to_contain_text("70 %")
    await picture(page, "compliance-waived-host")
    await page.get_by_role("link", name="Rule bad_0000").click()
    await expect(page.get_by_text("Expires soon")).to_be_visible()
    await picture(page, "compliance-waived-rule")
    await page.goto(f"{url_of(server)}/compliance/hosts")
    await picture(page, "compliance-waived-hosts")
    await page.goto(f"{url_of(server)}/compliance")
    await picture(page, "compliance-waived-overview")
    await page.get_by_role("link", name="Waivers in force", exact=True).click()
    await expect(page.get_by_text("Ada Obi")).to_be_visible()
    await picture(page, "compliance-waivers")
    await page.get_by_role("link", name="Rule bad_0000").click()
    await picture(page, "compliance-waiver")
    await page.get_by_label("Why it is revoked").fill("The image was replaced")
    await page.get_by_role("button", name="Revoke", exact=True).click()
    await expect(page.get_by_text("Revoked: the rule counts again.")).to_be_visible()
