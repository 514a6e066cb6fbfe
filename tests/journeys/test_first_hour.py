"""The first hour of a person: set up, sign in, add a host, dry-run a patch and watch it; light, dark and small.

Every page is kept as a picture, must fit a phone, and is held against axe.
"""

import re
from pathlib import Path

import pytest
import yaml
from playwright.async_api import Browser, Page, expect

from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.factories.house import House, Program, ServerProcess, private
from tests.factories.people import person
from tests.journeys.conftest import picture, setup_link, tab_stops

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("machine")]
PASSWORD = "Correct-Horse-7"


@pytest.mark.proves("OPS-46")
async def test_from_the_set_up_link_to_the_result_of_a_dry_run(
    house: House, server_process: ServerProcess, chromium: Browser, pyz: Path
) -> None:
    page, problems = await watched_page(chromium)
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


async def watched_page(chromium: Browser) -> tuple[Page, list[str]]:
    """Open a page; what its scripts complain about is collected."""
    page = await chromium.new_page(viewport={"width": 1280, "height": 860})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.set_default_timeout(20_000)
    return page, problems


async def sign_in(page: Page, server: ServerProcess, username: str, password: str = PASSWORD) -> None:
    await page.goto(f"{server.url}/login")
    await page.fill("[name=username]", username)
    await page.fill("[name=password]", password)
    await page.locator("form:has([name=password]) button[type=submit]").click()


@pytest.mark.proves("OPS-46")
async def test_the_pages_beside_the_main_way_look_right(
    house: House, server_process: ServerProcess, chromium: Browser
) -> None:
    server = server_process
    admin = await person(house.call, "superadmin")
    reader = await person(house.call, "readonly")
    page, problems = await watched_page(chromium)
    await sign_in(page, server, reader.username, "not the password")
    await expect(page.get_by_role("alert")).to_be_visible()
    await picture(page, "login-wrong")
    problems.clear()  # the browser counts a refused form as an error
    await sign_in(page, server, reader.username)
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    await page.goto(f"{server.url}/settings/server-url")
    await expect(page.get_by_role("heading", name="You may not do this")).to_be_visible()
    await expect(page.get_by_role("navigation").first).to_be_visible()
    await picture(page, "forbidden")
    await page.context.clear_cookies()
    await sign_in(page, server, admin.username)
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    await page.goto(f"{server.url}/no-such-page")
    await expect(page.get_by_role("navigation").first).to_be_visible()
    await picture(page, "missing")
    problems.clear()
    await settings_pages(page, server)
    await many_hosts(page, server, house)
    assert problems == []


async def settings_pages(page: Page, server: ServerProcess) -> None:
    for path, name in (("profile", "profile"), ("server-url", "server-url"), ("tokens", "tokens-empty")):
        await page.goto(f"{server.url}/settings/{path}")
        await picture(page, name)
    await page.fill("[name=name]", "pipeline")
    await page.get_by_role("button", name="Make token").click()
    await expect(page.locator("#new-token")).to_contain_text("pmt_")
    await picture(page, "token-new")
    await page.goto(f"{server.url}/settings/tokens")
    await expect(page.locator("body")).not_to_contain_text("Your new token")
    await page.get_by_role("button", name="Revoke").click()
    await picture(page, "token-revoke")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Revoke").first).to_be_focused()


async def many_hosts(page: Page, server: ServerProcess, house: House) -> None:
    for number in range(30):
        await hosts.create(house.call, NewHost(f"web-{number:02d}"))
    await page.goto(f"{server.url}/hosts")
    stops = await tab_stops(page, 12)
    assert stops[0] == "Skip to the content"
    assert not [stop for stop in stops if stop.startswith("UNSEEN")], stops
    await page.get_by_role("checkbox", name="Select all on this page").check()
    await picture(page, "hosts-chosen")
    await page.get_by_role("button", name="Run a playbook", exact=True).click()
    await page.get_by_role("link", name="Run Check that a playbook can run on the host").click()
    await expect(page.locator("[data-sentence]")).to_contain_text("on 30 hosts")
    await page.locator("[data-launch-submit]").click()
    await page.wait_for_url("**/jobs/*")
    await expect(page.locator("#job-head")).to_contain_text("30 queued")
    await picture(page, "job-many")
    await page.get_by_label("Filter hosts by name or state").fill("web-07")
    await expect(page.locator("#host-list .host-row:visible")).to_have_count(1)
    await page.get_by_role("button", name="Stop").click()
    await picture(page, "job-stop")
    await page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    await expect(page.locator("#job-head")).to_contain_text("30 cancelled")
    await picture(page, "job-stopped")


async def set_up(page: Page, server: ServerProcess) -> None:
    await page.goto(server.url)
    await expect(page.locator("body")).to_contain_text("link")  # without the token it says where the link is
    await picture(page, "setup-no-link")
    await page.goto(setup_link(server))
    await picture(page, "setup")
    for name, value in (
        ("first_name", "Ada"), ("last_name", "Lovelace"), ("username", "ada"), ("email", "ada@example.com"),
        ("password", PASSWORD), ("confirm", PASSWORD),
    ):  # fmt: skip
        await page.fill(f"[name={name}]", value)
    await page.get_by_role("button", name="Next").click()
    await page.get_by_role("link", name="Skip (I'll do it later)").click()
    await page.get_by_role("button", name="Next").click()
    await page.get_by_role("button", name="Access Dashboard").click()
    await expect(page.get_by_role("navigation").first).to_be_visible()


async def add_host(page: Page, server: ServerProcess, house: House, pyz: Path) -> Program:
    await page.goto(f"{server.url}/hosts/new")
    await picture(page, "host-new")
    await page.get_by_role("link", name=re.compile(r"^Linux")).click()
    await page.fill("[name=friendly_name]", "web-01")
    await page.get_by_role("button", name="Next").click()
    await expect(page.locator("#install-command")).to_contain_text("/api/v1/hosts/install")
    await picture(page, "host-created")
    key = (await page.locator("#api-key").text_content() or "").strip()
    identifier = (await page.locator("#api-id").text_content() or "").strip()
    assert len(key) == 64
    prepared = await house.agent("spare", server.port, pyz=pyz, automation="builtin")
    private(prepared.folder / "credentials.yml", {"api_id": identifier, "api_key": key})
    await prepared.start()
    # Once everything is there, the page goes on to the host by itself.
    await page.wait_for_url(re.compile(r"/hosts/[0-9a-f-]{36}$"), timeout=60_000)
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
    for tab in ("Variables", "Results"):
        await page.get_by_role("link", name=tab).first.click()
        await expect(page.locator(f"#job-detail-tabs [aria-current]:has-text('{tab}')")).to_be_visible()
        await picture(page, f"job-{tab.lower()}")
    await failing(page, server)
    await page.goto(f"{server.url}/jobs")
    await expect(page.locator("table, .card").first).to_be_visible()
    await picture(page, "jobs")
    assert agent.alive


async def failing(page: Page, server: ServerProcess) -> None:
    await page.goto(f"{server.url}/playbooks/patch/launch")
    await page.get_by_role("checkbox", name="web-01").check()
    await page.select_option("[name=patch_scope]", "packages")
    await page.fill("[name=patch_packages]", "no-such-package")
    await page.get_by_label("Refresh cache").uncheck()
    await page.locator("[data-launch-submit]").click()
    await page.wait_for_url("**/jobs/*")
    await expect(page.locator("#job-head")).to_contain_text("Failed", timeout=120_000)
    await page.reload()
    await expect(page.locator("#job-causes")).to_contain_text("no-such-package")
    await picture(page, "job-failed")
