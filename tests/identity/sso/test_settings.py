"""Setting single sign-on and Discord up, from the page, from programs and from the environment."""

import pytest

from server.core.call import Call
from server.settings import service as settings
from tests.conftest import Browser
from tests.factories.people import HTML, form_token, post_form, role_with, sign_in_as
from tests.identity.sso.conftest import NewBrowser, enter, me
from tests.stand_ins.identity_provider import CLIENT, PASSWORD, Provider

PAGE = "/settings/oidc-auth"
API = "/api/v1/auth/oidc/settings"
SAME = {"Sec-Fetch-Site": "same-origin"}
FORM = {
    "oidc_issuer_url": "",
    "oidc_client_id": CLIENT,
    "oidc_redirect_uri": "",
    "oidc_scopes": "openid email profile User.Read",
    "oidc_button_text": "Enter with Keycloak",
    "oidc_post_logout_uri": "",
    "oidc_enforce_https": "false",
    "oidc_sync_roles": "false",
    "oidc_disable_local_auth": "false",
    "oidc_auto_create_users": "true",
    "oidc_default_role": "readonly",
    "oidc_superadmin_group": "",
    "oidc_admin_group": "Admins",
    "oidc_host_manager_group": "",
    "oidc_user_group": "",
    "oidc_readonly_group": "",
}


