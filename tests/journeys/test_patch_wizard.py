"""Patching through the wizard: every step as a person sees it, and a real package from its page to its new version."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, expect

from server.core.call import Call
from server.hosts import service as hosts
from tests.conftest import Browser as Client
from tests.factories.apt_repository import AptRepository
from tests.factories.automation import Fleet, url_of
from tests.factories.hosts import enrolled, full_report, package
from tests.factories.house import House, ServerProcess
from tests.factories.patching import Patching, change, finish
from tests.factories.people import bearer
from tests.factories.scopes import group
from tests.journeys.conftest import picture, signed_in

pytestmark = pytest.mark.real


@pytest.fixture
async def fleet(server: TestServer, call: Call) -> AsyncIterator[Fleet]:
    made = Fleet(call, url_of(server))
    yield made
    await made.close()


async def reported_behind(server: TestServer, client: Client, call: Call, fleet: Fleet) -> dict[str, str]:
    """Three hosts whose agents are connected, two of them behind with curl; seven more that never come."""
    for name in ("web-01", "web-02", "db-01"):
        agent = await fleet.online(name)
        old = name != "db-01"
        packages = [package("curl", "7.88.1-10", "7.88.1-12" if old else ""), package("openssl", "3.0.14", "3.0.15")]
        async with ClientSession() as session:
            url = f"{url_of(server)}/api/v1/hosts/update"
            async with session.post(url, json=full_report(packages), headers=agent.headers) as answer:
                assert answer.status == 200, await answer.text()
    for number in range(7):
        await enrolled(call, client, f"edge-{number}")
    return fleet.ids


@pytest.mark.proves("PATCH-40", "PATCH-41", "PATCH-46", "PATCH-47")
async def test_every_step_can_be_read_used_and_goes_on_by_itself(
    server: TestServer, client: Client, call: Call, fleet: Fleet, chromium: Browser
) -> None:
    ids = await reported_behind(server, client, call, fleet)
    web = await group(call, "Web servers")
    for name in ("web-01", "web-02"):
        await hosts.set_groups(call, ids[name], [web])
    page, problems = await signed_in(chromium, url_of(server), call)
    async with ClientSession() as session:
        api = Patching(session, url_of(server), await bearer(call))
        night = await api.policy("Nightly-Window", "fixed_time", fixed_time_utc="03:00", timezone="Europe/London")
        await api.assign(night, "host", ids["web-02"])
        await chosen(page)
        await tried(page, api, fleet)
        await approved(page)
    assert problems == []


async def chosen(page: Page) -> None:
    """Choose hosts and packages."""
    await page.goto("/patching/new")
    await picture(page, "patch-hosts-all")
    await page.get_by_label("Find hosts and groups").fill("edge-3")
    await expect(page.locator("#targets input[name=host]")).to_have_count(1)
    await expect(page.get_by_label("Find hosts and groups")).to_be_focused()
    await page.get_by_text("Chosen packages", exact=True).click()
    await picture(page, "patch-hosts-found")
    await page.goto("/patching/new?type=patch_package&package=curl&package=openssl")
    await picture(page, "patch-hosts")
    await page.get_by_role("checkbox", name=re.compile("Web servers")).check()
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("checkbox", name="openssl")).to_be_checked()
    await picture(page, "patch-packages")
    await page.get_by_role("checkbox", name="openssl").uncheck()
    await page.get_by_role("button", name="Next").click()


async def tried(page: Page, api: Patching, fleet: Fleet) -> None:
    """Try it first: one host says what it would do, the other fails and is asked again."""
    first, second = fleet.agents[:2]
    await page.get_by_text("Options", exact=True).click()
    await picture(page, "patch-validate")
    await page.get_by_role("button", name="Run dry-run").click()
    await expect(page.locator("#sentence")).to_contain_text("0 of 2 hosts tried")
    held = await first.job()
    await first.tell(held, {"event": "live", "stdout": "Reading package lists...\n"}, source="live")
    await first.tell(held, {"event": "live", "stdout": "Inst curl [7.88.1-10] (7.88.1-12)\n"}, source="live")
    await expect(page.locator("#validation")).to_contain_text("Inst curl")
    await picture(page, "patch-validating")
    await finish(api, first, held, change("curl"), change("libcurl4", requested=False))
    error = "dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem."
    await finish(api, second, await second.job(), status="failed", error=error)
    await expect(page.get_by_text("Extra deps")).to_be_visible()
    await expect(page.locator("#validation")).to_contain_text("dpkg was interrupted")
    await page.get_by_text("Packages affected").click()
    await picture(page, "patch-validated")
    await page.get_by_role("button", name="Retry web-02").click()
    await finish(api, second, await second.job(1), change("curl"), change("libcurl4", requested=False))
    await page.get_by_role("link", name="Continue with 2 validated hosts").click()


async def approved(page: Page) -> None:
    """Say when and who approves, and begin."""
    await expect(page.locator(".wizard-groups")).to_contain_text("Runs at 03:00 UTC via Nightly-Window")
    await page.get_by_text("Host by host").click()
    await picture(page, "patch-timing")
    await page.get_by_role("button", name="Next").click()
    await picture(page, "patch-approval")
    await page.get_by_role("button", name="Next").click()
    await picture(page, "patch-submit")
    await page.get_by_role("button", name="Approve & Patch").click()
    await page.wait_for_url(re.compile(r"/patching\?tab=runs&batch="))
    await expect(page.locator("body")).to_contain_text("Approved 2")
    await expect(page.locator("main")).to_contain_text("web-02")


@pytest.mark.skipif(os.geteuid() != 0, reason="installing a package on this machine needs root")
@pytest.mark.skipif(shutil.which("apt-get") is None, reason="this machine has no apt")
@pytest.mark.proves("PATCH-36", "PATCH-42", "PATCH-46", "PATCH-47")
async def test_from_the_packages_page_to_its_new_version(
    house: House, server_process: ServerProcess, call: Call, pyz: Path, tmp_path: Path, chromium: Browser
) -> None:
    with AptRepository(tmp_path) as repo:
        repo.add_version("1.0")
        repo.add_version("2.0", postinst="echo configuring version two; sleep 2; echo configured version two")
        repo.install("1.0")
        agent = await house.agent("this-machine", server_process.port, pyz=pyz, automation="builtin")
        await agent.start()
        key = await behind(call, repo.package)
        page, problems = await signed_in(chromium, server_process.url, call)
        await page.goto(f"/packages/{key}")
        await picture(page, "package-patch")
        await page.get_by_role("link", name=f"Patch {repo.package} on this-machine").click()
        await expect(page.locator("#sentence")).to_contain_text("changes nothing")
        await page.get_by_role("button", name="Run dry-run").click()
        await expect(page.locator("#validation")).to_contain_text("Validated", timeout=120_000)
        await expect(page.locator(".tried")).to_contain_text(repo.package)
        assert repo.installed_version() == "1.0"
        await picture(page, "patch-real-validated")
        await page.get_by_role("link", name="Continue with 1 validated host").click()
        await page.get_by_role("button", name="Next").click()
        await page.get_by_role("button", name="Next").click()
        await page.get_by_role("button", name="Approve & Patch").click()
        await page.wait_for_url(re.compile(r"/patching/runs/[0-9a-f-]{36}$"))
        await expect(page.locator("main .state").first).to_have_text("Completed", timeout=120_000)
        assert repo.installed_version() == "2.0"
        assert problems == []


async def behind(call: Call, name: str, seconds: float = 60) -> int:
    """Wait until the report says that this package has an update; return the number of its page."""
    async with asyncio.timeout(seconds):
        while True:
            found = await call.db.value(
                "select p.id from packages p join host_packages i on i.package_id = p.id"
                " where p.name = %(name)s and i.needs_update",
                name=name,
            )
            if found is not None:
                return int(found)
            await asyncio.sleep(0.3)
