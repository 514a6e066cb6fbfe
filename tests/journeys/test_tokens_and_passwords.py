"""API tokens and the rules of passwords in a real browser."""

import re

import pytest
from playwright.async_api import Browser, expect

from server.core.call import Call
from server.settings import service as settings
from tests.conftest import Browser as Client
from tests.factories.people import PASSWORD, bearer, person, token_of
from tests.journeys.conftest import picture


@pytest.mark.real
async def test_a_person_makes_uses_and_revokes_a_token(client: Client, chromium: Browser, call: Call) -> None:
    admin = await person(call, "superadmin", "grace")
    await token_of(call, admin, days=None)
    old = await token_of(call, admin, scopes=["can_view_hosts", "can_manage_patching", "can_view_reports"])
    assert (await client.get("/api/v1/hosts", headers={"Authorization": f"Bearer {old}"})).status == 200
    page = await chromium.new_page(viewport={"width": 1280, "height": 860})
    await page.goto(str(client.make_url("/login?next=/settings/tokens")))
    await page.fill("input[name=username]", "grace")
    await page.fill("input[name=password]", PASSWORD)
    await page.press("input[name=password]", "Enter")
    await page.wait_for_url("**/settings/tokens")
    await picture(page, "tokens")
    await page.fill("input[name=name]", "nightly pipeline")
    await page.select_option("select[name=access]", "chosen")
    await page.click("summary:has-text('Permissions to tick')")
    await page.check("input[value=can_view_hosts]")
    await picture(page, "tokens-choosing")
    await page.click("button:has-text('Make token')")
    found = re.search(r"pmt_[0-9a-f]{64}", await page.inner_text("main"))
    assert found is not None
    await picture(page, "tokens-made")
    headers = {"Authorization": f"Bearer {found[0]}"}
    assert (await client.get("/api/v1/hosts", headers=headers)).status == 200
    assert (await client.get("/api/v1/settings", headers=headers)).status == 403
    row = page.locator("tr", has_text="nightly pipeline")
    await row.get_by_role("button", name="Revoke").first.click()
    await page.locator("dialog[open], dialog:popover-open").get_by_role("button", name="Revoke").click()
    await expect(page.locator("tr", has_text="nightly pipeline")).to_have_count(0)
    assert (await client.get("/api/v1/hosts", headers=headers)).status == 401


@pytest.mark.real
@pytest.mark.proves("PWD-03")
async def test_the_rules_tick_while_one_types_and_a_weak_password_is_not_sent(
    client: Client, chromium: Browser, call: Call
) -> None:
    await bearer(call, "superadmin")
    await settings.change(call, {"signup_enabled": True})
    page = await chromium.new_page(viewport={"width": 1280, "height": 860})
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    await page.goto(str(client.make_url("/signup")))
    await page.wait_for_selector("[data-password-rules][data-ready]")
    await page.fill("input[name=username]", "newcomer")
    await page.fill("input[name=email]", "newcomer@example.com")
    password = page.locator("input[name=password]")
    await password.press_sequentially("abc")

    async def states() -> dict[str, str]:
        marks = await page.locator("[data-rule]").all()
        return {str(await one.get_attribute("data-rule")): str(await one.get_attribute("data-state")) for one in marks}

    assert await states() == {
        "min_length": "broken", "require_uppercase": "broken", "require_lowercase": "kept", "require_number": "broken",
        "require_special": "broken",
    }  # fmt: skip
    await page.fill("input[name=confirm]", "abc")
    await page.press("input[name=confirm]", "Enter")
    await page.wait_for_timeout(300)
    assert posts == [], "a form that breaks a rule is not sent"
    await picture(page, "password-rules")
    await password.fill(PASSWORD)
    await page.fill("input[name=confirm]", PASSWORD)
    assert set((await states()).values()) == {"kept"}
    await page.press("input[name=confirm]", "Enter")
    await page.wait_for_url("**/login")
    refused = await client.post(
        "/api/v1/auth/signup", json={"username": "other", "email": "other@example.com", "password": "abc"}
    )
    body = await refused.json()
    assert (refused.status, body["error"]) == (400, "Password does not meet the password policy")
    for rule in ("at least 8 characters", "one upper-case letter", "one digit", "one special character"):
        assert rule in body["complaints"]["password"]
