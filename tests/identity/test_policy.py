"""What the operator decides about passwords, sessions and how often one may try."""

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from server.core import env as environment
from server.core.call import Call
from server.core.env import Env
from server.core.secretbox import Secret
from server.identity.service import setup_link
from server.settings import service as settings
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, person, post_form, role_with, sign_in, sign_in_as
from tests.identity.conftest import Move

USERS: Final = "/api/v1/auth/admin/users"
REFUSAL: Final = "Password does not meet the password policy"
#: One password for each rule that it breaks.
WEAK: Final = {
    "At least 8 characters": "Ab1!xyz",
    "One upper-case letter": "abcdefg1!",
    "One lower-case letter": "ABCDEFG1!",
    "One digit": "Abcdefgh!",
    "One special character": "Abcdefgh1",
}
SIMPLE: Final = "simplest"


def fresh(password: str) -> dict[str, str]:
    name = f"u{secrets.token_hex(6)}"
    return {
        "username": name, "email": f"{name}@example.com", "password": password, "firstName": "A", "lastName": "B"
    }  # fmt: skip


async def every_door(
    client: Browser, server: TestServer, call: Call, passwords: list[str]
) -> dict[str, list[tuple[int, str]]]:
    """Try passwords at every place where one is set or changed; return status and what is said, by place."""
    found: dict[str, list[tuple[int, str]]] = {}

    async def at(door: str, browser: Browser, method: str, path: str, body: dict[str, Any]) -> None:
        answer = await browser.request(method, path, json=body)
        found.setdefault(door, []).append((answer.status, await answer.text()))

    token = str(await setup_link(call.world, "http://x")).partition("token=")[2]
    for password in passwords:
        await at("setup", client, "POST", "/api/v1/auth/setup-admin", {**fresh(password), "token": token})
    admin = await person(call, "superadmin")
    await settings.change(call, {"signup_enabled": True})
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as boss:
        await sign_in(boss, admin.username)
        for password in passwords:
            user = await person(call)
            await at("signup", client, "POST", "/api/v1/auth/signup", fresh(password))
            await at("creation", boss, "POST", USERS, fresh(password))
            await at("reset", boss, "POST", f"{USERS}/{user.id}/reset-password", {"newPassword": password})
        mine = await person(call)
        await sign_in(client, mine.username)
        current = PASSWORD
        for password in passwords:
            body = {"currentPassword": current, "newPassword": password}
            await at("own change", client, "PUT", "/api/v1/auth/change-password", body)
    return found


@pytest.mark.proves("PWD-01")
async def test_the_policy_holds_wherever_a_password_is_set(client: Browser, server: TestServer, call: Call) -> None:
    found = await every_door(client, server, call, list(WEAK.values()))
    assert set(found) == {"setup", "signup", "creation", "reset", "own change"}
    for door, answers in found.items():
        for (status, said), rule in zip(answers, WEAK, strict=True):
            assert (status, REFUSAL in said, rule[1:] in said) == (400, True, True), (door, rule, said)


class TestRelaxed:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        names = ("UPPERCASE", "LOWERCASE", "NUMBER", "SPECIAL")
        return replace(env, given=Secret({f"PASSWORD_REQUIRE_{name}": "false" for name in names}))

    @pytest.mark.proves("PWD-01")
    async def test_rules_that_are_off_bind_nowhere(self, client: Browser, server: TestServer, call: Call) -> None:
        found = await every_door(client, server, call, [SIMPLE])
        assert {door: answers[0][0] for door, answers in found.items()} == {
            "setup": 201, "signup": 201, "creation": 201, "reset": 200, "own change": 200,
        }  # fmt: skip


class TestLongByEnvironment:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, given=Secret({"PASSWORD_MIN_LENGTH": "14"}))

    @pytest.mark.proves("PWD-02")
    async def test_a_page_decides_and_the_environment_decides_over_it(self, as_admin: Browser) -> None:
        async def rules() -> dict[str, Any]:
            answer = await as_admin.get("/api/v1/settings/login-settings")
            policy: dict[str, Any] = (await answer.json())["password_policy"]
            return policy

        for key, value in (("PASSWORD_MIN_LENGTH", 10), ("PASSWORD_REQUIRE_SPECIAL", False)):
            answer = await as_admin.patch(f"/api/v1/settings/environment/{key}", json={"value": value})
            assert answer.status == 200, await answer.text()
        policy = await rules()
        assert (policy["min_length"], policy["require_special"], policy["require_number"]) == (14, False, True)
        made = await as_admin.post(USERS, json=fresh("Abcdefghijk1"))
        assert made.status == 400
        made = await as_admin.post(USERS, json=fresh("Abcdefghijklmnopqrs1"))
        assert made.status == 201, await made.text()


