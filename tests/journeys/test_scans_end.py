"""A scan that people watch ends, and the page says so; and they look after guides of their own."""

from pathlib import Path

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, expect

from server.automation import rules, service
from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.compliance.test_guides import datastream, tailoring
from tests.factories.automation import url_of
from tests.factories.compliance import confirm, connect, decided, hand_in, scan
from tests.factories.people import PASSWORD, person
from tests.journeys.conftest import picture
from tests.stand_ins.existing_agent import ExistingAgent

pytestmark = pytest.mark.real


@pytest.mark.proves("COMP-68")
async def test_the_page_says_when_a_scan_ends_and_takes_guides(
    server: TestServer, call: Call, chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "HELLO_SECONDS", 0.1)
    await service.publish_builtin(call)
    user = await person(call, "superadmin", "ada")
    context = await chromium.new_context(viewport={"width": 1280, "height": 860}, base_url=url_of(server))
    page = await context.new_page()
    page.set_default_timeout(15_000)
    await page.goto("/login")
    await page.get_by_label("Username or email").fill(user.username)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    made = await hosts.create(call, NewHost("web-01"))
    await call.db.execute(
        """
        update hosts set compliance_mode = 'on-demand', status = 'active', os_type = 'Debian', os_version = '12'
        """
    )
    async with ClientSession() as session:
        agent = ExistingAgent(session, url_of(server), made.api_id, made.api_key.reveal())
        await page.goto(f"/compliance/hosts/{made.uuid}")
        await expect(page.get_by_role("button", name="Run Scan")).to_be_disabled()
        await connect(agent, call, made.uuid)
        # The open page follows the host: the button opens by itself once it is there.
        await expect(page.get_by_role("button", name="Run Scan").first).to_be_enabled()
        await page.get_by_role("button", name="Run Scan").first.click()
        await page.locator("dialog, [popover]").get_by_role("button", name="Run Scan").click()
        await agent.until(lambda body: body["type"] == "compliance_scan")
        await page.goto("/compliance")
        await expect(page.locator(".scan-pill")).to_contain_text("web-01")
        await confirm(agent)
        await hand_in(agent, scan(*decided(7, 3)))
        await expect(page.locator("#toasts")).to_contain_text("Scan completed for web-01", timeout=40_000)
        await expect(page.locator("#compliance-board")).to_contain_text("Rules that fail most")
        await agent.drop()

    await page.goto("/compliance/benchmarks")
    await expect(page.get_by_text("Nothing was uploaded.")).to_be_visible()
    for name, content, said in (
        ("ours.xml", datastream(), "The datastream Our own guide was uploaded"),
        ("large.xml", datastream(version="2") + b" " * 6_000_000, "Version 2,"),
        ("tailoring.xml", tailoring(), "The tailoring file What we hold to was uploaded"),
        ("page.xml", b"<html/>", "neither a datastream nor a tailoring file"),
    ):
        (tmp_path / name).write_bytes(content)
        await page.get_by_label("File", exact=True).set_input_files(tmp_path / name)
        await page.get_by_role("button", name="Upload", exact=True).click()
        await expect(page.get_by_text(said)).to_be_visible()
    await expect(page.get_by_text("Replaced by a newer one")).to_be_visible()
    await page.get_by_text("2 profiles").first.click()
    await picture(page, "compliance-benchmarks")
    await page.goto(f"/compliance/hosts/{made.uuid}")
    await picture(page, "compliance-default-profile")
    await context.close()
