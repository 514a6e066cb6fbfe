"""The first hour of a person: set up, sign in, add a host, dry-run a patch and watch it; light, dark and small."""

import asyncio
from pathlib import Path

import pytest
import yaml
from playwright.async_api import Browser, Page, expect

from tests.factories.house import House, Program, ServerProcess, private
from tests.journeys.conftest import picture, setup_link

pytestmark = pytest.mark.real
PASSWORD = "Correct-Horse-7"


@pytest.mark.proves("OPS-46")
async def test_from_the_set_up_link_to_the_result_of_a_dry_run(
    house: House, server_process: ServerProcess, chromium: Browser, pyz: Path
) -> None:
    page = await chromium.new_page(viewport={"width": 1280, "height": 860})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.set_default_timeout(20_000)

    await set_up(page, server_process)
    await picture(page, "overview-empty")
    await page.goto(f"{server_process.url}/hosts")
    await picture(page, "hosts-empty")

    agent = await add_host(page, server_process, house, pyz)
    await page.goto(f"{server_process.url}/hosts")
    await picture(page, "hosts-one")
    await page.get_by_role("link", name="web-01").first.click()
    await picture(page, "host")
    for tab in ("Packages", "Repositories", "System", "Network"):
        await page.get_by_role("link", name=tab).last.click()
        await expect(page.get_by_role("heading", name="web-01").first).to_be_visible()
        await picture(page, f"host-{tab.lower()}")

    await dry_run(page, server_process, agent)
    await page.goto(f"{server_process.url}/")
    await picture(page, "overview-one")
    assert problems == []


async def set_up(page: Page, server: ServerProcess) -> None:
    await page.goto(server.url)
    await expect(page.locator("body")).to_contain_text("link")  # without the token it says where the link is
    await page.goto(setup_link(server))
    await picture(page, "setup")
    for name, value in (
        ("first_name", "Ada"), ("last_name", "Lovelace"), ("username", "ada"), ("email", "ada@example.com"),
        ("password", PASSWORD), ("confirm", PASSWORD),
    ):  # fmt: skip
        await page.fill(f"[name={name}]", value)
    await page.locator("form:has([name=confirm]) button[type=submit]").click()
    await page.wait_for_url(f"{server.url}/**")
    if page.url.endswith("/login"):
        await picture(page, "login")
        await page.fill("[name=username]", "ada")
        await page.fill("[name=password]", PASSWORD)
        await page.locator("form:has([name=password]) button[type=submit]").click()
    await expect(page.get_by_role("navigation").first).to_be_visible()


async def add_host(page: Page, server: ServerProcess, house: House, pyz: Path) -> Program:
    await page.goto(f"{server.url}/hosts/new")
    await picture(page, "host-new")
    await page.fill("[name=friendly_name]", "web-01")
    await page.locator("form:has([name=friendly_name]) button[type=submit]").click()
    await expect(page.locator("#install-command")).to_contain_text("/api/v1/hosts/install")
    await picture(page, "host-created")
    key = (await page.locator("#api-key").text_content() or "").strip()
    identifier = (await page.locator("#api-id").text_content() or "").strip()
    assert len(key) == 64
    prepared = await house.agent("spare", server.port, pyz=pyz, automation="builtin")
    private(prepared.folder / "credentials.yml", {"api_id": identifier, "api_key": key})
    await prepared.start()
    await page.get_by_text("Reported").wait_for(timeout=60_000)
    assert yaml.safe_load((prepared.folder / "config.yml").read_text())["automation"] == "builtin"
    return prepared.program


async def dry_run(page: Page, server: ServerProcess, agent: Program) -> None:
    await page.goto(f"{server.url}/playbooks")
    await picture(page, "playbooks")
    await page.goto(f"{server.url}/playbooks/patch/launch")
    await page.get_by_role("checkbox", name="web-01").check()
    await picture(page, "launch")
    await page.locator("form[data-launch] button[type=submit]").last.click()
    await page.wait_for_url("**/jobs/*")
    await expect(page.locator("#tree")).to_contain_text("Validating arguments", timeout=60_000)
    await picture(page, "job-running")
    await page.get_by_text("succeeded").first.wait_for(timeout=180_000)
    await page.reload()
    await picture(page, "job-done")
    await page.get_by_role("link", name="Output").click()
    await expect(page.locator("body")).to_contain_text("$ apt-get")
    await picture(page, "job-output")
    await page.goto(f"{server.url}/jobs")
    await expect(page.locator("table, .card").first).to_be_visible()
    await picture(page, "jobs")
    assert agent.alive
    await asyncio.sleep(0)
