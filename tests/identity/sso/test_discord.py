"""Signing in with Discord, and linking it."""

from typing import Any

import pytest
from yarl import URL

from server.core.call import Call
from server.identity.sso import config, discord
from tests.conftest import Browser
from tests.factories.people import HTML, person, post_form, sign_in
from tests.factories.people import PASSWORD as LOCAL
from tests.identity.sso.conftest import Landed, NewBrowser, come_back, me, set_out
from tests.stand_ins.identity_provider import CLIENT, PASSWORD, PNG, Provider

START = "/api/v1/auth/discord/login"
SAME = {"Sec-Fetch-Site": "same-origin"}
GRACE: dict[str, Any] = {
    "id": "80351110224678912",
    "username": "grace hopper!",
    "global_name": "Amazing Grace",
    "avatar": "8342729096ea3675442027381ff50dfe",
    "verified": True,
    "email": "grace@example.com",
}


@pytest.fixture
def variables() -> dict[str, str]:
    """Only Discord, at the stand-in."""
    return {"OIDC_ENABLED": "", "DISCORD_API_URL": "", "OUTBOUND_ALLOW_PRIVATE": "127.0.0.0/8"}


@pytest.fixture(autouse=True)
async def at_discord(call: Call, provider: Provider, root: None) -> None:
    """Discord is set up, and Grace is who comes from there."""
    assert root is None
    provider.discord = dict(GRACE)
    await discord.change(call, {"discord_oauth_enabled": True, "discord_client_id": CLIENT})
    await config.change_secret(call, config.FOR_DISCORD, PASSWORD)


async def allow_strangers(call: Call, role: str = "readonly") -> None:
    from server.settings import service as settings  # noqa: PLC0415

    await settings.change(call, {"signup_enabled": True, "default_user_role": role})


async def enter(browser: Browser) -> Landed:
    return await come_back(browser, await set_out(browser, START))


@pytest.mark.proves("DISCORD-06")
async def test_a_way_to_discord_is_good_once_and_for_one_browser(
    client: Browser, new_browser: NewBrowser, provider: Provider, call: Call
) -> None:
    await allow_strangers(call)
    start = await client.get(START, headers=HTML, allow_redirects=False)
    cookie = start.cookies["discord_state"]
    assert (cookie["httponly"], cookie["max-age"]) == (True, "600")
    asked = URL(start.headers["Location"]).query
    assert (asked["scope"], asked["code_challenge_method"]) == ("identify email", "S256")
    back = await set_out(client, START)
    assert (await come_back(await new_browser(), back)).error == "Session Expired"
    assert (await come_back(client, back)).location == "/"
    replayed = await come_back(client, back)
    assert "Session Expired" in await (await client.get(replayed.location, headers=HTML)).text()
    assert len(provider.redeemed[0]["code_verifier"]) >= 43


@pytest.mark.proves("DISCORD-07")
async def test_a_verified_address_links_and_the_identity_signs_in_from_then_on(
    client: Browser, new_browser: NewBrowser, provider: Provider, call: Call
) -> None:
    known = await person(call, "host_manager", username="hopper")
    provider.discord |= {"email": known.email}
    assert (await enter(client)).location == "/"
    assert (await me(client) or {})["id"] == known.id
    provider.discord |= {"email": "other@example.com", "verified": False}
    again = await new_browser()
    await enter(again)
    assert (await me(again) or {})["id"] == known.id


@pytest.mark.proves("DISCORD-07", "DISCORD-09")
@pytest.mark.parametrize("verified", [False, None, "true"])
async def test_an_address_nobody_verified_links_nothing(
    client: Browser, provider: Provider, call: Call, verified: object
) -> None:
    known = await person(call, "admin", username="hopper")
    provider.discord |= {"email": known.email, "verified": verified}
    landed = await enter(client)
    assert landed.location == "/login?error=User+not+found"
    assert await me(client) is None
    # Nor may a new account take the address that its owner may still come with.
    await allow_strangers(call)
    await enter(client)
    assert (await me(client) or {})["email"] == f"discord_{GRACE['id']}@discord.local"


async def test_an_account_that_waits_with_anothers_address_is_not_filled_by_its_owner(
    client: Browser, new_browser: NewBrowser, call: Call
) -> None:
    await allow_strangers(call)
    mallory = await new_browser()
    body = {"username": "mallory", "email": GRACE["email"], "password": LOCAL, "firstName": "M", "lastName": "L"}
    assert (await mallory.post("/api/v1/auth/signup", json=body)).status == 201
    assert (await enter(client)).error == "Link your account first"
    assert await me(client) is None
    assert await call.db.value("select count(*) from user_identities") == 0


@pytest.mark.proves("DISCORD-08", "SIGNUP-03", "PROFILE-02", "SET-07")
async def test_strangers_get_an_account_where_people_may_register_themselves(
    client: Browser, new_browser: NewBrowser, provider: Provider, call: Call
) -> None:
    assert (await enter(client)).location == "/login?error=User+not+found"
    await allow_strangers(call)
    await person(call, username="GraceHopper")
    await enter(client)
    user = await me(client) or {}
    assert (user["username"], user["email"], user["role"]) == ("gracehopper2", "grace@example.com", "readonly")
    assert await (await client.get(f"/avatars/{user['id']}")).read() == PNG
    # Nobody becomes an administrator by themselves, whatever the default is.
    await allow_strangers(call, "admin")
    provider.discord = {"id": "7", "username": "x"}
    other = await new_browser()
    await enter(other)
    user = await me(other) or {}
    assert (user["username"], user["email"], user["role"]) == ("xuser", "discord_7@discord.local", "user")