class TestFromThePage:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        unset = ("ENABLED", "ISSUER_URL", "CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI", "ENFORCE_HTTPS")
        return {
            **{f"OIDC_{name}": "" for name in (*unset, "AUTO_CREATE_USERS")},
            "OUTBOUND_ALLOW_PRIVATE": "127.0.0.0/8",
        }

    @pytest.mark.proves(
        "OIDC-03", "OIDC-07", "OIDC-08", "OIDC-09", "OIDC-10", "OIDC-30", "ENTRA-01", "ENTRA-02", "SET-08"
    )
    async def test_everything_is_set_up_without_a_restart(
        self, as_admin: Browser, new_browser: NewBrowser, provider: Provider, call: Call
    ) -> None:
        page = await (await as_admin.get(PAGE, headers=HTML)).text()
        for text in (
            "Enable OIDC / SSO", "Enforce HTTPS", "Sync roles from IdP", "Disable local auth", "Auto-create users",
            "Issuer URL", "Client ID", "Client Secret", "Not set", "Callback URL", "Redirect URI", "Scopes",
            "Button Text", "Apply", "Role Mapping", "OIDC Mapped Role (IdP Group Name)", "Default (fallback)",
            "openid email profile groups", "Login with SSO", "/api/v1/auth/oidc/callback", "Make sure first that one",
        ):  # fmt: skip
            assert text in page, text
        assert "configured via .env" not in page

        saved = await post_form(as_admin, PAGE, PAGE, {**FORM, "oidc_issuer_url": provider.url})
        assert saved.status == 303
        assert "OIDC settings saved" in await (await as_admin.get(PAGE, headers=HTML)).text()
        kept = await post_form(as_admin, PAGE, f"{PAGE}/secret", {"secret": PASSWORD})
        assert kept.status == 303
        login = await new_browser()
        assert "Enter with Keycloak" not in await (await login.get("/login", headers=HTML)).text()
        await post_form(as_admin, PAGE, f"{PAGE}/enabled", {"oidc_enabled": "true"})
        assert "Enter with Keycloak" in await (await login.get("/login", headers=HTML)).text()

        provider.person |= {"groups": ["admins"]}
        await enter(login)
        assert (await me(login) or {})["role"] == "admin"
        assert provider.asked[-1]["scope"] == "openid email profile User.Read"
        assert provider.asked[-1]["redirect_uri"].endswith(":3000/api/v1/auth/oidc/callback")

        await post_form(as_admin, PAGE, f"{PAGE}/enabled", {"oidc_enabled": "false"})
        assert "Enter with Keycloak" not in await (await (await new_browser()).get("/login", headers=HTML)).text()
        assert await call.db.value("select count(*) from audit_log where action = 'settings.secret_changed'") == 1

    @pytest.mark.proves("OIDC-09", "ENV-112")
    async def test_the_secret_is_sealed_and_never_shown(self, as_admin: Browser, call: Call) -> None:
        await post_form(as_admin, PAGE, f"{PAGE}/secret", {"secret": PASSWORD})
        page = await (await as_admin.get(PAGE, headers=HTML)).text()
        answer = await (await as_admin.get(API)).json()
        assert answer["oidc_client_secret_set"] is True
        assert "Not set" not in page
        rows = str(await call.db.all("select * from sealed_settings"))
        log = str(await call.db.all("select * from audit_log"))
        for text in (page, str(answer), rows, log, str(await call.db.all("select * from settings"))):
            assert PASSWORD not in text
        empty = await post_form(as_admin, PAGE, f"{PAGE}/secret", {"secret": " "})
        assert empty.status == 400

    @pytest.mark.proves("ENV-114")
    async def test_a_secret_sealed_with_another_key_counts_as_not_set(self, as_admin: Browser, call: Call) -> None:
        await call.db.execute(
            "insert into sealed_settings (name, sealed, updated_at) values ('oidc_client_secret', 'v1:junk', now())"
        )
        assert (await (await as_admin.get(API)).json())["oidc_client_secret_set"] is False
        assert "Not set" in await (await as_admin.get(PAGE, headers=HTML)).text()

    @pytest.mark.proves("OIDC-13", "ENTRA-07")
    async def test_what_would_travel_in_the_open_is_refused(self, as_admin: Browser, provider: Provider) -> None:
        form = {**FORM, "oidc_enforce_https": "true"}
        refused = await post_form(as_admin, PAGE, PAGE, {**form, "oidc_issuer_url": provider.url})
        assert refused.status == 400
        assert "must begin with https://" in await refused.text()
        refused = await post_form(
            as_admin,
            PAGE,
            PAGE,
            {**form, "oidc_issuer_url": "https://x.example", "oidc_redirect_uri": "http://patchmon.example/cb"},
        )
        assert "redirect URI must begin" in await refused.text()
        fine = await post_form(
            as_admin,
            PAGE,
            PAGE,
            {**form, "oidc_issuer_url": "https://x.example", "oidc_redirect_uri": "http://localhost:3000/cb"},
        )
        assert fine.status == 303

    async def test_what_cannot_be_is_said_field_by_field(self, as_admin: Browser) -> None:
        bad = {
            "oidc_scopes": "email",
            "oidc_issuer_url": "nonsense",
            "oidc_default_role": "king",
            "oidc_button_text": "",
        }
        answer = await as_admin.put(API, json=bad, headers=SAME)
        assert answer.status == 400
        assert set((await answer.json())["complaints"]) == set(bad)
        refused = await post_form(as_admin, PAGE, PAGE, {**FORM, **bad})
        assert refused.status == 400
        assert 'value="nonsense"' in await refused.text()

    async def test_nobody_lets_a_group_give_what_they_may_not_give(self, new_browser: NewBrowser, call: Call) -> None:
        await role_with(call, "config", "can_manage_settings")
        browser = await new_browser()
        await sign_in_as(browser, call, "config")
        for change in ({"oidc_superadmin_group": "mine"}, {"oidc_default_role": "admin"}):
            answer = await browser.put(API, json=change, headers=SAME)
            assert (answer.status, (await answer.json())["code"]) == (403, "role_not_yours")
        assert (await browser.put(API, json={"oidc_readonly_group": "readers"}, headers=SAME)).status == 200

    async def test_the_general_settings_do_not_change_it(self, as_admin: Browser, call: Call) -> None:
        await as_admin.patch("/api/v1/settings", json={"oidc_default_role": "superadmin"}, headers=SAME)
        assert await call.db.value("select count(*) from settings where key like 'oidc%%'") == 0
        answer = await as_admin.patch(
            "/api/v1/settings/environment/OIDC_DEFAULT_ROLE", json={"value": "admin"}, headers=SAME
        )
        assert answer.status in {400, 403, 409}
        assert await call.db.value("select count(*) from settings where key like 'oidc%%'") == 0

    async def test_tokens_and_strangers_change_nothing(
        self, client: Browser, new_browser: NewBrowser, call: Call
    ) -> None:
        from tests.factories.people import bearer  # noqa: PLC0415

        answer = await client.put(API, json={"oidc_enabled": True}, headers=await bearer(call))
        assert (answer.status, (await answer.json())["code"]) == (403, "persons_only")
        browser = await new_browser()
        await sign_in_as(browser, call, "host_manager")
        for path in (API, PAGE, "/settings/discord-auth", "/api/v1/auth/discord/settings"):
            assert (await browser.get(path, headers=HTML)).status == 403
            assert (await client.get(path)).status == 401


