"""The first administrator: by the one-time link, once, whoever is faster."""

import asyncio
from dataclasses import replace

import pytest

from server.core.call import Call, World
from server.core.env import Env
from server.core.secretbox import Secret
from server.identity.service import setup_link
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, form_token, person
from tests.identity.wizard_steps import FORM, Wizard

ADA = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "username": "ada",
    "email": "ada@example.com",
    "password": PASSWORD,
}


async def token_of_link(world: World) -> str:
    link = await setup_link(world, "https://patch.example.com/")
    assert link is not None
    assert link.startswith("https://patch.example.com/setup?token=")
    return link.split("token=")[1]


@pytest.mark.proves("OPS-40", "SETUP-01")
async def test_every_visitor_gets_the_setup_page_until_there_is_an_administrator(client: Browser, call: Call) -> None:
    await person(call, "user")
    for path in ("/", "/login", "/hosts", "/settings/tokens"):
        answer = await client.get(path, headers=HTML, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/setup"), path
    page = await (await client.get("/", headers=HTML)).text()
    assert "one-time link" in page
    assert "<form" not in page.split("<main")[1].split("</main>")[0]

    await person(call, "admin")
    for path in ("/setup", "/setup?token=whatever", "/"):
        answer = await client.get(path, headers=HTML, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/login"), path


@pytest.mark.proves("SETUP-07", "OPS-46", "SETUP-18")
async def test_the_link_leads_to_a_signed_in_superadmin(client: Browser, world: World, call: Call) -> None:
    wizard = Wizard(client, await token_of_link(world))
    answer = await wizard.enter_person(role="readonly")
    assert answer.status == 303, await answer.text()
    await wizard.enter_url()
    answer = await wizard.finish()
    assert answer.headers["Location"] == "/"
    profile = await (await client.get("/api/v1/auth/profile")).json()
    assert (profile["user"]["username"], profile["user"]["role"]) == ("ada", "superadmin")
    assert "password" not in str(profile)
    settings = await (await client.get("/api/v1/settings")).json()
    assert settings["server_url"] == "https://patch.example.com"
    recorded = await call.db.column("select action from audit_log order by id")
    assert "identity.first_admin_created" in recorded
    assert (await client.get("/", headers=HTML)).status == 200


@pytest.mark.proves("SETUP-06", "OPS-45")
async def test_a_second_setup_is_refused(client: Browser, world: World) -> None:
    token = await token_of_link(world)
    first = await client.post("/api/v1/auth/setup-admin", json={**ADA, "token": token, "role": "readonly"})
    body = await first.json()
    assert first.status == 201
    assert set(body) >= {"message", "token", "refresh_token", "expires_at", "user"}
    assert body["user"]["role"] == "superadmin"
    second = await client.post(f"/api/v1/auth/setup-admin?token={token}", json={**ADA, "username": "eve"})
    assert second.status == 400
    assert (await second.json())["error"] == ("Admin users already exist. This endpoint is only for first-time setup.")
    assert await setup_link(world, "http://x") is None


@pytest.mark.proves("SETUP-06")
async def test_of_twenty_simultaneous_setups_one_wins(client: Browser, world: World, call: Call) -> None:
    token = await token_of_link(world)

    async def attempt(number: int) -> tuple[int, str]:
        body = {**ADA, "username": f"ada{number}", "email": f"ada{number}@example.com", "token": token}
        answer = await client.post("/api/v1/auth/setup-admin", json=body)
        return answer.status, (await answer.json()).get("error", "")

    answers = await asyncio.gather(*(attempt(number) for number in range(20)))
    assert sorted(status for status, _ in answers) == [201] + [400] * 19
    assert {text for status, text in answers if status == 400} == {
        "Admin users already exist. This endpoint is only for first-time setup."
    }
    assert await call.db.value("select count(*) from users") == 1


@pytest.mark.parametrize("given", ["", "wrong", "0" * 48])
async def test_without_the_link_nobody_becomes_administrator(
    client: Browser, world: World, call: Call, given: str
) -> None:
    await token_of_link(world)
    answer = await client.post("/api/v1/auth/setup-admin", json={**ADA, "token": given})
    assert answer.status == 403
    assert "set-up link" in (await answer.json())["error"]
    page = await client.post(
        "/setup", data={**FORM, "token": given, "csrf": await form_token_of_link(client, world)}, headers=HTML
    )
    assert page.status == 403
    assert await call.db.value("select count(*) from users") == 0


async def form_token_of_link(client: Browser, world: World) -> str:
    return await form_token(client, f"/setup?token={await token_of_link(world)}")


@pytest.mark.proves("SETUP-16")
async def test_a_weak_password_is_refused_and_the_link_stays_good(client: Browser, world: World) -> None:
    token = await token_of_link(world)
    answer = await client.post("/api/v1/auth/setup-admin", json={**ADA, "password": "abcdefgh", "token": token})
    body = await answer.json()
    assert (answer.status, body["error"]) == (400, "Password does not meet the password policy")
    assert "one digit" in body["complaints"]["password"]
    assert (await client.post("/api/v1/auth/setup-admin", json={**ADA, "token": token})).status == 201


@pytest.mark.proves("SETUP-04", "OPS-43")
async def test_the_form_comes_back_with_every_complaint_and_no_password(client: Browser, world: World) -> None:
    wizard = Wizard(client, await token_of_link(world))
    answer = await wizard.enter_person(email="nowhere", username="a", first_name="")
    page = await answer.text()
    assert answer.status == 400
    for complaint in ("must be an email address", "at least 2 characters", "is required"):
        assert complaint in page
    assert 'value="nowhere"' in page
    assert PASSWORD not in page
    different = await wizard.enter_person(confirm="else")
    assert "The two passwords are not the same" in await different.text()


@pytest.mark.proves("OPS-44")
async def test_login_settings_tell_the_policy_that_is_enforced(client: Browser, call: Call) -> None:
    strict = await (await client.get("/api/v1/settings/login-settings")).json()
    assert strict["password_policy"] == {
        "min_length": 8,
        "require_uppercase": True,
        "require_lowercase": True,
        "require_number": True,
        "require_special": True,
    }
    assert (strict["show_newsletter"], strict["has_admin_users"], strict["hasAdminUsers"]) == (False, False, False)
    await person(call, "superadmin")
    later = await (await client.get("/api/v1/settings/login-settings")).json()
    assert later["has_admin_users"] is True


class TestLaxPolicy:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        names = ("PASSWORD_REQUIRE_UPPERCASE", "PASSWORD_REQUIRE_NUMBER", "PASSWORD_REQUIRE_SPECIAL")
        return replace(env, given=Secret(dict.fromkeys(names, "false")))

    async def test_the_environment_decides_what_a_password_needs(self, client: Browser, world: World) -> None:
        told = await (await client.get("/api/v1/settings/login-settings")).json()
        assert told["password_policy"]["require_uppercase"] is False
        token = await token_of_link(world)
        answer = await client.post("/api/v1/auth/setup-admin", json={**ADA, "password": "abcdefgh", "token": token})
        assert answer.status == 201


async def test_links_are_kept_as_verifiers_and_only_a_few(world: World, call: Call) -> None:
    given = [await token_of_link(world) for _ in range(7)]
    stored = await call.db.column("select verifier from setup_links")
    assert len(stored) == 5
    assert not any(token in " ".join(stored) for token in given)


async def test_the_page_with_a_link_tells_no_other_site(client: Browser, world: World) -> None:
    answer = await client.get(f"/setup?token={await token_of_link(world)}", headers=HTML)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