async def test_a_stored_policy_counts_at_the_next_password(as_admin: Browser) -> None:
    assert (await as_admin.post(USERS, json=fresh("Abcdefg1!"))).status == 201
    answer = await as_admin.patch("/api/v1/settings/environment/PASSWORD_MIN_LENGTH", json={"value": 12})
    assert answer.status == 200
    assert (await as_admin.post(USERS, json=fresh("Abcdefg1!"))).status == 400


@pytest.mark.proves("PWD-05")
async def test_ones_own_password_needs_the_current_one_and_few_tries(client: Browser, call: Call) -> None:
    await sign_in(client, (await person(call)).username)
    path = "/api/v1/auth/change-password"
    for wrong in ("nope", "", PASSWORD.lower(), "x" * 500):
        answer = await client.put(path, json={"currentPassword": wrong, "newPassword": "Another-1!"})
        assert (answer.status, (await answer.json())["error"]) == (400, "The current password is not right")
    assert (await client.put(path, json={"currentPassword": PASSWORD, "newPassword": "Another-1!"})).status == 200
    over = await client.put(path, json={"currentPassword": "Another-1!", "newPassword": "Another-2!"})
    assert over.status == 429
    assert 890 < int(over.headers["Retry-After"]) <= 900
    assert await over.json() == {"message": "Too many requests. Try again later."}


@pytest.mark.proves("LOCK-05")
async def test_the_four_budgets_are_the_documented_ones(call: Call) -> None:
    decided = await settings.effective(call)
    assert (decided.rate_limit_max, decided.rate_limit_window_ms) == (5000, 900_000)
    assert (decided.auth_rate_limit_max, decided.auth_rate_limit_window_ms) == (500, 600_000)
    assert (decided.agent_rate_limit_max, decided.agent_rate_limit_window_ms) == (1000, 60_000)
    assert (decided.password_rate_limit_max, decided.password_rate_limit_window_ms) == (5, 900_000)


class TestSmallBudgets:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        given = {
            "RATE_LIMIT_MAX": "4", "AUTH_RATE_LIMIT_MAX": "3", "AGENT_RATE_LIMIT_MAX": "2",
            "PASSWORD_RATE_LIMIT_MAX": "1",
        }  # fmt: skip
        return replace(env, given=Secret(given))

    @pytest.mark.proves("LOCK-05")
    async def test_each_class_has_its_own_budget_and_no_header_buys_more(self, client: Browser, call: Call) -> None:
        user = await person(call)
        headers = {"X-Forwarded-For": "203.0.113.9"}

        async def often(times: int, method: str, path: str, body: object = None) -> list[int]:
            return [(await client.request(method, path, json=body, headers=headers)).status for _ in range(times)]

        assert await often(3, "POST", "/api/v1/hosts/ping") == [401, 401, 429]
        await sign_in(client, user.username)
        change = {"currentPassword": "x", "newPassword": "y"}
        assert await often(2, "PUT", "/api/v1/auth/change-password", change) == [400, 429]
        assert await often(3, "GET", "/api/v1/auth/profile") == [200, 200, 429]
        wrong = {"username": "nobody", "password": "x"}
        assert await often(3, "POST", "/api/v1/auth/login", wrong) == [401, 401, 429]

    @pytest.mark.proves("LOGIN-07")
    @pytest.mark.parametrize("path", ["login", "verify-tfa", "refresh", "setup-admin", "signup"])
    async def test_whatever_proves_who_one_is_shares_one_budget(self, client: Browser, path: str) -> None:
        for _ in range(3):
            assert (await client.post(f"/api/v1/auth/{path}", json={})).status != 429
        assert (await client.post(f"/api/v1/auth/{path}", json={})).status == 429
        assert (await client.post("/api/v1/auth/login", json={})).status == 429


