"""Attacks on signing in: guessing, guessing at many servers at once, asking the clock, and leading people astray."""

import asyncio
import statistics
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import bcrypt
import pytest
from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient, TestServer

from server.app import build, close_world, open_world
from server.core import passwords
from server.core.call import Call
from server.core.env import Env
from server.core.loop import Keeper
from server.identity import devices
from server.identity.models import Browser as Program
from server.settings import service as settings
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, person, post_form, sign_in
from tests.identity.conftest import Move

LOGIN: Final = "/api/v1/auth/login"
PROFILE: Final = "/api/v1/auth/profile"


async def attempt(client: TestClient[web.Request, web.Application], name: str, password: str = "wrong") -> int:
    return (await client.post(LOGIN, json={"username": name, "password": password})).status


@pytest.fixture
async def elsewhere(env: Env) -> AsyncIterator[Browser]:
    """A browser of a second server over the same database, with nothing else in common."""
    keeper = Keeper()
    world = await open_world(env, keeper, pool=8)
    async with TestClient(TestServer(build(world, keeper)), cookie_jar=CookieJar(unsafe=True)) as browser:
        yield browser
    await keeper.close()
    await close_world(world)


@pytest.fixture
async def other(server: TestServer) -> AsyncIterator[Browser]:
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as browser:
        yield browser


@dataclass
class Hashes:
    """How often a password was really hashed to be compared."""

    count: int = 0


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> Hashes:
    found, real = Hashes(), bcrypt.checkpw

    def counted(password: bytes, stored: bytes) -> bool:
        found.count += 1
        return real(password, stored)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    return found


@pytest.mark.proves("LOCK-01")
async def test_guessing_at_two_servers_at_once_has_no_more_tries(
    client: Browser, elsewhere: Browser, call: Call
) -> None:
    user = await person(call)
    answers = await asyncio.gather(
        *(attempt(one, user.username, f"guess-{number}") for number in range(15) for one in (client, elsewhere))
    )
    assert set(answers) <= {401, 429}
    assert await call.db.value("select failed_login_attempts from users") == 5
    for one in (client, elsewhere):
        assert await attempt(one, user.username, PASSWORD) == 429
    locked = await call.db.value("select count(*) from audit_log where detail->>'locked' = 'true'")
    assert locked == 1


async def test_tries_are_added_up_over_two_servers(client: Browser, elsewhere: Browser, call: Call) -> None:
    user = await person(call)
    answers = [await attempt(one, user.username) for one in (client, elsewhere, client, elsewhere, client, elsewhere)]
    assert answers == [401] * 5 + [429]


@pytest.mark.proves("LOCK-04")
async def test_a_lock_is_announced_once_and_the_next_one_again(client: Browser, call: Call, pass_time: Move) -> None:
    user = await person(call)
    async with call.world.bus.following("account_locked") as bell:
        for _ in range(2):
            await asyncio.gather(*(attempt(client, user.username) for _ in range(12)))
            assert await attempt(client, user.username) == 429
            heard: list[dict[str, Any]] = []
            while not heard:
                heard = await bell.ring(within=5)
            await asyncio.sleep(0.2)
            heard += await bell.ring(within=0.1)
            assert len(heard) == 1
            assert {"user_id": user.id, "username": user.username, "ip": "127.0.0.1"}.items() <= heard[0].items()
            pass_time(timedelta(minutes=15, seconds=2))


async def test_every_refusal_costs_the_same_hash(client: Browser, call: Call, hashes: Hashes) -> None:
    known, inactive, elsewhere = await person(call), await person(call), await person(call)
    await call.db.execute("update users set is_active = false where id = %(id)s", id=inactive.id)
    await call.db.execute("update users set password_hash = null where id = %(id)s", id=elsewhere.id)
    for name in (known.username, known.email, inactive.username, elsewhere.username, "nobody", "no@body.example", ""):
        before = hashes.count
        assert await attempt(client, name) == 401, name
        assert hashes.count - before == 1, name


async def test_the_clock_does_not_tell_who_exists(client: Browser, call: Call) -> None:
    await settings.change(call, {"max_login_attempts": 1000})
    await person(call, username="known", password_hash=await passwords.hashed(PASSWORD))
    loop = asyncio.get_running_loop()

    async def took(name: str) -> float:
        started = loop.time()
        await attempt(client, name)
        return loop.time() - started

    known, unknown = [], []
    for number in range(11):
        known.append(await took("known"))
        unknown.append(await took(f"unknown{number}"))
    # The middle and the quickest of each; what another program does beside it hits both alike.
    assert 0.6 < statistics.median(unknown) / statistics.median(known) < 1.6 or 0.7 < min(unknown) / min(known) < 1.4


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
        "/\tevil.example", "/\n/evil.example", "javascript:alert(1)", "evil.example", "http:evil.example", "",
        "/login", "/logout", "/setup?token=x", " //evil.example", "/\u2028/evil.example",
    ],
)  # fmt: skip
async def test_signing_in_leads_to_no_other_site(client: Browser, call: Call, target: str) -> None:
    user = await person(call, "superadmin")
    page = await client.get("/login", params={"next": target}, headers=HTML)
    assert page.status == 200
    assert 'name="return_to" value="/"' in await page.text()
    fields = {"username": user.username, "password": PASSWORD, "return_to": target}
    answer = await post_form(client, "/login", "/login", fields)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    already = await client.get("/login", params={"next": target}, headers=HTML, allow_redirects=False)
    assert (already.status, already.headers["Location"]) == (303, "/")


