"""Signing in with an OpenID provider: who gets in, as whom, and in which role."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from aiohttp import ClientSession
from yarl import URL

from server.core.call import Call
from server.settings import service as settings
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, bearer, person, post_form, sign_in
from tests.identity.conftest import Move
from tests.identity.sso.conftest import (
    ADA,
    NewBrowser,
    come_back,
    enter,
    heading,
    local_sign_in,
    me,
    set_out,
)
from tests.stand_ins.identity_provider import CLIENT, PNG, Provider
from tests.stand_ins.identity_provider import PASSWORD as CLIENT_PASSWORD

CONFIG = "/api/v1/auth/oidc/config"
SAME = {"Sec-Fetch-Site": "same-origin"}


async def accounts(call: Call) -> list[dict[str, Any]]:
    return await call.db.all("select username, email, role, password_hash from users order by created_at, username")


@pytest.mark.proves("OIDC-01", "OIDC-02", "OIDC-15", "OIDC-16", "LOGIN-01")
@pytest.mark.usefixtures("root")
async def test_the_way_to_the_provider_and_back_signs_in(client: Browser, provider: Provider) -> None:
    page = await (await client.get("/login", headers=HTML)).text()
    assert "Login with SSO" in page
    landed = await enter(client)
    assert (landed.answer.status, landed.location) == (302, "/?oidc=success")
    for name in ("token", "refresh_token"):
        assert landed.answer.cookies[name]["httponly"] is True
    user = await me(client)
    assert user is not None
    assert (user["username"], user["email"], user["role"]) == ("ada.lovelace", ADA["email"], "user")

    asked = provider.asked[0]
    assert (asked["code_challenge_method"], asked["scope"]) == ("S256", "openid email profile groups")
    assert asked["redirect_uri"] == "http://patchmon.test/api/v1/auth/oidc/callback"
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
    assert "client_secret" not in provider.redeemed[0]
    assert asked["code_challenge"] != provider.redeemed[0]["code_verifier"]


@pytest.mark.usefixtures("root")
async def test_it_leads_to_the_page_that_was_wanted_but_to_no_other_site(
    client: Browser, new_browser: NewBrowser
) -> None:
    assert (await enter(client, "/api/v1/auth/oidc/login?next=/hosts")).location == "/hosts"
    elsewhere = await enter(await new_browser(), "/api/v1/auth/oidc/login?next=//evil.example/")
    assert elsewhere.location == "/?oidc=success"


@pytest.mark.proves("OIDC-15")
@pytest.mark.usefixtures("root")
async def test_a_way_back_is_good_once_for_one_browser_and_for_a_while(
    client: Browser, new_browser: NewBrowser, pass_time: Move
) -> None:
    back = await set_out(client)
    foreign = await come_back(await new_browser(), back)
    assert foreign.error == "Session Expired"
    assert await heading(client, foreign.location) == "Session Expired"
    other = await come_back(client, back.update_query(state="0" * 64))
    assert other.error == "Session Expired"
    without = await come_back(client, back.without_query_params("state"))
    assert without.error == "Session Expired"
    # None of these used up the way of the browser that set out.
    assert (await come_back(client, back)).location == "/?oidc=success"

    replayed = await come_back(client, back)
    assert replayed.error == "Session Expired"

    late = await new_browser()
    back = await set_out(late)
    pass_time(timedelta(seconds=601))
    assert (await come_back(late, back)).error == "Session Expired"
    assert await me(late) is None


class TestShortLife:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {"OIDC_SESSION_TTL": "60"}

    @pytest.mark.proves("OIDC-14")
    @pytest.mark.usefixtures("root")
    async def test_how_long_the_way_may_take_is_the_operators_word(
        self, client: Browser, new_browser: NewBrowser, pass_time: Move
    ) -> None:
        start = await client.get("/api/v1/auth/oidc/login", headers=HTML, allow_redirects=False)
        cookie = start.cookies["oidc_state"]
        assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", "60")
        back = await set_out(client)
        pass_time(timedelta(seconds=55))
        assert (await come_back(client, back)).location == "/?oidc=success"
        late = await new_browser()
        back = await set_out(late)
        pass_time(timedelta(seconds=61))
        assert (await come_back(late, back)).error == "Session Expired"


@pytest.mark.proves("OIDC-18")
@pytest.mark.usefixtures("root")
async def test_a_verified_address_links_and_the_subject_is_who_it_is_from_then_on(
    client: Browser, new_browser: NewBrowser, provider: Provider, call: Call
) -> None:
    known = await person(call, "host_manager", username="countess")
    provider.person |= {"email": known.email.upper()}
    await enter(client)
    user = await me(client)
    assert user is not None
    assert (user["id"], user["role"]) == (known.id, "host_manager")

    # Another address at the provider changes nothing about who this is.
    provider.person |= {"email": "somebody.else@example.com"}
    again = await new_browser()
    await enter(again)
    assert (await me(again) or {})["id"] == known.id

    # The address has a new owner at the provider: that is another person.
    provider.person |= {"sub": "ada-2", "email": known.email}
    other = await new_browser()
    landed = await enter(other)
    assert landed.error == "Already linked"
    assert await me(other) is None


@pytest.mark.proves("OIDC-18")
@pytest.mark.parametrize("said", [{"email_verified": False}, {"email_verified": None}, {"email_verified": "false"}])
@pytest.mark.usefixtures("root")
async def test_an_address_nobody_verified_links_nothing(
    client: Browser, provider: Provider, call: Call, said: dict[str, Any]
) -> None:
    known = await person(call, "admin", username="countess")
    provider.person |= {"email": known.email, **said}
    landed = await enter(client)
    assert landed.error == "Email not verified by identity provider"
    assert await me(client) is None
    assert await call.db.value("select count(*) from user_identities") == 0
    assert await heading(client, landed.location) == "Email not verified by identity provider"


async def register(browser: Browser, email: str, name: str = "mallory") -> str:
    """Make an account as anybody may; return its id."""
    body = {"username": name, "email": email, "password": PASSWORD, "firstName": "M", "lastName": "L"}
    answer = await browser.post("/api/v1/auth/signup", json=body)
    assert answer.status == 201, await answer.text()
    await sign_in(browser, name)
    return str((await me(browser) or {})["id"])


@pytest.mark.proves("OIDC-18")
@pytest.mark.usefixtures("root")
async def test_an_account_that_waits_with_anothers_address_is_not_filled_by_its_owner(
    client: Browser, new_browser: NewBrowser, call: Call
) -> None:
    await settings.change(call, {"signup_enabled": True})
    mallory = await new_browser()
    account = await register(mallory, ADA["email"])
    landed = await enter(client)
    assert landed.error == "Link your account first"
    assert await heading(client, landed.location) == "Link your account first"
    assert await me(client) is None
    assert await call.db.value("select count(*) from user_identities") == 0

    # If it was Ada herself she knows the password, and links the account from its profile.
    page = await post_form(mallory, "/settings/profile", "/settings/linked/oidc")
    away = re.search(r'href="([^"]+/authorize[^"]+)"', await page.text())
    assert away is not None
    async with (
        ClientSession() as outside,
        outside.get(URL(unescape(away[1]), encoded=True), allow_redirects=False) as at,
    ):
        back = URL(at.headers["Location"], encoded=True)
    linked = await come_back(mallory, back)
    assert linked.location == "/settings/profile?oidc_linked=true"
    shown = await (await mallory.get(linked.location, headers=HTML)).text()
    assert "Your single sign-on account is linked." in shown
    assert "Link single sign-on" not in shown
    await enter(client)
    assert (await me(client) or {})["id"] == account


@pytest.mark.usefixtures("root")
async def test_an_address_that_somebody_gave_themselves_later_waits_for_nobody_either(
    client: Browser, new_browser: NewBrowser, call: Call
) -> None:
    mallory = await new_browser()
    known = await person(call, username="mallory")
    await sign_in(mallory, "mallory")
    said = await mallory.put("/api/v1/auth/profile", json={"username": "mallory", "email": ADA["email"]}, headers=SAME)
    assert said.status == 200, await said.text()
    assert (await enter(client)).error == "Link your account first"
    # An administrator who enters the same address says that it is this person's.
    admin = await new_browser()
    await sign_in(admin, "root")
    for email in ("elsewhere@example.com", ADA["email"]):
        path = f"/api/v1/auth/admin/users/{known.id}"
        assert (await admin.put(path, json={"email": email}, headers=SAME)).status == 200
    await enter(client)
    assert (await me(client) or {})["id"] == known.id


@pytest.mark.proves("ENTRA-06")
@pytest.mark.usefixtures("root")
async def test_entra_says_verified_in_another_way_and_may_leave_the_address_to_the_user_name(
    client: Browser, new_browser: NewBrowser, provider: Provider, call: Call
) -> None:
    known = await person(call, username="countess")
    provider.person = {"sub": "s1", "email": known.email, "xms_edov": True}
    await enter(client)
    assert (await me(client) or {})["id"] == known.id

    provider.person = {"sub": "s2", "preferred_username": "grace@example.com", "given_name": "Grace"}
    other = await new_browser()
    await enter(other)
    user = await me(other) or {}
    assert (user["username"], user["email"], user["first_name"]) == ("grace", "grace@example.com", "Grace")
    # That an address stands in for a missing one does not make it verified.
    mine = await person(call, username="margaret")
    provider.person = {"sub": "s3", "preferred_username": mine.email, "email_verified": True}
    assert (await enter(await new_browser())).error == "Email not verified by identity provider"


@pytest.mark.proves("OIDC-19")
@pytest.mark.usefixtures("root")
async def test_names_of_new_accounts_are_made_unique(
    client: Browser, new_browser: NewBrowser, provider: Provider, call: Call
) -> None:
    await person(call, username="John.Doe")
    for number, (email, wanted) in enumerate(
        [("john.doe@a.example", "john.doe2"), ("john.doe@b.example", "john.doe3"), ("+@c.example", "user")]
    ):
        provider.person = {"sub": f"j{number}", "email": email, "email_verified": False}
        browser = await new_browser()
        await enter(browser)
        assert (await me(browser) or {})["username"] == wanted
    provider.person = {"sub": "nobody"}
    assert (await enter(client)).error == "The identity provider sent no email address"


class TestNoNewcomers:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {"OIDC_AUTO_CREATE_USERS": "false"}

    @pytest.mark.proves("OIDC-19")
    @pytest.mark.usefixtures("root")
    async def test_who_has_no_account_gets_none(self, client: Browser, provider: Provider, call: Call) -> None:
        landed = await enter(client)
        assert landed.error == "User Not Found"
        assert await heading(client, landed.location) == "User Not Found"
        assert len(await accounts(call)) == 1
        known = await person(call, username="countess")
        provider.person |= {"email": known.email}
        await enter(client)
        assert (await me(client) or {})["id"] == known.id

    async def test_an_administrator_may_link_ahead(
        self, as_admin: Browser, new_browser: NewBrowser, provider: Provider, call: Call
    ) -> None:
        from tests.factories.people import post_form  # noqa: PLC0415

        known = await person(call, username="countess")
        provider.person = {"sub": "00000000-aaaa", "email": known.email}
        assert (await enter(await new_browser())).error == "Email not verified by identity provider"
        page = f"/settings/users/{known.id}"
        await post_form(as_admin, page, f"{page}/oidc-subject", {"oidc_subject": "00000000-aaaa"})
        browser = await new_browser()
        await enter(browser)
        assert (await me(browser) or {})["id"] == known.id
        assert "00000000-aaaa" in await (await as_admin.get(page, headers=HTML)).text()
        await post_form(as_admin, page, f"{page}/oidc-subject", {"oidc_subject": ""})
        assert (await enter(await new_browser())).error == "Email not verified by identity provider"

    @pytest.mark.usefixtures("root")
    async def test_nobody_links_ahead_who_stands_below(self, new_browser: NewBrowser, call: Call) -> None:
        from tests.factories.people import post_form, role_with, sign_in_as  # noqa: PLC0415

        await role_with(call, "hr", "can_view_users", "can_manage_users")
        browser = await new_browser()
        await sign_in_as(browser, call, "hr")
        root_id = await call.db.value("select id from users where username = 'root'")
        form = await browser.get("/settings/users/new", headers=HTML)
        assert form.status == 200
        answer = await post_form(
            browser, "/settings/users/new", f"/settings/users/{root_id}/oidc-subject", {"oidc_subject": "me"}
        )
        assert answer.status == 303
        assert await call.db.value("select count(*) from user_identities") == 0


@pytest.mark.proves("OIDC-20", "PROFILE-02")
@pytest.mark.usefixtures("root")
async def test_names_and_picture_follow_the_provider_and_nothing_is_blanked(
    client: Browser, new_browser: NewBrowser, provider: Provider
) -> None:
    provider.person |= {"picture": f"{provider.url}/picture"}
    await enter(client)
    user = await me(client) or {}
    assert (user["first_name"], user["last_name"]) == ("Ada", "Lovelace")

    provider.person |= {"given_name": "Augusta Ada"}
    del provider.person["family_name"]
    again = await new_browser()
    await enter(again)
    user = await me(again) or {}
    assert (user["first_name"], user["last_name"]) == ("Augusta Ada", "Lovelace")


class TestPictures:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {"OUTBOUND_ALLOW_PRIVATE": "127.0.0.0/8"}

    @pytest.mark.proves("OIDC-20", "PROFILE-02")
    async def test_a_picture_is_kept_here_and_shown_from_here(
        self, as_admin: Browser, client: Browser, provider: Provider
    ) -> None:
        provider.person |= {"picture": f"{provider.url}/picture"}
        await enter(client)
        user = await me(client) or {}
        answer = await client.get(f"/avatars/{user['id']}")
        assert (answer.content_type, await answer.read()) == ("image/png", PNG)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        here = f'src="/avatars/{user["id"]}"'
        assert here in await (await client.get("/settings/profile", headers=HTML)).text()
        page = await (await as_admin.get("/settings/users", headers=HTML)).text()
        assert here in page
        assert provider.url not in page

        # At the next sign-in there is another one; what is no picture changes nothing.
        provider.picture = PNG + b"another"
        await enter(client)
        assert await (await client.get(f"/avatars/{user['id']}")).read() == provider.picture
        for unusable in (b"<svg onload='alert(1)'/>", b"\x89PNG\r\n\x1a\n" + bytes(1024 * 1024)):
            kept, provider.picture = provider.picture, unusable
            assert (await enter(client)).location == "/?oidc=success"
            assert await (await client.get(f"/avatars/{user['id']}")).read() == kept
            provider.picture = kept

    @pytest.mark.usefixtures("root")
    async def test_who_is_not_signed_in_sees_no_pictures(self, client: Browser, call: Call) -> None:
        root_id = await call.db.value("select id from users")
        assert (await client.get(f"/avatars/{root_id}")).status == 401


class TestPhotos:
    """Entra names no picture: with the scope User.Read the photo is asked for."""

    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {"OIDC_SCOPES": "openid email profile User.Read", "OUTBOUND_ALLOW_PRIVATE": "127.0.0.0/8"}

    @pytest.mark.proves("ENTRA-04", "PROFILE-02")
    @pytest.mark.usefixtures("root")
    async def test_the_photo_is_asked_for_with_the_token_of_the_sign_in(
        self, client: Browser, new_browser: NewBrowser, provider: Provider
    ) -> None:
        await enter(client)
        user = await me(client) or {}
        answer = await client.get(f"/avatars/{user['id']}")
        assert (answer.content_type, await answer.read()) == ("image/png", PNG)
        headers = next(headers for path, headers in provider.seen if path.startswith("/v1.0/me/photo"))
        assert headers["Authorization"].startswith("Bearer access-")
        # None, one that is too large, one that is no picture: whoever signs in is in.
        for picture in (b"", b"x" * (1024 * 1024 + 1), b"<html>"):
            provider.picture = picture
            assert (await enter(await new_browser())).location == "/?oidc=success"
        assert await (await client.get(f"/avatars/{user['id']}")).read() == PNG


class TestNoPhotos:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {"OIDC_SCOPES": "openid email profile", "OUTBOUND_ALLOW_PRIVATE": "127.0.0.0/8"}

    @pytest.mark.proves("ENTRA-02", "ENTRA-04")
    @pytest.mark.usefixtures("root")
    async def test_without_the_scope_nobody_asks(self, client: Browser, provider: Provider) -> None:
        assert (await enter(client)).location == "/?oidc=success"
        assert provider.asked[0]["scope"] == "openid email profile"
        assert not [path for path, _ in provider.seen if path.startswith("/v1.0")]


@pytest.mark.proves("OIDC-22", "TFA-02")
@pytest.mark.usefixtures("root")
async def test_who_comes_from_the_provider_has_no_password_here(client: Browser, call: Call) -> None:
    await enter(client)
    assert (await accounts(call))[1]["password_hash"] is None
    headers = {
        "Authorization": "Bearer " + client.session.cookie_jar.filter_cookies(client.make_url("/"))["token"].value
    }
    setup = await client.get("/api/v1/tfa/setup", headers=headers)
    assert (setup.status, (await setup.json())["error"]) == (400, "MFA is managed by your OIDC provider")
    change = await client.put(
        "/api/v1/auth/change-password",
        json={"current_password": "", "new_password": "Another-Horse-9"},
        headers=headers,
    )
    assert change.status == 400
    client.session.cookie_jar.clear()
    for password in ("", PASSWORD):
        assert (await local_sign_in(client, "ada.lovelace", password)).status in {400, 401}


@pytest.mark.usefixtures("root")
async def test_who_is_inactive_is_let_in_by_no_provider(client: Browser, new_browser: NewBrowser, call: Call) -> None:
    await enter(client)
    await call.db.execute("update users set is_active = false where username = 'ada.lovelace'")
    browser = await new_browser()
    landed = await enter(browser)
    assert landed.error
    assert await heading(browser, landed.location) == "Authentication Failed"
    assert await me(browser) is None


@pytest.mark.usefixtures("root")
async def test_a_lock_against_guessed_passwords_keeps_nobody_from_the_provider(client: Browser, call: Call) -> None:
    known = await person(call, username="countess")
    for _ in range(5):
        await local_sign_in(client, known.username, "wrong")
    assert (await local_sign_in(client, known.username)).status == 429
    await call.db.execute(
        "insert into user_identities (user_id, provider, issuer, subject, linked_at) "
        "select id, 'oidc', %(issuer)s, 'ada-1', now() from users where username = 'countess'",
        issuer=(call.world.env.given.reveal())["OIDC_ISSUER_URL"],
    )
    await enter(client)
    assert (await me(client) or {})["username"] == "countess"


@pytest.mark.proves("OIDC-26", "SETUP-02")
async def test_the_first_one_administers_and_the_wizard_never_shows(
    client: Browser, new_browser: NewBrowser, provider: Provider
) -> None:
    front = await client.get("/", headers=HTML, allow_redirects=False)
    assert front.headers["Location"] == "/login"
    page = await client.get("/login", headers=HTML, allow_redirects=False)
    assert page.status == 200
    provider.person |= {"groups": ["nobody special"]}
    await enter(client)
    assert (await me(client) or {})["role"] == "superadmin"
    provider.person = {"sub": "second", "email": "grace@example.com"}
    second = await new_browser()
    await enter(second)
    assert (await me(second) or {})["role"] == "user"
    again = await new_browser()
    assert (await again.get("/", headers=HTML, allow_redirects=False)).headers["Location"] == "/login"
    assert await (await again.get("/api/v1/auth/check-admin-users")).json() == {"hasAdminUsers": True}


@pytest.mark.proves("OIDC-16", "ENTRA-02")
@pytest.mark.usefixtures("root")
async def test_what_the_provider_says_reaches_the_sign_in_page(
    client: Browser, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    back = await set_out(client)
    refused = back.with_query(
        state=back.query["state"], error="access_denied", error_description="AADSTS50011: <b>redirect</b> mismatch"
    )
    landed = await come_back(client, refused)
    assert landed.error == "Authentication Failed"
    page = await (await client.get(landed.location, headers=HTML)).text()
    assert "AADSTS50011: &lt;b&gt;redirect&lt;/b&gt; mismatch" in page
    assert "Authentication Failed" in page

    provider.password = "changed meanwhile"
    landed = await enter(client)
    assert "AADSTS7000215" in await (await client.get(landed.location, headers=HTML)).text()
    log = capsys.readouterr()
    assert CLIENT_PASSWORD not in log.out + log.err


@pytest.mark.usefixtures("root")
async def test_the_sign_in_page_shows_no_words_of_strangers(client: Browser) -> None:
    page = await (await client.get("/login?error=Call+0900+to+unlock+your+account", headers=HTML)).text()
    assert "0900" not in page
    assert "Authentication Failed" in page


@pytest.mark.proves("LOGIN-09", "OIDC-17")
@pytest.mark.usefixtures("root")
async def test_signing_out_goes_by_the_provider_and_back_without_a_loop(client: Browser, provider: Provider) -> None:
    from tests.factories.people import form_token  # noqa: PLC0415

    await enter(client)
    token = await form_token(client, "/settings/profile")
    left = await client.post("/logout", data={"csrf": token}, headers=HTML, allow_redirects=False)
    page = await left.text()
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page)
    assert found is not None, page
    url = URL(found[1].replace("&amp;", "&"))
    assert str(url).startswith(f"{provider.url}/logout?")
    assert url.query["post_logout_redirect_uri"] == "http://localhost:3000/login"
    assert url.query["client_id"] == CLIENT
    assert url.query["id_token_hint"].count(".") == 2
    assert await me(client) is None
    # Where one comes back to sends nobody to the provider again.
    login = await client.get("/login", headers=HTML, allow_redirects=False)
    assert login.status == 200


@pytest.mark.proves("OIDC-17")
@pytest.mark.usefixtures("root")
async def test_another_site_signs_nobody_out(client: Browser, provider: Provider) -> None:
    await enter(client)
    path = "/api/v1/auth/oidc/logout"
    foreign = await client.get(path, headers={**HTML, "Sec-Fetch-Site": "cross-site"}, allow_redirects=False)
    assert foreign.headers["Location"] == "/"
    assert await me(client) is not None
    own = await client.get(path, headers={**HTML, "Sec-Fetch-Site": "same-origin"}, allow_redirects=False)
    assert own.headers["Location"].startswith(f"{provider.url}/logout?")
    assert await me(client) is None


class TestPostLogout:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {
            "OIDC_POST_LOGOUT_URI": "https://portal.example/bye",
            "CORS_ORIGIN": "https://a.example,https://b.example",
        }

    @pytest.mark.proves("OIDC-17")
    @pytest.mark.usefixtures("root")
    async def test_where_one_arrives_is_the_operators_word(self, client: Browser) -> None:
        await enter(client)
        answer = await client.post("/api/v1/auth/logout", headers={"Sec-Fetch-Site": "same-origin"})
        url = URL((await answer.json())["logout_url"])
        assert url.query["post_logout_redirect_uri"] == "https://portal.example/bye"


@pytest.mark.usefixtures("root")
async def test_a_session_of_ones_own_password_ends_here_alone(client: Browser) -> None:
    from tests.factories.people import form_token  # noqa: PLC0415

    await local_sign_in(client, "root")
    token = await form_token(client, "/settings/profile")
    left = await client.post("/logout", data={"csrf": token}, headers=HTML, allow_redirects=False)
    assert (left.status, left.headers["Location"]) == (303, "/login")


@pytest.mark.usefixtures("root")
async def test_programs_are_told_what_the_sign_in_page_needs(client: Browser) -> None:
    wanted = {"enabled": True, "buttonText": "Login with SSO", "disableLocalAuth": False, "syncRoles": False}
    assert await (await client.get(CONFIG)).json() == wanted
    settings = await (await client.get("/api/v1/settings/login-settings")).json()
    assert settings["oidc"] == {"enabled": True, "button_text": "Login with SSO", "disable_local_auth": False}


@pytest.mark.proves("IDAUD-02")
@pytest.mark.usefixtures("root")
async def test_the_audit_log_says_how_somebody_came(client: Browser, call: Call) -> None:
    await enter(client)
    rows = await call.db.all("select action, detail from audit_log order by id")
    entry = next(row for row in rows if row["action"] == "identity.signed_in")
    assert entry["detail"]["method"] == "oidc"
    assert await call.db.value("select method from user_sessions") == "oidc"
    text = str(rows)
    sealed = await call.db.value("select sealed_id_token from user_sessions")
    assert sealed
    assert "eyJ" not in text + sealed
    assert await bearer(call)