@pytest.mark.proves("SESS-08")
async def test_what_a_page_stores_about_sessions_counts_after_a_restart(
    as_admin: Browser, call: Call, pass_time: Move
) -> None:
    path = "/api/v1/settings/environment"
    stored = await as_admin.patch(f"{path}/SESSION_INACTIVITY_TIMEOUT_MINUTES", json={"value": 5})
    assert stored.status == 200, await stored.text()
    known = {one["key"]: one for one in (await (await as_admin.get(path)).json())["variables"]}
    assert known["SESSION_INACTIVITY_TIMEOUT_MINUTES"]["requires_restart"] is True
    pass_time(timedelta(minutes=10))
    assert (await as_admin.get("/api/v1/auth/profile")).status == 200, "the running server has its 30 minutes"
    assert call.world.env.session_idle_minutes == 30
    again = environment.with_stored(call.world.env, {"SESSION_INACTIVITY_TIMEOUT_MINUTES": "5"})
    assert again.session_idle_minutes == 5


@pytest.mark.proves("USER-13")
async def test_the_users_page_is_forbidden_or_without_its_button(client: Browser, call: Call) -> None:
    await sign_in_as(client, call, "user")
    forbidden = await client.get("/settings/users", headers=HTML)
    assert (forbidden.status, "You may not do this" in await forbidden.text()) == (403, True)
    await role_with(call, "viewer_of_users", "can_view_users")
    await role_with(call, "maker_of_users", "can_view_users", "can_manage_users")
    for role, button in (("viewer_of_users", False), ("maker_of_users", True)):
        await sign_in_as(client, call, role)
        page = await (await client.get("/settings/users", headers=HTML)).text()
        assert ("Add User" in page) is button, role


@pytest.mark.proves("IDAUD-02")
async def test_what_is_announced_says_who_from_where_and_how_and_nothing_secret(
    as_admin: Browser, client: Browser, call: Call
) -> None:
    names = ("user_login", "user_login_failed", "user_created", "user_role_changed", "user_tfa_disabled")
    heard: dict[str, dict[str, Any]] = {}
    agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
    async with call.world.bus.following(*names) as bell:
        body = fresh(PASSWORD)
        made = (await (await as_admin.post(USERS, json=body)).json())["user"]
        await client.post(
            "/api/v1/auth/login", json={"username": made["username"], "password": "Wr0ng!!!"}, headers=agent
        )
        login = {"username": made["username"], "password": PASSWORD}
        signed = await (await client.post("/api/v1/auth/login", json=login, headers=agent)).json()
        await call.db.execute("update users set tfa_enabled = true, tfa_secret = 'x' where id = %(id)s", id=made["id"])
        assert (await client.post("/api/v1/tfa/disable", json={"password": PASSWORD})).status == 200
        assert (await as_admin.put(f"{USERS}/{made['id']}", json={"role": "readonly"})).status == 200
        while len(heard) < len(names):
            news = await bell.ring(within=5)
            assert news, sorted(heard)
            heard |= {one["event"]: one for one in news}
    admin = (await (await as_admin.get("/api/v1/auth/profile")).json())["user"]["username"]
    for name in names:
        assert {"user_id": made["id"], "username": made["username"], "ip": "127.0.0.1"}.items() <= heard[name].items()
    for name in ("user_login", "user_login_failed"):
        assert (heard[name]["method"], heard[name]["user_agent"]) == ("local", agent["User-Agent"])
    assert (heard["user_created"]["actor"], heard["user_role_changed"]["actor"]) == (admin, admin)
    assert heard["user_tfa_disabled"]["actor"] == made["username"]
    for secret in (PASSWORD, "Wr0ng!!!", signed["token"], signed["refresh_token"]):
        assert secret not in str(heard)
        assert secret not in str(await call.db.all("select * from audit_log"))
    row = await call.db.one(
        "select actor_id, actor_name, via, address, detail from audit_log"
        " where action = 'identity.signed_in' and actor_id = %(id)s",
        id=made["id"],
    )
    assert row is not None
    assert (row["actor_name"], row["address"], row["detail"]["method"]) == (made["username"], "127.0.0.1", "local")
    assert row["via"]


async def test_the_log_finds_what_a_person_did_sign_in_included(as_admin: Browser, client: Browser, call: Call) -> None:
    user = await person(call, username="grace")
    await sign_in(client, user.username)
    await post_form(client, "/settings/tokens", "/settings/tokens", {"name": "one", "access": "read"})
    page = await (await as_admin.get("/audit?who=grace", headers=HTML)).text()
    assert "identity.signed_in" in page
    assert "identity.token_created" in page
    assert "identity.user_created" not in page.split("<tbody>")[1]
