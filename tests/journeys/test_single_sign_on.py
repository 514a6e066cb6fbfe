"""Signing in with a real OpenID provider in a real browser: button, sign-in over there, consent, and home again."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from yarl import URL

from tests.factories.house import House, ServerProcess
from tests.factories.people import person
from tests.journeys.conftest import picture
from tests.journeys.test_first_hour import sign_in
from tests.stand_ins import openid
from tests.stand_ins.openid import CLIENT, SECRET, OpenId

pytestmark = pytest.mark.real
PEOPLE: dict[str, Any] = {
    "ada": {"email": "ada@example.com", "email_verified": True, "given_name": "Ada", "family_name": "Lovelace"},
    "grace": {"email": "grace@example.com", "email_verified": True, "groups": ["patchmon admins", "x"]},
    "eve": {"email": "root@example.com", "email_verified": False},
}


def variables(provider: OpenId, server: str, **more: str) -> dict[str, str]:
    return {
        "OIDC_ENABLED": "true",
        "OIDC_ISSUER_URL": provider.url,
        "OIDC_CLIENT_ID": CLIENT,
        "OIDC_CLIENT_SECRET": SECRET,
        "OIDC_REDIRECT_URI": f"{server}/api/v1/auth/oidc/callback",
        "OIDC_ENFORCE_HTTPS": "false",
        "OIDC_POST_LOGOUT_URI": f"{server}/login",
        "OIDC_AUTO_CREATE_USERS": "true",
        "OIDC_ADMIN_GROUP": "PatchMon Admins",
        "OIDC_SYNC_ROLES": "true",
        **more,
    }


async def over_there(page: Page, name: str) -> None:
    """Sign in at the provider and let it tell this server who one is."""
    await page.fill("[name=login]", name)
    await page.fill("[name=password]", openid.ANY_PASSWORD)
    await page.locator("button[type=submit]").click()
    await page.get_by_role("button", name="Continue").click()


async def look_around(page: Page, home: str) -> None:
    """Keep a picture of every page that single sign-on changes; the first one who came administers this server."""
    await page.goto(f"{home}/settings/oidc-auth")
    await expect(page.get_by_text("On", exact=True)).to_be_visible()
    await picture(page, "settings-oidc")
    await page.goto(f"{home}/settings/users")
    await expect(page.get_by_text("OIDC Authentication Enabled")).to_be_visible()
    await picture(page, "users-synced")
    await page.goto(f"{home}/settings/roles")
    await expect(page.get_by_text("OIDC_SUPERADMIN_GROUP")).to_be_visible()
    await picture(page, "roles-synced")
    await page.goto(f"{home}/settings/profile")
    await expect(page.get_by_role("heading", name="Linked Accounts")).to_be_visible()
    await picture(page, "profile-linked")
    await page.goto(f"{home}/settings/discord-auth")
    await picture(page, "settings-discord")


async def fresh(chromium: Browser) -> Page:
    """Return a page of a browser that knows nobody."""
    context = await chromium.new_context(viewport={"width": 1280, "height": 860})
    page = await context.new_page()
    page.set_default_timeout(20_000)
    return page


@pytest.mark.timeout(240)
@pytest.mark.proves("OIDC-01", "OIDC-05", "OIDC-16", "OIDC-17", "OIDC-26", "OPS-41", "LOGIN-09", "SETUP-02", "OPS-36")
async def test_people_come_and_go_with_the_provider(
    house: House, chromium: Browser, unused_tcp_port_factory: Any, tmp_path: Path
) -> None:
    server_port, provider_port = unused_tcp_port_factory(), unused_tcp_port_factory()
    home = f"http://localhost:{server_port}"
    async with openid.running(tmp_path, provider_port, home, PEOPLE) as provider:
        server = house.server(server_port, **variables(provider, home))
        await server.start()
        said = server.program.log.read_text()
        for line in ("Discovering OIDC configuration from: ", "OIDC Issuer discovered: ", "OIDC client initialized"):
            assert line in said

        page = await fresh(chromium)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda said: problems.append(f"{said.location['url']}: {said.text}") if said.type == "error" else None,
        )
        await page.goto(home)
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        await picture(page, "login-sso")
        await page.get_by_role("link", name="Login with SSO").click()
        await over_there(page, "ada")
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        assert page.url == f"{home}/?oidc=success"

        await look_around(page, home)

        # Out: by the provider, which asks, and back to a page that sends nobody anywhere.
        await page.locator("summary.person").click()
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("button", name="Yes, sign me out").click()
        await expect(page.get_by_role("link", name="Login with SSO")).to_be_visible()
        assert page.url == f"{home}/login"
        # The pages of the provider ask for fonts and icons that are not there; ours do not.
        assert [one for one in problems if one.startswith(home)] == []

        # Groups make another one an administrator.
        other = await fresh(chromium)
        await other.goto(f"{home}/login?next=/settings/users")
        await other.get_by_role("link", name="Login with SSO").click()
        await over_there(other, "grace")
        await expect(other.get_by_role("heading", name="Users")).to_be_visible()
        assert await house.call.db.value("select role from users where username = 'grace'") == "admin"

        # An address that nobody verified opens no account that has it.
        await person(house.call, "superadmin", username="root")
        stranger = await fresh(chromium)
        await stranger.goto(f"{home}/login")
        await stranger.get_by_role("link", name="Login with SSO").click()
        await over_there(stranger, "eve")
        await expect(stranger.get_by_text("Email not verified by identity provider")).to_be_visible()
        await picture(stranger, "login-sso-refused")
        await stop(server)


@pytest.mark.timeout(240)
@pytest.mark.proves("OIDC-06", "OIDC-15", "OIDC-28", "OIDC-29")
async def test_the_provider_is_the_only_way_in_while_it_is_there(
    house: House, chromium: Browser, unused_tcp_port_factory: Any, tmp_path: Path
) -> None:
    server_port, provider_port = unused_tcp_port_factory(), unused_tcp_port_factory()
    home = f"http://localhost:{server_port}"
    await person(house.call, "superadmin", username="root")
    # This provider keeps the address and the groups at its user info endpoint.
    async with openid.running(tmp_path, provider_port, home, PEOPLE, claims_in_token=False) as provider:
        server = house.server(server_port, **variables(provider, home, OIDC_DISABLE_LOCAL_AUTH="true"))
        await server.start()
        page = await fresh(chromium)
        await page.goto(home)
        await expect(page.get_by_role("link", name="Login with SSO")).to_be_visible()
        await expect(page.locator("[name=password]")).to_have_count(0)
        await picture(page, "login-sso-only")
        refused = await page.request.post(
            f"{home}/api/v1/auth/login", data={"username": "root", "password": "Correct-Horse-7"}
        )
        assert (refused.status, (await refused.json())["error"]) == (403, "Local authentication is disabled")

        backs: list[str] = []
        page.on("request", lambda one: backs.append(one.url) if "/oidc/callback" in one.url else None)
        await page.get_by_role("link", name="Login with SSO").click()
        await over_there(page, "grace")
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        assert await house.call.db.value("select role from users where username = 'grace'") == "admin"

        # The way back is good once, and only with the state that belongs to it.
        thief = await fresh(chromium)
        for url in (backs[0], str(URL(backs[0]).update_query(state="0" * 64))):
            await thief.goto(url)
            await expect(thief.get_by_text("Session Expired")).to_be_visible()

        # Without its provider the server starts, and passwords count.
        await provider.stop()
        await stop(server)
        await server.start()
        alone = await fresh(chromium)
        await alone.goto(f"{home}/login")
        await expect(alone.get_by_role("link", name="Login with SSO")).to_have_count(0)
        await sign_in(alone, server, "root")
        await expect(alone.get_by_role("heading", name="Overview")).to_be_visible()

        # It comes back, and whoever looks at the sign-in page finds it.
        await provider.start()
        late = await fresh(chromium)
        for _ in range(30):
            await late.goto(f"{home}/login")
            if await late.get_by_role("link", name="Login with SSO").count():
                break
            await late.wait_for_timeout(1000)
        await expect(late.get_by_role("link", name="Login with SSO")).to_be_visible()
        await expect(late.locator("[name=password]")).to_have_count(0)
        await stop(server)


@pytest.mark.timeout(60)
@pytest.mark.proves("OIDC-04", "ENV-09")
async def test_an_environment_that_says_too_little_stops_the_start(house: House, unused_tcp_port: int) -> None:
    more = {"OIDC_ENABLED": "true", "OIDC_ISSUER_URL": "https://login.example", "OIDC_CLIENT_ID": CLIENT}
    server = house.server(unused_tcp_port, **more, OIDC_REDIRECT_URI="https://p.example/api/v1/auth/oidc/callback")
    await server.program.start()
    assert server.program.process is not None
    assert await server.program.process.wait() == 1
    assert "OIDC is enabled but missing required configuration" in server.program.log.read_text()


async def stop(server: ServerProcess) -> None:
    assert await server.stop() == 0