@pytest.mark.proves("DISCORD-10", "DISCORD-11", "SET-07")
async def test_an_account_is_linked_from_the_profile_and_unlinked_again(
    client: Browser, new_browser: NewBrowser, call: Call
) -> None:
    known = await person(call, username="hopper")
    await sign_in(client, known.username)
    page = await post_form(client, "/settings/profile", "/settings/linked/discord")
    assert "discord.test" not in await page.text()
    answer = await client.post("/api/v1/auth/discord/link", headers=SAME)
    back = await asked_at(URL((await answer.json())["url"]))
    landed = await come_back(client, back)
    assert landed.location == "/settings/profile?discord_linked=true"
    shown = await (await client.get(landed.location, headers=HTML)).text()
    assert "Your Discord account is linked." in shown
    assert "Amazing Grace" in shown
    assert "Unlink Discord" in shown

    # A Discord identity belongs to one person only.
    other = await new_browser()
    await sign_in(other, (await person(call)).username)
    answer = await other.post("/api/v1/auth/discord/link", headers=SAME)
    landed = await come_back(other, await asked_at(URL((await answer.json())["url"])))
    assert "Already linked" in await (await other.get(landed.location, headers=HTML)).text()
    assert await call.db.value("select count(*) from user_identities") == 1

    gone = await client.post("/api/v1/auth/discord/unlink", headers=SAME)
    assert gone.status == 200
    again = await client.post("/api/v1/auth/discord/unlink", headers=SAME)
    assert (again.status, (await again.json())["code"]) == (400, "not_linked")


@pytest.mark.proves("DISCORD-11")
async def test_the_only_way_in_stays_linked(client: Browser, call: Call) -> None:
    await allow_strangers(call)
    await enter(client)
    refused = await client.post("/api/v1/auth/discord/unlink", headers=SAME)
    assert (refused.status, (await refused.json())["code"]) == (400, "only_sign_in_method")
    shown = await (await client.get("/settings/profile", headers=HTML)).text()
    assert "your only way to sign in" in shown


async def test_who_links_is_who_set_out(client: Browser, new_browser: NewBrowser, call: Call) -> None:
    """Somebody else's way, finished in this person's browser, links nothing."""
    await sign_in(client, (await person(call)).username)
    answer = await client.post("/api/v1/auth/discord/link", headers=SAME)
    back = await asked_at(URL((await answer.json())["url"]))
    victim = await new_browser()
    await sign_in(victim, (await person(call)).username)
    await come_back(victim, back)
    # Also in the same browser, when another person has signed in meanwhile.
    await sign_in(client, (await person(call)).username)
    await come_back(client, back)
    assert await call.db.value("select count(*) from user_identities") == 0


async def test_a_second_factor_of_ones_own_is_still_asked_for(client: Browser, provider: Provider, call: Call) -> None:
    known = await person(call, username="hopper")
    provider.discord |= {"email": known.email}
    await call.db.execute(
        "update users set tfa_enabled = true, tfa_secret = %(secret)s where id = %(id)s",
        secret=call.world.box.seal("JBSWY3DPEHPK3PXP"),
        id=known.id,
    )
    landed = await enter(client)
    assert (landed.answer.status, landed.location) == (200, "")
    assert "Verification Code" in await landed.answer.text()
    assert "token" not in landed.answer.cookies
    assert await me(client) is None


class TestBesideAnEnforcedProvider:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {"OIDC_DISABLE_LOCAL_AUTH": "true"}

    @pytest.mark.proves("DISCORD-12")
    async def test_discord_is_closed_with_the_passwords(self, client: Browser) -> None:
        assert "Discord" not in await (await client.get("/login", headers=HTML)).text()
        answer = await client.get(START, headers=HTML, allow_redirects=False)
        assert answer.headers["Location"] == "/login?error=Local+authentication+is+disabled"


async def test_what_discord_refuses_opens_nothing(client: Browser, provider: Provider, call: Call) -> None:
    await allow_strangers(call)
    back = await set_out(client, START)
    denied = back.with_query(state=back.query["state"], error="access_denied")
    assert (await come_back(client, denied)).error == "Authentication Failed"
    provider.discord = {"id": "../../admin", "username": "x"}
    assert (await enter(client)).error == "Authentication Failed"
    provider.discord = {"username": "x"}
    assert (await enter(client)).error == "Authentication Failed"
    provider.password = "other"
    assert (await enter(client)).error == "Authentication Failed"
    assert await me(client) is None


async def asked_at(url: URL) -> URL:
    """Ask Discord and return where it sends the browser back to."""
    from aiohttp import ClientSession  # noqa: PLC0415

    async with ClientSession() as outside, outside.get(url, allow_redirects=False) as answer:
        return URL(answer.headers["Location"], encoded=True)