class TestFromTheEnvironment:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {"OIDC_BUTTON_TEXT": "From the environment", "OIDC_ADMIN_GROUP": "Admins", "OIDC_SESSION_TTL": "120"}

    @pytest.mark.proves("OIDC-03", "OIDC-12", "SET-08", "REL-011")
    async def test_it_decides_and_can_be_copied(self, as_admin: Browser, call: Call) -> None:
        await settings.change(call, {"oidc_button_text": "Stored"})
        page = await (await as_admin.get(PAGE, headers=HTML)).text()
        assert "OIDC is configured via .env" in page
        assert "Load from .env" in page
        assert 'value="From the environment"' in page
        assert PASSWORD not in page
        assert (await post_form(as_admin, PAGE, f"{PAGE}/import")).status == 303
        stored = {row["key"]: row["value"] for row in await call.db.all("select key, value from settings")}
        assert stored["oidc_button_text"] == "From the environment"
        assert stored["oidc_enabled"] is True
        assert stored["oidc_admin_group"] == "Admins"
        assert "oidc_session_ttl" not in stored
        sealed = await call.db.value("select sealed from sealed_settings where name = 'oidc_client_secret'")
        assert call.world.box.open(sealed) == PASSWORD
        answer = await as_admin.post(f"{API}/import-from-env", headers=SAME)
        body = await answer.json()
        assert (answer.status, body["configured_via_env"]) == (200, True)
        assert body["env_preview"]["OIDC_CLIENT_SECRET"] == "set"
        assert body["sources"]["oidc_button_text"] == "env"


class TestDiscordPage:
    @pytest.mark.proves("DISCORD-01", "DISCORD-02", "DISCORD-03", "DISCORD-04", "DISCORD-05")
    async def test_discord_is_offered_when_it_is_complete(self, as_admin: Browser, client: Browser, call: Call) -> None:
        page_url = "/settings/discord-auth"
        page = await (await as_admin.get(page_url, headers=HTML)).text()
        for text in (
            "Enable Discord OAuth",
            "Client ID",
            "Not set",
            "Redirect URI",
            "Button Text",
            "Login with Discord",
        ):
            assert text in page, text
        assert "/api/v1/auth/discord/callback" in page
        start = "/api/v1/auth/discord/login"
        for step, fields in (
            ("", {"discord_client_id": CLIENT, "discord_redirect_uri": "", "discord_button_text": "Use Discord"}),
            ("/enabled", {"discord_oauth_enabled": "true"}),
            ("/secret", {"secret": PASSWORD}),
        ):
            assert "Use Discord" not in await (await client.get("/login", headers=HTML)).text()
            answer = await client.get(start, allow_redirects=False)
            assert (answer.status, (await answer.json())["error"]) == (400, "Discord is not fully configured")
            assert (await post_form(as_admin, page_url, page_url + step, fields)).status == 303
        assert "Use Discord" in await (await client.get("/login", headers=HTML)).text()
        config = await (await client.get("/api/v1/auth/discord/config")).json()
        assert config == {"enabled": True, "buttonText": "Use Discord"}

        body = await (await as_admin.get("/api/v1/auth/discord/settings")).json()
        assert (body["discord_client_secret_set"], body["discord_client_id"]) == (True, CLIENT)
        shown = await (await as_admin.get(page_url, headers=HTML)).text()
        assert PASSWORD not in str(body) + shown + str(await call.db.all("select * from sealed_settings"))
        # The callback follows the server's URL.
        await as_admin.patch("/api/v1/settings", json={"server_host": "patch.example"}, headers=SAME)
        body = await (await as_admin.get("/api/v1/auth/discord/settings")).json()
        assert body["callback_url"] == "http://patch.example:3000/api/v1/auth/discord/callback"
        assert await form_token(as_admin, page_url)
