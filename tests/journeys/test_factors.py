"""The first set-up with scripts, two factors, passkeys of a virtual authenticator, roles: in a real browser."""

import re
from typing import Any

import pyotp
import pytest
from playwright.async_api import Browser, Page, expect

from tests.factories.house import House, ServerProcess
from tests.factories.people import person, role_with
from tests.journeys.conftest import picture, setup_link
from tests.journeys.test_first_hour import sign_in, watched_page

pytestmark = pytest.mark.real
PASSWORD = "Correct-Horse-7"
ADA = (("first_name", "Ada"), ("last_name", "Lovelace"), ("username", "ada"), ("email", "ada@example.com"))


@pytest.fixture
async def server_process(house: House, unused_tcp_port: int) -> ServerProcess:
    running = house.server(unused_tcp_port, SERVER_HOST="localhost", SERVER_PORT=str(unused_tcp_port))
    await running.start()
    return running


@pytest.fixture
async def walk(chromium: Browser) -> tuple[Page, list[str]]:
    page, problems = await watched_page(chromium)
    return page, problems


def named(server: ServerProcess, path: str = "/") -> str:
    """Return an address under the name that passkeys belong to."""
    return f"http://localhost:{server.port}{path}"


async def authenticator(page: Page, **changes: Any) -> tuple[Any, str]:
    """Plug a virtual authenticator into the browser; return the session that drives it, and its id."""
    driver = await page.context.new_cdp_session(page)
    await driver.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
               "isUserVerified": True, "automaticPresenceSimulation": True}  # fmt: skip
    made = await driver.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, **changes}})
    return driver, made["authenticatorId"]


async def fill_person(page: Page, password: str = PASSWORD) -> None:
    for name, value in (*ADA, ("password", password), ("confirm", password)):
        await page.fill(f"[name={name}]", value)


@pytest.mark.proves("SETUP-05", "SETUP-09", "SETUP-13", "OPS-44")
async def test_the_set_up_with_scripts_and_a_second_factor(
    house: House, server_process: ServerProcess, walk: tuple[Page, list[str]]
) -> None:
    page, problems = walk
    link = setup_link(server_process).replace("127.0.0.1", "localhost")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(link)
    await expect(page.locator("[data-password-rules][data-ready]")).to_be_visible()
    assert any(url.endswith("/api/v1/settings/login-settings") for url in asked)
    await fill_person(page, "abc")
    rules = page.locator("[data-rule]")
    await expect(rules).to_have_count(5)
    assert await states(page) == ["broken", "broken", "kept", "broken", "broken"]
    await expect(page.locator("[data-strength-word]")).to_have_text("Very weak")
    await picture(page, "wizard-1-weak")
    await page.get_by_role("button", name="Next").click()
    assert "step=2" not in page.url
    await fill_person(page)
    assert await states(page) == ["kept"] * 5
    await expect(page.locator("[data-strength-word]")).to_have_text("Strong")
    await picture(page, "wizard-1")
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("button", name="Setup MFA now")).to_be_visible()
    await picture(page, "wizard-2-choose")
    await page.get_by_role("button", name="Setup MFA now").click()
    await expect(page.get_by_alt_text("QR code of the secret")).to_be_visible()
    assert "token=" not in page.url
    await picture(page, "wizard-2-scan")
    secret = "".join((await page.locator("#secret").inner_text()).split())
    await page.fill("[name=token]", pyotp.TOTP(secret).now())
    await page.get_by_role("button", name="Verify & Enable").click()
    await expect(page.get_by_role("heading", name="Your backup codes")).to_be_visible()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download Codes").click()
    saved = await download.value
    assert saved.suggested_filename == "patchmon-backup-codes.txt"
    assert len(re.findall(r"^[A-Z0-9]{8}$", (await saved.path()).read_text(), re.MULTILINE)) == 10
    await picture(page, "wizard-2-codes")
    await page.get_by_role("link", name="Continue").click()
    await expect(page.locator("[name=server_host]")).to_have_value("localhost")
    await expect(page.locator("[name=server_port]")).to_have_value(str(server_process.port))
    await picture(page, "wizard-3")
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("heading", name="Get in Touch")).to_be_visible()
    await picture(page, "wizard-5")
    await page.get_by_role("button", name="Access Dashboard").click()
    await page.wait_for_url(named(server_process))
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    assert await house.call.db.value("select count(*) from users") == 1
    assert problems == []


async def states(page: Page) -> list[str | None]:
    """Return how the rules of the password stand."""
    found: list[str | None] = await page.locator("[data-rule]").evaluate_all("all => all.map(one => one.dataset.state)")
    return found


@pytest.mark.proves("SETUP-14", "SETUP-15")
async def test_the_end_of_the_set_up_says_what_it_does_and_survives_a_slow_database(
    house: House, server_process: ServerProcess, walk: tuple[Page, list[str]]
) -> None:
    page, _ = walk
    await page.goto(setup_link(server_process).replace("127.0.0.1", "localhost"))
    await fill_person(page)
    await page.get_by_role("button", name="Next").click()
    await page.get_by_role("link", name="Skip (I'll do it later)").click()
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("heading", name="Get in Touch")).to_be_visible()
    async with house.call.transaction() as tx:
        await tx.execute("lock table settings in exclusive mode")
        await page.get_by_role("button", name="Access Dashboard").click()
        await expect(page.get_by_role("heading", name="Setting up PatchMon")).to_be_visible()
        await expect(page.locator("[data-finishing-action]")).to_have_text("Saving server URL...")
        await expect(page.get_by_role("alert")).to_be_visible(timeout=15_000)
        await expect(page.get_by_role("button", name="Skip and continue")).to_be_visible()
        await picture(page, "wizard-failed")
    assert await house.call.db.value("select count(*) from users") == 1
    await page.get_by_role("button", name="Retry").click()
    await page.wait_for_url(named(server_process))
    await expect(page.get_by_role("navigation").first).to_be_visible()
    assert await house.call.db.value("select value from settings where key = 'server_host'") == "localhost"


