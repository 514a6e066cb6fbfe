"""Keys for programs in a real browser: with the keyboard, without scripts, and on a page without encryption."""

import shutil

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from server.core.call import Call
from tests.conftest import Browser as Client
from tests.factories.people import PASSWORD, bearer, person
from tests.integrations.conftest import ENROL, TOKENS
from tests.journeys.conftest import QUIET, picture

HOME = "/settings/integrations"


async def entered(page: Page, url: str) -> None:
    await page.goto(url)
    await page.fill("input[name=username]", "grace")
    await page.fill("input[name=password]", PASSWORD)
    await page.press("input[name=password]", "Enter")
    await page.wait_for_url(f"**{HOME}")


async def fleet_of_tokens(client: Client, headers: dict[str, str]) -> None:
    """Tokens of every kind and state, so that the pictures show them."""
    group = await client.post("/api/v1/host-groups", json={"name": "Production"}, headers=headers)
    for name, usage, more in (
        ("Golden image", "direct-host", {"expires_at": "2031-01-01T00:00"}),
        ("Ansible inventory", "api", {"scopes": {"host": ["get", "delete"]}}),
        ("Old script", "api", {"scopes": {"host": ["get"]}, "expires_at": "2024-01-01T00:00"}),
        ("Living room", "gethomepage", {}),
        (
            "Proxmox production with a long name",
            "proxmox-lxc",
            {
                "default_host_group_id": (await group.json())["id"],
                "allowed_ip_ranges": ["10.0.0.10", "10.1.0.0/24"],
                "max_hosts_per_day": 50,
            },
        ),
    ):
        body = {"token_name": name, "metadata": {"integration_type": usage}, **more}
        answer = await client.post(TOKENS, json=body, headers=headers)
        assert answer.status == 201, await answer.text()


@pytest.mark.real
@pytest.mark.proves("INTG-UI-01", "INTG-UI-02", "INTG-UI-03", "INTG-UI-05")
async def test_a_person_makes_disables_and_deletes_a_token(client: Client, chromium: Browser, call: Call) -> None:
    await person(call, "superadmin", "grace")
    page = await chromium.new_page(viewport={"width": 1280, "height": 860})
    await entered(page, str(client.make_url(f"/login?next={HOME}")))
    await picture(page, "integrations-none")
    await fleet_of_tokens(client, await bearer(call))
    await page.goto(str(client.make_url(HOME)))
    await picture(page, "integrations")
    await page.click("text=GetHomepage")
    await picture(page, "integrations-gethomepage")
    await page.goto(str(client.make_url(HOME)))
    await page.get_by_role("button", name="New Token").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await picture(page, "integrations-choosing")
    await page.get_by_role("dialog").get_by_role("link", name="Proxmox LXC").focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/new?usage=proxmox-lxc")
    await page.fill("input[name=token_name]", "pve1")
    await page.fill("input[name=allowed_ip_ranges]", "10.0.0.0/33")
    await page.press("input[name=allowed_ip_ranges]", "Enter")
    await expect(page.get_by_role("alert")).to_contain_text("Not an IP address or a network")
    await picture(page, "integrations-refused")
    await page.fill("input[name=allowed_ip_ranges]", "")
    await page.press("input[name=allowed_ip_ranges]", "Enter")
    await expect(page.get_by_role("heading", name="pve1 is ready")).to_be_visible()
    await picture(page, "integrations-made")
    headers = {
        "X-Auto-Enrollment-Key": await page.inner_text("#token-key"),
        "X-Auto-Enrollment-Secret": await page.inner_text("#token-secret"),
    }
    assert headers["X-Auto-Enrollment-Secret"] in await page.inner_text("#command")
    assert (await client.post(ENROL, json={"friendly_name": "ct-101"}, headers=headers)).status == 201
    await page.get_by_role("link", name="Done").click()
    row = page.locator("tr", has_text="pve1")
    await expect(row).to_contain_text("1 of 100 today")
    await row.get_by_role("button", name="Disable").click()
    await expect(row).to_contain_text("Inactive")
    assert (await client.post(ENROL, json={"friendly_name": "ct-102"}, headers=headers)).status == 401
    await row.get_by_role("link", name="Edit").click()
    await picture(page, "integrations-editing")
    await page.get_by_role("link", name="Cancel").click()
    await row.get_by_role("button", name="Delete").first.click()
    await page.locator("dialog[open], dialog:popover-open").get_by_role("button", name="Delete").click()
    await expect(page.locator("tr", has_text="pve1")).to_have_count(0)


@pytest.mark.real
@pytest.mark.proves("INTG-UI-04", "INTG-UI-08")
async def test_it_works_without_scripts(client: Client, chromium: Browser, call: Call) -> None:
    await person(call, "superadmin", "grace")
    still = await chromium.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 860})
    page = await still.new_page()
    await entered(page, str(client.make_url(f"/login?next={HOME}")))
    await page.get_by_role("button", name="New Token").click()
    await page.get_by_role("dialog").get_by_role("link", name="API").click()
    await page.wait_for_url("**/new?usage=api")
    await page.fill("input[name=token_name]", "reader")
    await page.get_by_role("button", name="Create Token").click()
    assert "host: get" in await page.inner_text("main")
    await page.goto(str(client.make_url(f"{HOME}/gethomepage")))
    await page.get_by_role("link", name="New API Key").click()
    await page.fill("input[name=token_name]", "card")
    await page.get_by_role("button", name="Create Token").click()
    assert "customapi" in await page.inner_text("#config")
    await page.goto(str(client.make_url(HOME)))
    row = page.locator("tr", has_text="reader")
    await row.get_by_role("button", name="Delete").first.click()
    await page.locator("dialog:popover-open").get_by_role("button", name="Delete").click()
    await expect(page.locator("tr", has_text="reader")).to_have_count(0)
    await still.close()


@pytest.mark.real
@pytest.mark.proves("INTG-UI-06", "INTG-UI-09", "INTG-UI-11")
async def test_copying_works_on_a_page_without_encryption(client: Client, call: Call) -> None:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium is installed")
    await person(call, "superadmin", "grace")
    arguments = [*QUIET, "--host-resolver-rules=MAP patchmon.test 127.0.0.1"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=arguments)
        page = await browser.new_page()
        home = f"http://patchmon.test:{client.port}"
        await entered(page, f"{home}/login?next={HOME}")
        assert not await page.evaluate("window.isSecureContext")
        for usage, label, source in (
            ("api", "Copy token secret", "#token-secret"),
            ("gethomepage", "Copy Config", "#config"),
        ):
            await page.goto(f"{home}{HOME}/new?usage={usage}")
            await page.fill("input[name=token_name]", usage)
            await page.get_by_role("button", name="Create Token").click()
            shown = await page.inner_text(source)
            # A click before the scripts are there copies nothing.
            await page.wait_for_load_state()
            await page.get_by_role("button", name=label).click()
            await expect(page.get_by_text("Copied").first).to_be_visible()
            # Into any field, as a person checks it.
            search = page.locator("input[type=search]").first
            await search.focus()
            await page.keyboard.press("Control+V")
            assert (await search.input_value()).split() == shown.split()
        await browser.close()