async def test_the_host_header_leads_nobody_astray(client: Browser, call: Call) -> None:
    user = await person(call, "superadmin")
    headers = {**HTML, "Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    sent = await client.get("/hosts", headers=headers, allow_redirects=False)
    assert "evil.example" not in sent.headers.get("Location", "")
    answer = await client.post(LOGIN, json={"username": user.username, "password": PASSWORD}, headers=headers)
    if answer.status == 200:
        cookie = answer.cookies["token"]
        assert (cookie["secure"], cookie["domain"]) == ("", ""), "an untrusted peer's headers count for nothing"


async def test_a_session_of_before_is_nothing_after(client: Browser, other: Browser, call: Call) -> None:
    """Whoever planted a session into a browser knows nothing of the one that is opened there."""
    attacker, victim = await person(call), await person(call)
    planted = await sign_in(other, attacker.username)
    client.session.cookie_jar.update_cookies(
        {"token": planted["token"], "refresh_token": planted["refresh_token"]}, client.make_url("/")
    )
    opened = await sign_in(client, victim.username)
    assert opened["token"] != planted["token"]
    assert opened["refresh_token"] != planted["refresh_token"]
    assert await call.db.value("select count(*) from user_sessions") == 1
    assert (await other.get(PROFILE)).status == 401, "the planted one ended"
    mine = await client.get(PROFILE)
    assert (await mine.json())["user"]["id"] == victim.id


@pytest.mark.proves("SESS-07")
class TestWhatEndsSessions:
    """The revocation matrix: what is left of a person's two sessions and one trusted browser."""

    @pytest.fixture
    async def user_id(self, call: Call, client: Browser, other: Browser) -> str:
        user = await person(call)
        await sign_in(client, user.username)
        await sign_in(other, user.username)
        decided = await settings.effective(call)
        async with call.transaction() as tx:
            await devices.trust(tx, call, user, Program("192.0.2.1", "Mozilla/5.0"), decided)
        assert await left(call) == (2, 1)
        return user.id

    async def test_another_role(self, as_admin: Browser, call: Call, user_id: str, client: Browser) -> None:
        answer = await as_admin.put(f"/api/v1/auth/admin/users/{user_id}", json={"role": "readonly"})
        assert (answer.status, await left(call)) == (200, (0, 1))
        assert (await client.get(PROFILE)).status == 401
        assert (await client.post("/api/v1/auth/refresh")).status == 401

    async def test_a_reset(self, as_admin: Browser, call: Call, user_id: str, client: Browser) -> None:
        path = f"/api/v1/auth/admin/users/{user_id}/reset-password"
        answer = await as_admin.post(path, json={"newPassword": "Another-1!"})
        assert (answer.status, await left(call)) == (200, (0, 0))
        assert (await client.get(PROFILE)).status == 401

    async def test_their_own_change(self, call: Call, user_id: str, client: Browser, other: Browser) -> None:
        body = {"currentPassword": PASSWORD, "newPassword": "Another-1!"}
        answer = await client.put("/api/v1/auth/change-password", json=body)
        assert (answer.status, await left(call)) == (200, (1, 0))
        assert [(await one.get(PROFILE)).status for one in (client, other)] == [200, 401]
        assert user_id

    async def test_deactivation(self, as_admin: Browser, call: Call, user_id: str, client: Browser) -> None:
        answer = await as_admin.put(f"/api/v1/auth/admin/users/{user_id}", json={"is_active": False})
        assert (answer.status, await left(call)) == (200, (0, 0))
        assert (await client.get(PROFILE)).status == 401

    async def test_deletion(self, as_admin: Browser, call: Call, user_id: str, client: Browser) -> None:
        answer = await as_admin.delete(f"/api/v1/auth/admin/users/{user_id}")
        assert (answer.status, await left(call)) == (200, (0, 0))
        assert (await client.get(PROFILE)).status == 401

    async def test_forgetting_every_browser(self, call: Call, user_id: str, client: Browser) -> None:
        answer = await client.delete("/api/v1/auth/trusted-devices")
        assert (answer.status, await left(call)) == (200, (2, 0))
        assert answer.cookies["patchmon_device_trust"].value == ""
        assert user_id

    async def test_turning_the_second_step_off(self, call: Call, user_id: str, client: Browser) -> None:
        await call.db.execute("update users set tfa_enabled = true, tfa_secret = 'x' where id = %(id)s", id=user_id)
        answer = await client.post("/api/v1/tfa/disable", json={"password": PASSWORD})
        assert (answer.status, await left(call)) == (200, (2, 0))

    async def test_idling(self, user_id: str, client: Browser, other: Browser, pass_time: Move) -> None:
        pass_time(timedelta(minutes=29))
        await client.post("/api/v1/auth/heartbeat")
        pass_time(timedelta(minutes=2))
        assert [(await one.get(PROFILE)).status for one in (client, other)] == [200, 401]
        assert user_id


async def left(call: Call) -> tuple[int, int]:
    """Return how many sessions and trusted browsers there are of people who are no administrators."""
    count = """
        select count(*) from {} t
         where not exists (select from users u where u.id = t.user_id and u.role = 'superadmin')
    """
    sessions, trusted = [await call.db.value(count.format(table)) for table in ("user_sessions", "trusted_devices")]
    return sessions, trusted
