"""Signing in and out, wrong passwords, and recovery by plain SQL."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from http.cookies import Morsel
from typing import Any

import bcrypt
import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from server.core import passwords
from server.core.call import Call
from server.core.env import Env
from server.core.secretbox import Secret
from server.identity import people
from server.identity.models import NewPerson, Profile
from server.settings import service as settings
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, form_token, person, post_form, sign_in
from tests.identity.conftest import Move

LOGIN = "/api/v1/auth/login"


async def attempt(client: Browser, name: str, password: str = PASSWORD) -> tuple[int, dict[str, Any]]:
    answer = await client.post(LOGIN, json={"username": name, "password": password})
    return answer.status, await answer.json()


@pytest.fixture
async def other(server: TestServer) -> AsyncIterator[Browser]:
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as browser:
        yield browser


@pytest.mark.proves("LOGIN-05")
async def test_signing_in_gives_cookies_out_of_reach_and_a_bearer_token(client: Browser, call: Call) -> None:
    user = await person(call, "user")
    answer = await client.post(LOGIN, json={"username": user.username, "password": PASSWORD})
    body = await answer.json()
    assert set(body) == {"message", "token", "refresh_token", "expires_in", "expires_at", "user"}
    assert body["user"]["last_login"] is not None
    for name in ("token", "refresh_token"):
        cookie: Morsel[str] = answer.cookies[name]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
        assert cookie["secure"] == ""
        assert 6 * 86400 < int(cookie["max-age"]) <= 7 * 86400
    client.session.cookie_jar.clear()
    assert (await client.get("/api/v1/auth/profile")).status == 401
    headers = {"Authorization": f"Bearer {body['token']}"}
    profile = await client.get("/api/v1/auth/profile", headers=headers)
    assert (await profile.json())["user"]["id"] == user.id


async def test_nothing_stored_opens_a_session(client: Browser, call: Call) -> None:
    body = await sign_in(client, (await person(call)).username)
    stored = str(await call.db.all("select * from user_sessions"))
    assert body["token"] not in stored
    assert body["refresh_token"] not in stored


class TestBehindProxy:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, trust_proxy="true", given=Secret({"AUTH_BROWSER_SESSION_COOKIES": "true"}))

    @pytest.mark.proves("LOGIN-05")
    async def test_https_seen_by_a_trusted_proxy_makes_cookies_secure(self, client: Browser, call: Call) -> None:
        user = await person(call)
        answer = await client.post(
            LOGIN,
            json={"username": user.username, "password": PASSWORD},
            headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"},
        )
        assert answer.cookies["token"]["secure"] is True
        assert answer.cookies["token"]["max-age"] == ""
        assert await call.db.value("select address from user_sessions") == "203.0.113.7"


async def test_without_a_trusted_proxy_its_headers_count_for_nothing(client: Browser, call: Call) -> None:
    user = await person(call)
    answer = await client.post(
        LOGIN,
        json={"username": user.username, "password": PASSWORD},
        headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"},
    )
    assert answer.cookies["token"]["secure"] == ""
    assert await call.db.value("select address from user_sessions") == "127.0.0.1"


@pytest.mark.proves("LOGIN-02")
async def test_names_and_addresses_are_found_in_any_case_and_refused_in_one_voice(client: Browser, call: Call) -> None:
    await person(call, username="Grace")
    for name in ("Grace", "grace", "GRACE@example.com", " grace "):
        assert (await attempt(client, name))[0] == 200, name
    wrong = await attempt(client, "Grace", "nope")
    unknown = await attempt(client, "nobody", "nope")
    assert wrong == unknown == (401, {"error": "Invalid credentials"})


@pytest.mark.proves("LOGIN-03")
async def test_an_inactive_person_is_let_in_by_nothing(client: Browser, call: Call) -> None:
    user = await person(call)
    token = (await sign_in(client, user.username))["token"]
    await call.db.execute("update users set is_active = false where id = %(id)s", id=user.id)
    assert (await client.get("/api/v1/auth/profile")).status == 401
    bearer = await client.get("/api/v1/auth/profile", headers={"Authorization": f"Bearer {token}"})
    assert (bearer.status, await bearer.json(content_type=None)) == (401, {"error": "Invalid token"})
    assert await attempt(client, user.username) == (401, {"error": "Invalid credentials"})


@pytest.mark.proves("LOCK-01", "LOCK-03", "RECOV-03")
async def test_five_wrong_passwords_lock_until_time_or_sql_unlocks(
    client: Browser, call: Call, pass_time: Move
) -> None:
    user = await person(call)
    for _ in range(5):
        assert (await attempt(client, user.username, "wrong"))[0] == 401
    answer = await client.post(LOGIN, json={"username": user.username, "password": PASSWORD})
    body = await answer.json()
    assert answer.status == 429
    assert body["message"] == "Too many failed login attempts. Try again later."
    assert 890 < body["remaining_seconds"] <= 901
    assert answer.headers["Retry-After"] == str(body["remaining_seconds"])
    await call.db.execute(
        "update users set failed_login_attempts=0, locked_until=NULL where username=%(name)s", name=user.username
    )
    assert (await attempt(client, user.username))[0] == 200

    for _ in range(5):
        await attempt(client, user.username, "wrong")
    assert (await attempt(client, user.username))[0] == 429
    pass_time(timedelta(minutes=15, seconds=2))
    assert (await attempt(client, user.username))[0] == 200


@pytest.mark.proves("LOCK-02")
async def test_failures_are_forgotten_after_success_and_after_a_while(
    client: Browser, call: Call, pass_time: Move
) -> None:
    user = await person(call)
    for _ in range(4):
        await attempt(client, user.username, "wrong")
    assert (await attempt(client, user.username))[0] == 200
    for _ in range(4):
        await attempt(client, user.username, "wrong")
    pass_time(timedelta(minutes=15, seconds=2))
    assert (await attempt(client, user.username, "wrong"))[0] == 401
    assert (await attempt(client, user.username))[0] == 200


async def test_the_lock_holds_against_many_at_once(client: Browser, call: Call) -> None:
    user = await person(call)
    answers = await asyncio.gather(*(attempt(client, user.username, f"wrong{n}") for n in range(12)))
    assert {status for status, _ in answers} <= {401, 429}
    assert await call.db.value("select failed_login_attempts from users") == 5
    assert await call.db.value("select count(*) from audit_log where detail->>'locked' = 'true'") == 1
    assert (await attempt(client, user.username))[0] == 429


async def test_a_name_without_account_locks_like_one_with(client: Browser, call: Call) -> None:
    for _ in range(5):
        assert (await attempt(client, "stranger", "x"))[0] == 401
    status, body = await attempt(client, "stranger", "x")
    assert (status, body["message"]) == (429, "Too many failed login attempts. Try again later.")
    assert 0 < body["remaining_seconds"] <= 900
    assert "stranger" not in str(await call.db.all("select * from audit_log"))


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(client: Browser, call: Call) -> None:
    await person(call, username="known", password_hash=await passwords.hashed(PASSWORD))

    async def took(name: str) -> float:
        start = time.perf_counter()
        await attempt(client, name, "wrong")
        return time.perf_counter() - start

    await settings.change(call, {"max_login_attempts": 1000})
    known, unknown = [], []
    for number in range(9):
        known.append(await took("known"))
        unknown.append(await took(f"unknown{number}"))
    # The quickest of each: what the work itself takes, without what the machine does beside it.
    assert 0.6 < min(unknown) / min(known) < 1.6, (known, unknown)


@pytest.mark.proves("RECOV-02", "PWD-04", "OPS-96")
@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
async def test_a_password_set_by_sql_works_at_once(client: Browser, call: Call, prefix: str) -> None:
    user = await person(call)
    stored = bcrypt.hashpw(b"Rescued-1!", bcrypt.gensalt(10)).decode().replace("$2b$", prefix)
    await call.db.execute(
        "UPDATE users SET password_hash=%(hash)s, updated_at=NOW() WHERE username=%(name)s",
        hash=stored,
        name=user.username,
    )
    assert (await attempt(client, user.username, "Rescued-1!"))[0] == 200
    assert (await attempt(client, user.username))[0] == 401


@pytest.mark.parametrize("stored", [None, "", "plain", "$2b$10$short", "$6$rounds=1$x$y"])
async def test_a_broken_hash_opens_nothing(client: Browser, call: Call, stored: str | None) -> None:
    user = await person(call)
    await call.db.execute("update users set password_hash = %(stored)s", stored=stored)
    for password in (PASSWORD, "", "plain"):
        assert (await attempt(client, user.username, password))[0] == 401


@pytest.mark.proves("PWD-04")
async def test_passwords_are_kept_as_bcrypt_of_cost_ten(call: Call) -> None:
    await people.create(call, NewPerson(Profile("known", "known@example.com", "", ""), PASSWORD), "user")
    assert str(await call.db.value("select password_hash from users")).startswith("$2b$10$")


async def test_signing_in_gives_a_new_token_and_ends_the_session_before(client: Browser, call: Call) -> None:
    user = await person(call)
    first = (await sign_in(client, user.username))["token"]
    second = (await sign_in(client, user.username))["token"]
    assert first != second
    old = await client.get("/api/v1/auth/profile", headers={"Authorization": f"Bearer {first}"})
    assert old.status == 401
    assert await call.db.value("select count(*) from user_sessions") == 1


async def test_a_token_chosen_by_somebody_else_is_not_adopted(client: Browser, other: Browser, call: Call) -> None:
    user = await person(call)
    chosen = (await sign_in(other, (await person(call)).username))["token"]
    client.session.cookie_jar.update_cookies({"token": chosen})
    body = await sign_in(client, user.username)
    assert body["token"] != chosen
    assert (await client.get("/api/v1/auth/profile")).status == 200
    planted = {"Authorization": f"Bearer {chosen}"}
    assert (await client.get("/api/v1/auth/profile", headers=planted)).status == 401


async def test_signing_out_ends_the_session_on_the_server(client: Browser, call: Call) -> None:
    user = await person(call, "superadmin")
    token = (await sign_in(client, user.username))["token"]
    answer = await client.post("/api/v1/auth/logout")
    assert answer.status == 200
    assert answer.cookies["token"].value == answer.cookies["refresh_token"].value == ""
    late = await client.get("/api/v1/auth/profile", headers={"Authorization": f"Bearer {token}"})
    assert late.status == 401
    await sign_in(client, user.username)
    page = await post_form(client, "/settings/tokens", "/logout")
    assert (page.status, page.headers["Location"]) == (303, "/login")
    assert (await client.get("/api/v1/auth/profile")).status == 401


async def test_the_form_signs_in_and_leads_to_the_page_that_was_wanted(client: Browser, call: Call) -> None:
    user = await person(call, "superadmin")
    sent = await client.get("/settings/server-url?a=1&b=2", headers=HTML, allow_redirects=False)
    assert sent.headers["Location"] == "/login?next=/settings/server-url%3Fa%3D1%26b%3D2"
    wrong = await post_form(client, sent.headers["Location"], "/login", {"username": user.username, "password": "no"})
    page = await wrong.text()
    assert (wrong.status, "That username and password do not belong together." in page) == (401, True)
    assert f'value="{user.username}"' in page
    fields = {"username": user.username, "password": PASSWORD, "return_to": "/settings/server-url?a=1&b=2"}
    answer = await post_form(client, sent.headers["Location"], "/login", fields)
    assert (answer.status, answer.headers["Location"]) == (303, "/settings/server-url?a=1&b=2")
    already = await client.get("/login", headers=HTML, allow_redirects=False)
    assert already.headers["Location"] == "/"
    evil = {**fields, "return_to": "https://evil.example"}
    assert (await post_form(client, "/settings/tokens", "/login", evil)).headers["Location"] == "/"


@pytest.mark.proves("LOGIN-11")
async def test_a_form_from_elsewhere_is_refused(client: Browser, other: Browser, call: Call) -> None:
    user = await person(call, "superadmin")
    fields = {"username": user.username, "password": PASSWORD}
    for token in ("", "forged", await form_token(other, "/login")):
        answer = await client.post("/login", data={**fields, "csrf": token}, headers=HTML)
        assert answer.status == 403, token
    await sign_in(client, user.username)
    assert (await client.post("/logout", headers=HTML)).status == 403
    assert (await client.post("/settings/tokens", data={"name": "x"}, headers=HTML)).status == 403
    foreign = await client.post("/api/v1/auth/logout", headers={"Origin": "https://evil.example"})
    assert foreign.status == 403
    cross = await client.put("/api/v1/auth/profile", json={}, headers={"Sec-Fetch-Site": "cross-site"})
    assert cross.status == 403
    assert (await client.get("/api/v1/auth/profile")).status == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"username": 1}', b'{"username": "x", "password": ["y"]}'])
async def test_bad_bodies_are_refused(client: Browser, body: bytes) -> None:
    answer = await client.post(LOGIN, data=body, headers={"Content-Type": "application/json"})
    assert answer.status == 400
    assert (await answer.json())["error"] == "Invalid request body"


async def test_odd_names_and_passwords_harm_nothing(client: Browser, call: Call) -> None:
    await person(call)
    for name, password in (
        ("' or 1=1 --", "x"),
        ("%s", "%(name)s"),
        ("a" * 301, "x"),
        ("x", "y" * 1001),
        ("ü\u0000", "x"),
    ):
        status, _ = await attempt(client, name, password)
        assert status in {400, 401}, name


@pytest.mark.proves("LOGIN-08")
async def test_signing_in_is_audited_and_announced_without_the_password(client: Browser, call: Call) -> None:
    user = await person(call)
    async with call.world.bus.following("user_login", "user_login_failed", "account_locked") as bell:
        for _ in range(5):
            await attempt(client, user.username, "S3cret-typo!")
        await sign_in(client, (await person(call)).username)
        news: list[str] = []
        while len(news) < 7:
            heard = await bell.ring(within=5)
            assert heard
            news += [one["event"] for one in heard]
    assert news == ["user_login_failed"] * 5 + ["account_locked", "user_login"]
    rows = await call.db.all("select * from audit_log order by id")
    assert [row["action"] for row in rows].count("identity.sign_in_failed") == 5
    assert "S3cret-typo!" not in str(rows)
    assert PASSWORD not in str(rows)
    assert rows[-1]["address"] == "127.0.0.1"
    assert rows[-1]["request_id"]
    assert await call.db.value("select count(*) from users where last_login_at is not null") == 1
