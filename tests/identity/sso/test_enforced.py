"""The provider as the only way in, for as long as there is one."""

from datetime import timedelta

import pytest

from server.core.call import Call
from server.core.env import Env
from server.core.loop import Keeper
from server.identity.sso import discovery
from server.settings import service as settings
from tests.conftest import Browser
from tests.factories.people import HTML, person
from tests.identity.conftest import Move
from tests.identity.sso.conftest import NewBrowser, enter, heading, local_sign_in, me
from tests.stand_ins.identity_provider import Provider

CLOSED = (403, "Local authentication is disabled")


async def tried(browser: Browser, name: str = "root") -> tuple[int, str]:
    answer = await local_sign_in(browser, name)
    body = await answer.json()
    return answer.status, body.get("error", "")


class TestEnforced:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {"OIDC_DISABLE_LOCAL_AUTH": "true"}

    @pytest.mark.proves("OIDC-28", "OIDC-29", "OIDC-06", "SIGNUP-04", "LOGIN-01")
    @pytest.mark.usefixtures("root")
    async def test_passwords_count_only_while_the_provider_cannot_be_reached(
        self, client: Browser, provider: Provider, call: Call, pass_time: Move
    ) -> None:
        await settings.change(call, {"signup_enabled": True})
        page = await (await client.get("/login", headers=HTML)).text()
        assert "Login with SSO" in page
        assert 'name="password"' not in page
        assert "Sign up" not in page
        assert await tried(client) == CLOSED
        assert (await client.get("/signup", headers=HTML)).status == 403
        config = await (await client.get("/api/v1/auth/oidc/config")).json()
        assert config["disableLocalAuth"] is True

        # It stops answering. Once is nothing; after a while passwords count again, by themselves.
        provider.down = True
        await discovery.look(call)
        assert await tried(client) == CLOSED
        for _ in range(2):
            await discovery.look(call)
        assert (await tried(client))[0] == 200
        client.session.cookie_jar.clear()
        page = await (await client.get("/login", headers=HTML)).text()
        assert 'name="password"' in page
        assert "Login with SSO" not in page
        config = await (await client.get("/api/v1/auth/oidc/config")).json()
        assert (config["enabled"], config["disableLocalAuth"]) == (False, False)

        # It is back: whoever looks at the sign-in page finds the button, and passwords are over again.
        provider.down = False
        pass_time(timedelta(seconds=11))
        assert "Login with SSO" in await (await client.get("/login", headers=HTML)).text()
        assert await tried(client) == CLOSED

    @pytest.mark.usefixtures("root")
    async def test_a_passkey_is_a_way_of_ones_own_too(self, client: Browser) -> None:
        body = {"ceremony": "x", "credential": {}}
        answer = await client.post("/api/v1/auth/passkey/verify", json=body, headers={"Sec-Fetch-Site": "same-origin"})
        assert (answer.status, (await answer.json())["error"]) == CLOSED

    @pytest.mark.proves("OIDC-31")
    async def test_who_is_signed_in_already_stays_it(self, client: Browser, provider: Provider, call: Call) -> None:
        await person(call, "superadmin", username="root")
        provider.down = True
        for _ in range(3):
            await discovery.look(call)
        assert (await tried(client))[0] == 200
        provider.down = False
        assert await discovery.look(call) is not None
        assert (await me(client) or {})["username"] == "root"

    @pytest.mark.usefixtures("root")
    async def test_a_stranger_learns_no_names_meanwhile(self, client: Browser) -> None:
        assert await tried(client, "nobody") == CLOSED
        assert await tried(client, "root") == CLOSED


class TestDownAtStart:
    @pytest.fixture
    def env(self, env: Env, provider: Provider) -> Env:
        provider.down = True
        return env

    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {"OIDC_DISABLE_LOCAL_AUTH": "true"}

    @pytest.mark.proves("OIDC-06", "OIDC-29", "ENV-09")
    @pytest.mark.usefixtures("root")
    async def test_the_server_starts_and_passwords_count(
        self, client: Browser, new_browser: NewBrowser, provider: Provider, pass_time: Move
    ) -> None:
        page = await (await client.get("/login", headers=HTML)).text()
        assert "Login with SSO" not in page
        assert (await tried(client))[0] == 200
        assert (await client.get("/api/v1/auth/oidc/login", allow_redirects=False)).status == 503
        other = await new_browser()
        led = await other.get("/api/v1/auth/oidc/login", headers=HTML, allow_redirects=False)
        assert await heading(other, led.headers["Location"]) == "Single sign-on is not available right now"
        seen = len(provider.seen)
        for _ in range(5):
            await client.get("/api/v1/auth/oidc/config")
        assert len(provider.seen) == seen, "the provider is asked at every look at the page"
        provider.down = False
        pass_time(timedelta(seconds=11))
        assert (await enter(await new_browser())).location == "/?oidc=success"


class TestOffAgain:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {"OIDC_DISABLE_LOCAL_AUTH": "false"}

    @pytest.mark.proves("RECOV-05", "OPS-98")
    @pytest.mark.usefixtures("root")
    async def test_the_environment_opens_the_door_again_whatever_is_stored(self, client: Browser, call: Call) -> None:
        await settings.change(call, {"oidc_disable_local_auth": True})
        assert (await client.get("/api/v1/auth/oidc/config")).status == 200
        assert (await tried(client))[0] == 200


class TestIncomplete:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {"OIDC_CLIENT_SECRET": ""}

    @pytest.mark.proves("OIDC-04", "ENV-09")
    async def test_the_environment_that_says_too_little_stops_the_start(self, call: Call, keeper: Keeper) -> None:
        from aiohttp.test_utils import TestServer  # noqa: PLC0415

        from server.app import build  # noqa: PLC0415
        from server.identity.sso.errors import SignOnIncomplete  # noqa: PLC0415

        running = TestServer(build(call.world, keeper))
        with pytest.raises(SignOnIncomplete, match="OIDC is enabled but missing required configuration: client secret"):
            await running.start_server()
        await running.close()