async def test_a_passkey_alone_and_after_the_password(
    house: House, server_process: ServerProcess, walk: tuple[Page, list[str]]
) -> None:
    page, problems = walk
    user = await person(house.call, "superadmin")
    driver, device = await authenticator(page)
    await page.goto(named(server_process, "/login"))
    await sign_in_at(page, server_process, user.username)
    await page.goto(named(server_process, "/settings/two-factor"))
    await picture(page, "two-factor-off")
    await page.fill("[name=passkey_name]", "Work laptop")
    await page.fill("[name=passkey_password]", "wrong")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.locator("[data-passkey-complaint]")).to_have_text("The current password is not right")
    await page.fill("[name=passkey_password]", PASSWORD)
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_role("cell", name="Work laptop", exact=True)).to_be_visible()
    assert len((await driver.send("WebAuthn.getCredentials", {"authenticatorId": device}))["credentials"]) == 1
    await picture(page, "passkeys")

    await sign_out(page)
    await picture(page, "login")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_role("navigation").first).to_be_visible()

    await page.goto(named(server_process, "/settings/two-factor"))
    await page.get_by_role("button", name="Ask for a passkey").click()
    await expect(page.get_by_role("heading", name="Your backup codes")).to_be_visible()
    await sign_out(page)
    await sign_in_at(page, server_process, user.username, lands=False)
    await expect(page.get_by_role("heading", name="Two-Factor Authentication")).to_be_visible()
    await picture(page, "second-step-passkey")
    await page.get_by_role("button", name="Use a passkey instead").click()
    await expect(page.get_by_role("navigation").first).to_be_visible()
    problems.clear()  # the browser counts the refused password as an error

    await sign_out(page)
    await driver.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.locator("[data-passkey-complaint]")).to_be_visible(timeout=70_000)
    assert problems == []


async def sign_in_at(page: Page, server: ServerProcess, username: str, *, lands: bool = True) -> None:
    await page.goto(named(server, "/login"))
    await page.fill("[name=username]", username)
    await page.fill("[name=password]", PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    if lands:
        await expect(page.get_by_role("navigation").first).to_be_visible()


async def sign_out(page: Page) -> None:
    await page.context.clear_cookies()
    await page.goto(re.sub(r"(://[^/]+).*", r"\1/login", page.url))


@pytest.mark.proves("ROLE-06", "ROLE-07")
async def test_a_role_is_made_in_the_modal_and_is_at_once_there(
    house: House, server_process: ServerProcess, walk: tuple[Page, list[str]]
) -> None:
    page, problems = walk
    admin = await person(house.call, "superadmin")
    await sign_in(page, server_process, admin.username)
    await page.goto(f"{server_process.url}/settings/roles")
    await picture(page, "roles")
    await page.get_by_role("link", name="Add Role").click()
    modal = page.get_by_role("dialog")
    await expect(modal).to_be_visible()
    await page.wait_for_function("document.querySelector('dialog[data-sheet]').matches(':modal')")
    count = modal.locator("[data-permission-count]")
    for preset, number in (("Read Only", "5"), ("Operator", "13"), ("Admin", "20"), ("Clear All", "0")):
        await modal.get_by_role("link", name=preset, exact=True).click()
        await expect(count).to_have_text(number)
        await expect(modal.locator("input:checked")).to_have_count(int(number))
    await modal.get_by_role("button", name="Select all").first.click()
    await expect(count).to_have_text("5")
    await modal.get_by_role("button", name="Deselect all").click()
    await expect(count).to_have_text("0")
    await modal.get_by_label("View Hosts").check()
    await expect(modal).to_contain_text("1/20 permissions selected")
    await picture(page, "roles-add")
    await modal.get_by_label("Role Name").fill("Big Name")
    await modal.get_by_role("button", name="Create Role").click()
    await expect(page.get_by_role("dialog")).to_contain_text("lowercase")
    for taken in ("admin", "readonly"):
        await page.get_by_label("Role Name").fill(taken)
        await page.get_by_role("button", name="Create Role").click()
        await expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    await page.get_by_label("Role Name").fill("night_watch")
    await page.get_by_role("button", name="Create Role").click()
    await expect(page.get_by_role("columnheader", name="Night watch")).to_contain_text("1/20")
    await page.goto(f"{server_process.url}/settings/users/new")
    await page.select_option("[name=role]", "night_watch")
    await page.goto(f"{server_process.url}/settings/roles?edit=night_watch")
    await expect(page.locator("[name=role]")).to_have_count(0)
    await picture(page, "roles-edit")
    problems.clear()  # the browser counts refused forms as errors
    await page.keyboard.press("Escape")
    assert problems == []


async def test_the_pages_of_people_look_right(
    house: House, server_process: ServerProcess, walk: tuple[Page, list[str]]
) -> None:
    page, problems = walk
    admin = await person(house.call, "superadmin")
    for role in ("admin", "host_manager", "readonly"):
        await person(house.call, role)
    await role_with(house.call, "night_watch", "can_view_hosts")
    await sign_in(page, server_process, admin.username)
    await page.goto(f"{server_process.url}/settings/security")
    await page.get_by_label("Everyone").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved. It holds")).to_be_visible()
    await picture(page, "security")
    for path, name in (("users", "users"), ("users/new", "users-new"), ("profile", "profile"),
                       ("two-factor", "two-factor-due")):  # fmt: skip
        await page.goto(f"{server_process.url}/settings/{path}")
        await picture(page, name)
    assert problems == []
