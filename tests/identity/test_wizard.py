"""The first set-up in steps: in order, without scripts, with a second factor on the way, and when something fails."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pyotp
import pytest
from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient, TestServer

from server.core.call import Call, World
from server.core.env import Env
from server.core.secretbox import Secret
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD
from tests.identity.test_setup import token_of_link
from tests.identity.wizard_steps import Wizard, heading, steps


@pytest.fixture
async def wizard(client: Browser, world: World) -> Wizard:
    return Wizard(client, await token_of_link(world))


@pytest.mark.proves("SETUP-03", "SETUP-10", "SETUP-13", "SETUP-14", "OPS-42", "OPS-50", "OPS-54", "OPS-55")
async def test_the_steps_follow_each_other_and_nothing_is_made_before_the_last(wizard: Wizard, call: Call) -> None:
    first = await wizard.page()
    assert steps(first) == [
        "[Create Admin Account]",
        "Multi-Factor Authentication",
        "Confirm Server URL",
        "Get in Touch",
    ]
    assert heading(await wizard.page(5)) == "Create Admin Account"
    answer = await wizard.enter_person()
    assert answer.headers["Location"] == f"/setup?token={wizard.token}&step=2"
    second = await wizard.page(2)
    assert (heading(second), steps(second)[1]) == ("Multi-Factor Authentication", "[Multi-Factor Authentication]")
    third = await wizard.page(3)
    current = await (await wizard.browser.get("/api/v1/settings/current-url")).json()
    for part in re.split(r"://|:", current["url"]):
        assert f'value="{part}"' in third, part
    assert heading(await wizard.page(5)) == "Confirm Server URL"
    answer = await wizard.enter_url()
    assert answer.headers["Location"].endswith("step=5")
    last = await wizard.page(5)
    for word in ("Discord", "GitHub", "Documentation", "Roadmap", "Access Dashboard"):
        assert word in last, word
    assert await call.db.value("select count(*) from users") == 0
    assert (await (await wizard.browser.get("/api/v1/auth/check-admin-users")).json())["hasAdminUsers"] is False
    done = await wizard.finish()
    assert (done.status, done.headers["Location"]) == (303, "/")
    assert "token" in done.cookies
    assert (await wizard.browser.get("/", headers=HTML, allow_redirects=False)).status == 200
    settings = await (await wizard.browser.get("/api/v1/settings")).json()
    assert settings["server_url"] == "https://patch.example.com"
    assert await call.db.value("select role from users where username = 'ada'") == "superadmin"
    recorded = await call.db.column("select action from audit_log order by id")
    assert recorded.index("identity.first_admin_created") < recorded.index("settings.changed")
    assert await call.db.value("select count(*) from setup_links") == 0
    again = await wizard.browser.get(f"/setup?token={wizard.token}", headers=HTML, allow_redirects=False)
    assert (again.status, again.headers["Location"]) == (303, "/login")


@pytest.mark.proves("SETUP-08", "OPS-47", "OPS-49")
async def test_the_second_factor_is_offered_and_can_be_left_out(wizard: Wizard, call: Call) -> None:
    await wizard.enter_person()
    page = await wizard.page(2)
    assert "Setup MFA now" in page
    assert "Skip (I'll do it later)" in page
    assert "everyone" not in page.lower()
    skip = re.search(r'href="(/setup\?[^"]+step=3)"', page)
    assert skip is not None
    assert heading(await wizard.page(3)) == "Confirm Server URL"
    await wizard.enter_url()
    assert await call.db.value("select count(*) from users") == 0
    await wizard.finish()
    assert await call.db.value("select tfa_enabled from users") is False


@pytest.mark.proves("SETUP-09", "OPS-48")
async def test_the_second_factor_is_set_up_on_the_way(wizard: Wizard, call: Call) -> None:
    await wizard.enter_person()
    begun = await wizard.send("/setup/factor", {}, 2)
    assert begun.headers["Location"] == "/setup?step=2"
    assert begun.cookies["token"]["httponly"]
    assert await call.db.value("select count(*) from users where role = 'superadmin' and not tfa_enabled") == 1
    profile = await (await wizard.browser.get("/api/v1/auth/profile")).json()
    assert profile["user"]["username"] == "ada"
    scan = await wizard.page(2, token="")
    assert 'src="data:image/png;base64,' in scan
    secret = "".join(re.search(r'id="secret">([A-Z2-7 ]+)<', scan)[1].split())  # type: ignore[index]
    wizard.token = ""
    wrong = await wizard.send("/setup/factor/verify", {"token": "000000"}, 2)
    assert (wrong.status, "Invalid verification code" in await wrong.text()) == (400, True)
    assert secret in "".join((await wizard.page(2)).split())
    shown = await wizard.send("/setup/factor/verify", {"token": pyotp.TOTP(secret).now()}, 2)
    codes = await shown.text()
    assert 'download="patchmon-backup-codes.txt"' in codes
    assert len(re.findall(r"\b[A-Z0-9]{8}\b", codes.split('id="backup-codes"')[1].split("</pre>")[0])) == 10
    assert "Continue" in codes
    assert "backup-codes" not in await wizard.page(2)
    await wizard.enter_url(server_host="10.0.0.5", server_protocol="http", server_port="3000")
    assert (await wizard.finish()).headers["Location"] == "/"
    assert await call.db.value("select count(*) from users") == 1
    assert (await (await wizard.browser.get("/api/v1/settings")).json())["server_url"] == "http://10.0.0.5:3000"
    first = await wizard.browser.post("/api/v1/auth/login", json={"username": "ada", "password": PASSWORD})
    assert (await first.json())["requiresTfa"] is True


@pytest.mark.proves("SETUP-11", "OPS-50", "OPS-51")
async def test_a_self_signed_certificate_is_explained_and_reaches_the_install_command(wizard: Wizard) -> None:
    await wizard.enter_person()
    page = await wizard.page(3)
    assert "Will you be using a self-signed SSL certificate?" in page
    for words in ("man in the middle", "/usr/local/share/ca-certificates/", "/etc/pki/ca-trust/source/anchors/"):
        assert words in page, words
    await wizard.send("/setup/url", {"server_protocol": "https", "server_host": "patch.example.com",
                                     "server_port": "443", "ignore_ssl_self_signed": "true"}, 3)  # fmt: skip
    assert "checked" in (await wizard.page(3)).split("ignore_ssl_self_signed")[3].split(">")[0]
    await wizard.finish()
    settings = await (await wizard.browser.get("/api/v1/settings")).json()
    assert settings["ignore_ssl_self_signed"] is True
    made = await wizard.browser.post("/api/v1/hosts/create", json={"friendly_name": "web-01"})
    body = await made.json()
    answer = await wizard.browser.get(
        "/api/v1/hosts/install", headers={"X-API-ID": body["apiId"], "X-API-KEY": body["apiKey"]}
    )
    script = await answer.text()
    assert answer.status == 200, script
    assert "https://patch.example.com" in script
    assert re.search(r"curl [^\n]*-[a-zA-Z]*k|CURL_FLAGS=\S*k", script), script[:3000]
    assert re.search(r"skip_ssl_verify: true|SKIP_SSL_VERIFY=.?true", script)


@pytest.mark.parametrize(
    ("host", "port"), [("", "443"), ("a b", "443"), ("x/y", "443"), ("good.example.com", "70000"), ("a@b", "1")]
)
async def test_an_address_that_is_none_is_refused_with_what_was_typed(wizard: Wizard, host: str, port: str) -> None:
    await wizard.enter_person()
    answer = await wizard.enter_url(server_host=host, server_port=port)
    page = await answer.text()
    assert answer.status == 400, page
    assert heading(page) == "Confirm Server URL"
    assert "must be" in page


async def test_what_was_entered_is_kept_but_never_the_password(wizard: Wizard, call: Call) -> None:
    await wizard.enter_person()
    back = await wizard.page(1)
    assert 'value="ada@example.com"' in back
    assert PASSWORD not in back
    kept = str(await call.db.all("select * from setup_links"))
    assert PASSWORD not in kept
    assert "ada@example.com" not in kept
    assert "$2b$" not in kept


async def test_of_two_wizards_the_first_submission_wins(wizard: Wizard, world: World, server: TestServer) -> None:
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as browser:
        other = Wizard(browser, await token_of_link(world))
        for one in (wizard, other):
            await one.enter_person(username=f"ada{id(one)}", email=f"ada{id(one)}@example.com")
            await one.enter_url()
        pages = await asyncio.gather(wizard.finish(), other.finish())
        assert sorted(answer.status for answer in pages) == [303, 400]
        lost = next(answer for answer in pages if answer.status == 400)
        assert "Admin users already exist. This endpoint is only for first-time setup." in await lost.text()
    assert await world.db.value("select count(*) from users") == 1


async def test_the_later_steps_are_nobodys_without_link_or_session(
    client: Browser, wizard: Wizard, call: Call, server: TestServer
) -> None:
    await wizard.enter_person()
    for path in ("/setup/factor", "/setup/factor/verify", "/setup/url", "/setup/newsletter", "/setup/finish"):
        answer = await wizard.send(path, {"link": "wrong"}, 1)
        assert answer.status == 403, path
    await wizard.send("/setup/factor", {}, 2)
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as stranger:
        again = await stranger.get(f"/setup?token={wizard.token}&step=3", headers=HTML, allow_redirects=False)
        assert (again.status, again.headers["Location"]) == (303, "/login")
    assert await call.db.value("select count(*) from users") == 1
    assert client is wizard.browser


@pytest.mark.proves("SETUP-15", "OPS-55", "OPS-56")
async def test_what_failed_can_be_tried_again_or_left_out(wizard: Wizard, call: Call) -> None:
    await wizard.enter_person()
    await wizard.enter_url()
    await call.db.execute("alter table settings add constraint broken check (key <> 'server_host') not valid")
    failed = await wizard.finish()
    page = await failed.text()
    assert (failed.status, heading(page)) == (500, "Setting up PatchMon")
    assert "Saving server URL..." in page
    assert "Retry" in page
    assert "Skip and continue" in page
    assert "token" in failed.cookies
    token = re.search(r'name="csrf" value="([^"]+)"', page)[1]  # type: ignore[index]
    again = await wizard.browser.post("/setup/finish", data={"csrf": token, "link": ""}, headers=HTML)
    assert again.status == 500
    await call.db.execute("alter table settings drop constraint broken")
    done = await wizard.browser.post(
        "/setup/finish", data={"csrf": token, "link": ""}, headers=HTML, allow_redirects=False
    )
    assert (done.status, done.headers["Location"]) == (303, "/")
    assert await call.db.value("select count(*) from users") == 1
    assert (await (await wizard.browser.get("/api/v1/settings")).json())["server_url"] == "https://patch.example.com"


@pytest.mark.proves("OPS-56")
async def test_who_leaves_the_failed_url_out_gets_to_the_dashboard(wizard: Wizard, call: Call) -> None:
    await wizard.enter_person()
    await wizard.enter_url()
    await call.db.execute("alter table settings add constraint broken check (key <> 'server_host') not valid")
    page = await (await wizard.finish()).text()
    token = re.search(r'name="csrf" value="([^"]+)"', page)[1]  # type: ignore[index]
    done = await wizard.browser.post(
        "/setup/finish", data={"csrf": token, "link": "", "skip": "1"}, headers=HTML, allow_redirects=False
    )
    assert (done.status, done.headers["Location"]) == (303, "/")
    assert (await wizard.browser.get("/", headers=HTML)).status == 200


@pytest.mark.proves("SETUP-17")
async def test_a_foreign_page_cannot_set_up_this_server(wizard: Wizard, call: Call) -> None:
    from tests.identity.test_setup import ADA  # noqa: PLC0415 (only here)

    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    asked = {**foreign, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    preflight = await wizard.browser.options("/api/v1/auth/setup-admin", headers=asked)
    assert "Access-Control-Allow-Origin" not in preflight.headers
    read = await wizard.browser.get("/api/v1/settings/login-settings", headers=foreign)
    assert "Access-Control-Allow-Origin" not in read.headers
    ours = await wizard.browser.get("/api/v1/settings/login-settings", headers={"Origin": "http://localhost:3000"})
    assert ours.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    near = await wizard.browser.get("/api/v1/settings/login-settings", headers={"Origin": "http://localhost:3001"})
    assert "Access-Control-Allow-Origin" not in near.headers
    posted = await wizard.browser.post(
        "/setup", data={**ADA, "token": wizard.token}, headers={**HTML, **foreign}, allow_redirects=False
    )
    assert posted.status == 403
    assert await call.db.value("select count(*) from users") == 0


class TestNewsletter:
    @pytest.fixture
    async def heard(self) -> list[dict[str, str]]:
        return []

    @pytest.fixture
    async def list_server(self, heard: list[dict[str, str]]) -> AsyncIterator[TestServer]:
        async def subscribe(request: web.Request) -> web.Response:
            heard.append(await request.json())
            return web.Response(status=204)

        app = web.Application()
        app.router.add_post("/subscribe", subscribe)
        running = TestServer(app)
        await running.start_server()
        yield running
        await running.close()

    @pytest.fixture
    def env(self, env: Env, list_server: TestServer) -> Env:
        return replace(env, given=Secret({"NEWSLETTER_URL": str(list_server.make_url("/subscribe"))}))

    @pytest.mark.proves("SETUP-12", "OPS-42", "OPS-53")
    @pytest.mark.parametrize("wants", [True, False])
    async def test_one_request_and_only_for_who_asked(
        self, wizard: Wizard, heard: list[dict[str, str]], *, wants: bool
    ) -> None:
        told = await (await wizard.browser.get("/api/v1/settings/login-settings")).json()
        assert told["show_newsletter"] is True
        assert "Stay Updated" in steps(await wizard.page())
        await wizard.enter_person()
        assert (await wizard.enter_url()).headers["Location"].endswith("step=4")
        assert heading(await wizard.page(4)) == "Stay Updated"
        await wizard.send("/setup/newsletter", {"newsletter": "true" if wants else "false"}, 4)
        assert heard == []
        assert (await wizard.finish()).status == 303
        assert heard == ([{"name": "Ada Lovelace", "email": "ada@example.com"}] if wants else [])


@pytest.mark.proves("OPS-53")
async def test_the_newsletter_is_hidden_where_none_is_configured(wizard: Wizard) -> None:
    told = await (await wizard.browser.get("/api/v1/settings/login-settings")).json()
    assert told["show_newsletter"] is False
    assert "Stay Updated" not in await wizard.page()
