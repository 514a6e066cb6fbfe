"""What the variables about times and trust do, set in the environment as an operator sets them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from server.core.call import Call
from server.core.env import Env, read
from server.core.secretbox import Secret
from tests.conftest import Browser
from tests.factories.hosts import enrolled
from tests.factories.people import HTML, PASSWORD, person, sign_in
from tests.hosts.test_agent_doors import put_go
from tests.identity.conftest import Move, pass_time
from tests.identity.test_two_factor import LATER, attempt, code_of, enabled, ticket
from tests.settings.test_effects import LOGIN, Given

__all__ = ["pass_time"]


@pytest.fixture
async def other(server: TestServer) -> AsyncIterator[Browser]:
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as browser:
        yield browser


class TestFailedSignIns(Given):
    SAID: ClassVar = {"MAX_LOGIN_ATTEMPTS": "3"}

    async def fail(self, client: Browser, name: str, times: int) -> None:
        for _ in range(times):
            await client.post(LOGIN, json={"username": name, "password": "wrong"})

    @pytest.mark.proves("ENV-55")
    async def test_the_count_ends_with_success_and_by_itself(
        self, client: Browser, call: Call, pass_time: Move
    ) -> None:
        name = (await person(call)).username
        await self.fail(client, name, 2)
        await sign_in(client, name)
        await self.fail(client, name, 2)
        pass_time(timedelta(minutes=15, seconds=1))
        await self.fail(client, name, 2)
        await sign_in(client, name)
        await self.fail(client, name, 3)
        locked = await client.post(LOGIN, json={"username": name, "password": PASSWORD})
        assert locked.status != 200


class TestIdle(Given):
    SAID: ClassVar = {"SESSION_INACTIVITY_TIMEOUT_MINUTES": "4"}

    @pytest.mark.proves("ENV-56")
    async def test_an_idle_session_ends_and_activity_starts_the_time_again(
        self, client: Browser, call: Call, pass_time: Move
    ) -> None:
        await sign_in(client, (await person(call)).username)
        for _ in range(3):
            pass_time(timedelta(minutes=3))
            page = await client.get("/settings/profile", headers=HTML)
            assert page.url.path == "/settings/profile"
        pass_time(timedelta(minutes=4, seconds=1))
        assert (await client.get("/api/v1/auth/profile")).status == 401


class TestSecondStep(Given):
    SAID: ClassVar = {
        "MAX_TFA_ATTEMPTS": "2", "TFA_LOCKOUT_DURATION_MINUTES": "7", "TFA_REMEMBER_ME_EXPIRES_IN": "3d",
        "TFA_MAX_REMEMBER_SESSIONS": "2",
    }  # fmt: skip

    @pytest.mark.proves("ENV-57", "ENV-58")
    async def test_two_wrong_codes_close_it_for_seven_minutes(
        self, client: Browser, call: Call, pass_time: Move
    ) -> None:
        user = await person(call)
        secret, _ = await enabled(client, user)
        pass_time(LATER)
        assert (await attempt(client, user, "000000"))[1]["remainingAttempts"] == 1
        assert (await attempt(client, user, "000000"))[0] == 429
        pass_time(timedelta(minutes=6, seconds=50))
        assert (await attempt(client, user, code_of(secret)))[0] == 429
        pass_time(timedelta(seconds=11))
        assert (await attempt(client, user, code_of(secret)))[0] == 200

    @pytest.mark.proves("ENV-59")
    async def test_a_browser_is_trusted_for_three_days(self, client: Browser, call: Call, pass_time: Move) -> None:
        user = await person(call)
        secret, _ = await enabled(client, user)
        pass_time(LATER)
        assert (await attempt(client, user, code_of(secret), remember_me=True))[0] == 200
        pass_time(timedelta(days=2, hours=23))
        await sign_in(client, user.username)
        pass_time(timedelta(hours=1, minutes=1))
        await ticket(client, user)

    @pytest.mark.proves("ENV-60")
    async def test_a_third_browser_drops_the_oldest(
        self, client: Browser, other: Browser, call: Call, pass_time: Move
    ) -> None:
        user = await person(call)
        secret, _ = await enabled(client, user)
        trusts = []
        for _ in range(3):
            other.session.cookie_jar.clear()
            pass_time(LATER)
            assert (await attempt(other, user, code_of(secret), remember_me=True))[0] == 200
            trusts += [one.value for one in other.session.cookie_jar if one.key == "patchmon_device_trust"]
        for trust, asked in ((trusts[0], True), (trusts[1], False), (trusts[2], False)):
            client.session.cookie_jar.clear()
            client.session.cookie_jar.update_cookies({"patchmon_device_trust": trust})
            answer = await client.post(LOGIN, json={"username": user.username, "password": PASSWORD})
            assert ("requiresTfa" in await answer.json()) is asked


class TestOrigins(Given):
    SAID: ClassVar = {"CORS_ORIGIN": "https://a.example,https://b.example"}

    @pytest.mark.proves("ENV-27")
    async def test_only_the_listed_ones_may_use_the_api(self, client: Browser) -> None:
        for origin, allowed in (
            ("https://a.example", True),
            ("https://b.example", True),
            ("https://c.example", False),
            ("http://a.example", False),
            ("https://a.example:8443", False),
        ):
            headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
            answer = await client.options("/api/v1/settings/current-url", headers=headers)
            assert answer.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None), origin


class TestAgentFiles:
    @pytest.fixture
    def env(self, env: Env, tmp_path: Path) -> Env:
        for name in ("newer", "older"):
            (tmp_path / name).mkdir()
        self.folders = tmp_path
        said = {"AGENT_BINARIES_DIR": str(tmp_path / "newer"), "AGENTS_DIR": str(tmp_path / "older")}
        assert read({"ENV_FILE": "", "AGENTS_DIR": said["AGENTS_DIR"]}).agents_dir == tmp_path / "older"
        return replace(env, agents_dir=read({"ENV_FILE": "", **said}).agents_dir, given=Secret(said))

    @pytest.mark.proves("ENV-127", "ENV-128")
    async def test_files_of_the_operator_are_offered_as_soon_as_they_are_there(
        self, client: Browser, call: Call
    ) -> None:
        agent = await enrolled(call, client)
        path = "/hosts/agent/download?arch=amd64&os=linux"
        put_go(self.folders / "older", version="1.0.0")
        assert (await agent.get(path)).status == 404
        first = put_go(self.folders / "newer", version="2.1.9")
        assert await (await agent.get(path)).read() == first
        second = put_go(self.folders / "newer", version="2.1.10")
        assert await (await agent.get(path)).read() == second
