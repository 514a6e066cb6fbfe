"""A roll-out over four real agents: a canary, a wave that is stopped because a host refuses, and its end."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.async_api import Browser, Page, expect

from server.core.call import Call
from tests.factories.apt_repository import AptRepository
from tests.factories.house import House, ServerProcess
from tests.journeys.conftest import picture, signed_in

pytestmark = [
    pytest.mark.real,
    pytest.mark.xdist_group("machine"),
    pytest.mark.skipif(os.geteuid() != 0, reason="installing a package on this machine needs root"),
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="this machine has no apt"),
]
REBOOT = Path("/run/reboot-required")
NAMES = ("app-01", "app-02", "app-03", "app-04")
_PATIENCE_MS = 120_000


@pytest.fixture
def as_before() -> Iterator[None]:
    """What says that this machine waits for a restart goes away again, unless it was there."""
    waited = REBOOT.exists()
    yield
    if not waited:
        REBOOT.unlink(missing_ok=True)


async def start(page: Page, package: str) -> None:
    """Roll a package out over everybody: one canary, then the rest."""
    await page.goto("/patching/campaigns")
    await page.get_by_role("link", name="New campaign").click()
    await page.get_by_label("Name", exact=True).fill("Tiny everywhere")
    await page.get_by_label("All hosts").check()
    await page.get_by_label("Updates", exact=True).select_option("packages")
    await page.get_by_label("Packages").fill(package)
    await page.get_by_label("Waves", exact=True).fill("1, rest")
    await page.get_by_label("Soak between waves (minutes)").fill("0")
    await page.get_by_role("button", name="Show the waves").click()
    await expect(page.get_by_text("4 hosts in 2 waves, if it began now")).to_be_visible()
    await picture(page, "campaign-new")
    await page.get_by_role("button", name="Start campaign").click()


@pytest.mark.usefixtures("as_before")
async def test_a_roll_out_stops_at_a_host_that_refuses_and_ends_when_it_no_longer_does(
    house: House, server_process: ServerProcess, call: Call, pyz: Path, tmp_path: Path, chromium: Browser
) -> None:
    with AptRepository(tmp_path) as repo:
        repo.add_version("1.0")
        repo.add_version("2.0", postinst=f"touch {REBOOT}")
        repo.install("1.0")
        agents = []
        for name in NAMES:
            allowed = "off" if name == "app-04" else "builtin"
            agents.append(await house.agent(name, server_process.port, pyz=pyz, automation=allowed))
            await agents[-1].start()
        page, problems = await signed_in(chromium, server_process.url, call)
        await start(page, repo.package)
        await expect(page.get_by_role("heading", name="Tiny everywhere", level=1)).to_be_visible()
        await expect(page.get_by_text("1 of 3 hosts of wave 2 failed, more than 10 %")).to_be_visible(
            timeout=_PATIENCE_MS
        )
        await expect(page.locator(".state", has_text="Stopped").first).to_be_visible()
        await page.locator(".cause-list summary").first.click()
        await picture(page, "campaign-stopped")
        assert repo.installed_version() == "2.0"

        refusing = agents[-1]
        config = refusing.folder / "config.yml"
        config.write_text(yaml.safe_dump({**yaml.safe_load(config.read_text()), "automation": "builtin"}))
        await refusing.stop()
        await refusing.start()
        await page.reload()
        await page.get_by_role("button", name="Relaunch on failed").click()
        await expect(page.get_by_text("100 %")).to_be_visible(timeout=_PATIENCE_MS)
        await expect(page.get_by_text("4 of 4 hosts done")).to_be_visible()
        await picture(page, "campaign-completed")
        rows = await page.locator(".campaign-grid tbody tr").all_inner_texts()
        assert [row.split()[:2] for row in rows] == [[name, "Succeeded"] for name in NAMES]
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name="CSV").click()
        report = Path(await (await downloading.value).path()).read_text()
        assert all(name in report for name in NAMES)
        await page.goto("/hosts?filter=reboot")
        await expect(page.locator("tbody tr", has_text="app-01").get_by_text("reboot")).to_be_visible(timeout=60_000)
        await page.get_by_role("link", name="app-01").first.click()
        await expect(page.locator(".chip", has_text="eboot").first).to_be_visible()
        await page.goto("/patching/calendar")
        await expect(page.get_by_role("link", name="Tiny everywhere").first).to_be_visible()
        await picture(page, "calendar")
        await page.goto("/patching/windows/new")
        await picture(page, "window-new")
        assert problems == []
