"""What people choose for themselves, and what the profile shows."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from server.core.call import Call
from server.core.env import Env
from server.core.secretbox import Secret
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, person, post_form, role_with, sign_in

HOME = "/settings/profile"


@pytest.mark.proves("PROFILE-01")
async def test_the_profile_holds_what_concerns_oneself(client: Browser, call: Call) -> None:
    user = await person(call, "readonly")
    await sign_in(client, user.username)
    page = await (await client.get("/", headers=HTML)).text()
    assert f'href="{HOME}"' in page
    page = await (await client.get(HOME, headers=HTML)).text()
    for words in ("First name", "Last name", "Email", "Change Password", "Multi-Factor Authentication",
                  "Trusted Devices", "Theme", "After signing in, open", "Subscription", "Custom roles"):  # fmt: skip
        assert words in page, words
    changed = {"first_name": "Grace", "last_name": "Hopper", "username": user.username, "email": "grace@example.com"}
    assert (await post_form(client, HOME, HOME, changed)).status == 303
    profile = (await (await client.get("/api/v1/auth/profile")).json())["user"]
    assert (profile["first_name"], profile["last_name"], profile["email"]) == ("Grace", "Hopper", "grace@example.com")


@pytest.fixture
async def elsewhere(server: TestServer) -> AsyncIterator[Browser]:
    """Another browser."""
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as browser:
        yield browser


async def test_the_theme_follows_the_person_to_another_browser(client: Browser, elsewhere: Browser, call: Call) -> None:
    user = await person(call, "readonly")
    await sign_in(client, user.username)
    assert 'data-theme-choice="auto"' in await (await client.get(HOME, headers=HTML)).text()
    await post_form(client, HOME, f"{HOME}/preferences", {"theme": "dark", "landing": "hosts"})
    await sign_in(elsewhere, user.username)
    page = await (await elsewhere.get(HOME, headers=HTML)).text()
    assert 'data-theme-choice="dark"' in page
    assert 'data-bs-theme="dark"' in page.split("<head>")[0]
    await post_form(elsewhere, HOME, "/theme", {"theme": "light", "return_to": "/"})
    assert 'data-bs-theme="light"' in (await (await client.get(HOME, headers=HTML)).text()).split("<head>")[0]


async def test_signing_in_leads_where_one_likes_to_land(client: Browser, call: Call) -> None:
    await person(call, "superadmin")
    user = await person(call, "readonly")
    fields = {"username": user.username, "password": PASSWORD, "return_to": "/"}
    assert (await post_form(client, "/login", "/login", fields)).headers["Location"] == "/"
    await post_form(client, HOME, f"{HOME}/preferences", {"theme": "auto", "landing": "hosts"})
    await post_form(client, HOME, "/logout")
    assert (await post_form(client, "/login", "/login", fields)).headers["Location"] == "/hosts"
    await post_form(client, HOME, "/logout")
    elsewhere = {**fields, "return_to": "/settings/tokens"}
    assert (await post_form(client, "/login", "/login", elsewhere)).headers["Location"] == "/settings/tokens"


@pytest.mark.parametrize("fields", [{"theme": "pink"}, {"theme": "dark", "landing": "https://evil.example"}])
async def test_other_choices_are_refused(client: Browser, call: Call, fields: dict[str, str]) -> None:
    await sign_in(client, (await person(call)).username)
    assert (await post_form(client, HOME, f"{HOME}/preferences", fields)).status == 400
    assert await call.db.value("select theme || landing from users") == ""


class TestModuleOff:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, given=Secret({"PATCHMON_DISABLED_MODULES": "docker"}))

    async def test_the_subscription_says_what_is_off(self, client: Browser, call: Call) -> None:
        await sign_in(client, (await person(call)).username)
        page = await (await client.get(HOME, headers=HTML)).text()
        part = page.split("Parts of the product")[1]
        assert "(off)" in part.split("Docker")[1].split("</li>")[0]
        assert "(off)" not in part.split("Patching")[1].split("</li>")[0]


@pytest.mark.proves("PROFILE-03")
async def test_settings_open_at_the_highest_page_one_may_see(client: Browser, call: Call) -> None:
    await role_with(call, "keeper", "can_manage_settings")
    await role_with(call, "seer", "can_view_users")
    expected = {"superadmin": "/settings/users", "seer": "/settings/users", "keeper": "/settings/branding",
                "readonly": "/settings/profile"}  # fmt: skip
    for role, path in expected.items():
        client.session.cookie_jar.clear()
        await sign_in(client, (await person(call, role)).username)
        answer = await client.get("/settings", headers=HTML, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, path), role
        assert (await client.get(path, headers=HTML)).status == 200


@pytest.mark.proves("PROFILE-04", "SET-01")
async def test_the_settings_have_sections_and_say_what_the_environment_decides(as_admin: Browser) -> None:
    page = await (await as_admin.get("/settings/users", headers=HTML)).text()
    bar = page.split('aria-label="Settings"')[1].split("</nav>")[0]
    titles = re.findall(r'class="nav-title">([^<]+)', bar)
    assert titles == ["You", "User Management", "Hosts Management", "Integrations", "Server"]
    under = {title: bar.split(f">{title}<")[1].split("</section>")[0] for title in titles}
    assert "/settings/roles" in under["User Management"]
    assert "/settings/agent-config" in under["Hosts Management"]
    assert "/settings/server-url" in under["Server"]
    assert "/settings/users" not in under["Server"]


class TestOverridden:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, given=Secret({"MAX_LOGIN_ATTEMPTS": "7"}))

    @pytest.mark.proves("PROFILE-04")
    async def test_what_the_environment_decides_has_a_badge(self, as_admin: Browser) -> None:
        page = await (await as_admin.get("/settings/environment", headers=HTML)).text()
        row = page.split("MAX_LOGIN_ATTEMPTS")[1].split("</tr>")[0]
        assert re.search(r"is-attention[^>]*>\s*(<[^>]+>\s*)*env", row), row
        other = page.split("LOCKOUT_DURATION_MINUTES")[1].split("</tr>")[0]
        assert ">env<" not in other
