"""How often one address may ask."""

import asyncio
from dataclasses import replace

import pytest

from server.core.call import Call, World
from server.core.env import Env
from server.core.redis import Redis, key
from server.core.secretbox import Secret
from server.settings import service as settings
from server.web.edge import Budget
from server.web.limits import client_of, count
from tests.conftest import Browser
from tests.factories.people import PASSWORD, bearer, person, post_form, sign_in

WRONG = {"username": "nobody", "password": "x"}


class TestSmallBudgets:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        given = {"AUTH_RATE_LIMIT_MAX": "2", "AGENT_RATE_LIMIT_MAX": "3", "RATE_LIMIT_MAX": "4"}
        return replace(env, trust_proxy="true", given=Secret(given))

    @pytest.mark.proves("ENV-77", "ENV-78")
    async def test_signing_in_too_often_is_refused_with_when_to_come_back(self, client: Browser) -> None:
        first = [await client.post("/api/v1/auth/login", json=WRONG) for _ in range(2)]
        assert [answer.status for answer in first] == [401, 401]
        over = await client.post("/api/v1/auth/login", json=WRONG)
        assert (over.status, await over.json()) == (429, {"message": "Too many requests. Try again later."})
        assert 590 < int(over.headers["Retry-After"]) <= 600

    @pytest.mark.proves("OPS-74")
    async def test_each_address_and_each_group_counts_for_itself(self, client: Browser, call: Call) -> None:
        def from_(address: str) -> dict[str, str]:
            return {"X-Forwarded-For": address}

        for expected in (401, 401, 429):
            answer = await client.post("/api/v1/auth/login", json=WRONG, headers=from_("203.0.113.1"))
            assert answer.status == expected
        other = await client.post("/api/v1/auth/login", json=WRONG, headers=from_("203.0.113.2"))
        assert other.status == 401
        signed_in = await bearer(call, "admin")
        mine = await client.get("/api/v1/auth/profile", headers={**signed_in, **from_("203.0.113.1")})
        assert mine.status == 200

    @pytest.mark.proves("ENV-79", "ENV-80")
    async def test_agents_are_counted_before_their_key_is_looked_up(self, client: Browser) -> None:
        answers = [await client.post("/api/v1/hosts/ping", data=b"") for _ in range(4)]
        assert [answer.status for answer in answers] == [401, 401, 401, 429]
        assert int(answers[-1].headers["Retry-After"]) <= 60
        update = await client.post("/api/v1/hosts/update", data=b"")
        assert update.status == 429

    async def test_what_states_no_group_has_no_limit(self, client: Browser) -> None:
        answers = [await client.get("/health") for _ in range(6)]
        assert {answer.status for answer in answers} == {200}
        answers = [await client.get("/api/v1/hosts/install") for _ in range(6)]
        assert {answer.status for answer in answers} == {401}

    @pytest.mark.proves("ENV-75", "ENV-76")
    async def test_a_browser_gets_a_page(self, client: Browser) -> None:
        for _ in range(4):
            await client.get("/hosts", headers={"Accept": "text/html"}, allow_redirects=False)
        over = await client.get("/hosts", headers={"Accept": "text/html"}, allow_redirects=False)
        assert (over.status, over.content_type) == (429, "text/html")
        assert "Retry-After" in over.headers


async def test_a_stored_limit_holds_at_the_next_request(client: Browser, call: Call) -> None:
    headers = await bearer(call, "admin")
    stored = await client.patch("/api/v1/settings", json={"rate_limit_max": 3}, headers=headers)
    assert stored.status == 200
    answers = [(await client.get("/api/v1/auth/profile", headers=headers)).status for _ in range(3)]
    assert answers == [200, 200, 429]


@pytest.mark.proves("ENV-81", "ENV-82")
async def test_the_password_can_be_changed_five_times(client: Browser, call: Call) -> None:
    user = await person(call, "user")
    await sign_in(client, user.username)
    form = {"current_password": "wrong", "new_password": PASSWORD + "x", "again": PASSWORD + "x"}
    url = "/settings/profile/password"
    answers = [(await post_form(client, "/settings/profile", url, form)).status for _ in range(6)]
    assert answers[-1] == 429
    assert 429 not in answers[:-1]


async def test_counting_is_exact_across_clients_at_once(world: World) -> None:
    budget = Budget(most=10, window_ms=60_000)
    counts = await asyncio.gather(*(count(world.redis, "192.0.2.1", [("agent", budget)]) for _ in range(50)))
    assert sorted(one[0].asked for one in counts) == list(range(1, 51))


async def test_a_window_ends(world: World) -> None:
    budget = Budget(most=1, window_ms=1000)
    assert (await count(world.redis, "a", [("agent", budget)]))[0].asked == 1
    assert (await count(world.redis, "a", [("agent", budget)]))[0].asked == 2
    assert 0 < await world.redis.pttl(key("limit", "agent", "1000", "a")) <= 1000
    await asyncio.sleep(1.1)
    assert (await count(world.redis, "a", [("agent", budget)]))[0].asked == 1


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("", "unknown"),
        ("proxy", "unknown"),
    ],
)
def test_who_counts_as_one_client(address: str, client: str) -> None:
    assert client_of(address) == client


class TestWithoutRedis:
    @pytest.fixture
    async def world(self, world: World) -> World:
        # A port where nothing listens: the real driver fails as it does when Redis is gone.
        away = Redis.from_url("redis://127.0.0.1:1", decode_responses=True)
        return replace(world, redis=away)

    async def test_passwords_wait_and_the_rest_passes(self, client: Browser, call: Call) -> None:
        answer = await client.post("/api/v1/auth/login", json=WRONG)
        body = await answer.json()
        assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
        assert body["error"] == "Service temporarily unavailable. Please try again shortly."
        assert (await client.post("/api/v1/hosts/ping", data=b"")).status == 401
        profile = await client.get("/api/v1/auth/profile", headers=await bearer(call, "admin"))
        assert profile.status == 200


@pytest.mark.proves("ENV-188")
@pytest.mark.parametrize("preset", [(5000, 500, 1000), (2000, 100, 500), (10000, 1000, 2000)])
async def test_the_documented_presets_are_taken(call: Call, preset: tuple[int, int, int]) -> None:
    names = ("rate_limit_max", "auth_rate_limit_max", "agent_rate_limit_max")
    found = await settings.change(call, dict(zip(names, preset, strict=True)))
    assert tuple(getattr(found, name) for name in names) == preset
