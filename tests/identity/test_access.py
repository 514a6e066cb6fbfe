"""Signed tokens: what is forged, stale or used twice opens nothing, and pages renew without a word."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from server.app import build
from server.core.call import Call, World
from server.core.env import BadEnvironment, Env, read
from server.core.loop import Keeper
from server.core.secretbox import Secret
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, person, sign_in
from tests.identity.conftest import Move

PROFILE: Final = "/api/v1/auth/profile"
REFRESH: Final = "/api/v1/auth/refresh"
SECRET: Final = b"test jwt secret"


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def decoded(token: str, part: int) -> dict[str, Any]:
    text = token.split(".")[part]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def forged(header: Mapping[str, object], claims: Mapping[str, object], secret: bytes = SECRET) -> str:
    """Return a token made without any library, signed with HMAC-SHA-256 whatever its header says."""
    signed = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{signed}.{encoded(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


async def refusal(client: Browser, token: str) -> tuple[int, str]:
    answer = await client.get(PROFILE, headers={"Authorization": f"Bearer {token}"})
    return answer.status, (await answer.json(content_type=None)).get("error", "")


@pytest.fixture
async def other(server: TestServer) -> AsyncIterator[Browser]:
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as browser:
        yield browser


@pytest.mark.proves("SESS-01")
async def test_the_access_token_is_the_contracts_and_lives_an_hour(
    client: Browser, call: Call, pass_time: Move
) -> None:
    user = await person(call, "readonly")
    body = await sign_in(client, user.username)
    token = body["token"]
    client.session.cookie_jar.clear()
    assert decoded(token, 0) == {"typ": "JWT", "alg": "HS256"}
    claims = decoded(token, 1)
    assert set(claims) == {"sub", "role", "typ", "sessionId", "iat", "exp"}
    assert (claims["sub"], claims["role"], claims["typ"]) == (user.id, "readonly", "access")
    assert claims["sessionId"] == await call.db.value("select id from user_sessions")
    assert claims["exp"] - claims["iat"] == 3600
    assert 3590 < body["expires_in"] <= 3600
    assert (
        token == forged(decoded(token, 0), claims)
        or (await refusal(client, forged({"alg": "HS256"}, claims)))[0] == 200
    )
    await call.db.execute("update user_sessions set last_activity_at = now() + interval '1 hour'")
    pass_time(timedelta(minutes=59))
    assert (await refusal(client, token))[0] == 200
    pass_time(timedelta(minutes=1, seconds=2))
    answer = await client.get(PROFILE, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status, answer.content_type) == (401, "text/plain")
    assert json.loads(await answer.text()) == {"error": "Session expired"}


async def test_what_was_not_signed_here_opens_nothing(client: Browser, call: Call) -> None:
    token = (await sign_in(client, (await person(call, "superadmin")).username))["token"]
    client.session.cookie_jar.clear()
    claims, (head, said, signature) = decoded(token, 1), token.split(".")
    stronger = {**claims, "role": "superadmin", "exp": claims["exp"] + 10**6}
    none = encoded(b'{"alg":"none"}')
    pair = "-----BEGIN PUBLIC KEY-----\ntest jwt secret\n-----END PUBLIC KEY-----\n"
    attacks = {
        "no algorithm": f"{none}.{said}.",
        "no algorithm in other letters": f"{encoded(json.dumps({'alg': 'nOnE'}).encode())}.{said}.",
        "no algorithm, old signature": f"{none}.{said}.{signature}",
        "no signature": f"{head}.{said}.",
        "a claim changed": f"{head}.{encoded(json.dumps(stronger).encode())}.{signature}",
        "another secret": forged({"alg": "HS256"}, claims, b"another secret of theirs"),
        "an empty secret": forged({"alg": "HS256"}, claims, b""),
        "a public key as the secret": forged({"alg": "HS256"}, claims, pair.encode()),
        "an asymmetric name over our secret": forged({"alg": "RS256"}, claims),
        "a stronger name over our secret": forged({"alg": "HS512"}, claims),
        "a key of its own": forged({"alg": "HS256", "jwk": {"kty": "oct", "k": encoded(b"x")}}, claims, b"x"),
        "a key from elsewhere": forged({"alg": "HS256", "jku": "http://127.0.0.1:1/jwks", "kid": "x"}, claims, b"x"),
        "an unknown demand": forged({"alg": "HS256", "crit": ["made-up"], "made-up": True}, claims),
        "no session": forged({"alg": "HS256"}, {**claims, "sessionId": None}),
        "an odd session": forged({"alg": "HS256"}, {**claims, "sessionId": "x' or 1=1"}),
        "somebody else's session": forged({"alg": "HS256"}, {**claims, "sub": (await person(call)).id}),
        "no end": forged({"alg": "HS256"}, {key: value for key, value in claims.items() if key != "exp"}),
        "an end that is no number": forged({"alg": "HS256"}, {**claims, "exp": "never"}),
        "another kind": forged({"alg": "HS256"}, {**claims, "typ": "refresh"}),
        "a list": f"{head}.{encoded(b'[]')}.{signature}",
        "no text": f"{head}.{encoded(bytes(range(128, 160)))}.{signature}",
        "too long": f"{token}{'x' * 5000}",
        "dots": "...",
    }
    for name, attack in attacks.items():
        assert await refusal(client, attack) == (401, "Invalid token"), name
    assert (await refusal(client, token))[0] == 200, "and the genuine one is good"


async def test_the_role_in_a_token_decides_nothing(client: Browser, call: Call) -> None:
    token = (await sign_in(client, (await person(call, "readonly")).username))["token"]
    client.session.cookie_jar.clear()
    headers = {"Authorization": f"Bearer {forged({'alg': 'HS256'}, {**decoded(token, 1), 'role': 'superadmin'})}"}
    assert (await client.get(PROFILE, headers=headers)).status == 200
    assert (await client.get("/api/v1/settings", headers=headers)).status == 403


@pytest.mark.proves("LOGIN-06")
async def test_a_program_uses_the_token_of_the_answer_everywhere(client: Browser, call: Call) -> None:
    user = await person(call, "superadmin")
    token = (await sign_in(client, user.username))["token"]
    client.session.cookie_jar.clear()
    headers = {"Authorization": f"Bearer {token}"}
    for path in (
        PROFILE,
        "/api/v1/settings",
        "/api/v1/me/context",
        "/api/v1/permissions/roles",
        "/api/v1/auth/sessions",
    ):
        assert (await client.get(path, headers=headers)).status == 200, path
    assert (await client.get("/api/v1/jobs", headers=headers)).status == 200
    unknown = "00000000-0000-4000-8000-000000000000"
    stream = f"/api/v1/jobs/{unknown}/stream"
    assert (await client.get(stream, headers=headers)).status == 404
    assert (await client.get(stream)).status == 401
    assert (await client.post("/api/v1/auth/logout", headers=headers)).status == 200
    assert await refusal(client, token) == (401, "Invalid token")


@pytest.mark.proves("SESS-02")
async def test_another_secret_ends_every_session_and_a_restart_none(world: World, keeper: Keeper, call: Call) -> None:
    user = await person(call)
    jar = CookieJar(unsafe=True)
    async with TestClient(TestServer(build(world, keeper)), cookie_jar=jar) as before:
        await sign_in(before, user.username)
        cookies = {
            name: before.session.cookie_jar.filter_cookies(before.make_url("/"))[name].value
            for name in ("token", "refresh_token")
        }
    for secret, status in (("test jwt secret", 200), ("quite another secret", 401)):
        anew = replace(world, env=replace(world.env, jwt_secret=Secret(secret)))
        async with TestClient(TestServer(build(anew, keeper)), cookies=cookies) as browser:
            assert (await browser.get(PROFILE)).status == status
            assert (await browser.post(REFRESH)).status == status


def test_without_a_secret_the_server_does_not_start_and_odd_durations_are_told() -> None:
    given = {"DATABASE_URL": "postgresql://x/y", "REDIS_HOST": "x", "AI_ENCRYPTION_KEY": "k", "ENV_FILE": ""}
    with pytest.raises(BadEnvironment) as refused:
        read(given)
    assert refused.value.complaints == ["config: JWT_SECRET is required"]
    given["JWT_SECRET"] = "s"
    for text, seconds in (("30s", 30), ("15m", 900), ("2h", 7200), ("7d", 604800)):
        found = read({**given, "JWT_EXPIRES_IN": text, "JWT_REFRESH_EXPIRES_IN": text})
        assert (found.access_seconds, found.session_seconds) == (seconds, seconds)
    assert read(given).access_seconds == 3600
    for text in ("0s", "-1h", "1w", "h", "1 h 2 m", "99999999d", "1.5h"):
        with pytest.raises(BadEnvironment) as refused:
            read({**given, "JWT_EXPIRES_IN": text})
        assert refused.value.complaints[0].startswith("config: JWT_EXPIRES_IN: "), text


@pytest.mark.proves("SESS-01")
class TestShortLives:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, access_seconds=30, session_seconds=120)

    async def test_the_operator_says_how_long_tokens_live(self, client: Browser, call: Call, pass_time: Move) -> None:
        body = await sign_in(client, (await person(call)).username)
        assert 28 <= body["expires_in"] <= 30
        pass_time(timedelta(seconds=32))
        assert await refusal(client, body["token"]) == (401, "Session expired")
        renewed = await client.post(REFRESH)
        assert (renewed.status, set(await renewed.json())) == (200, {"expires_at"})
        assert (await client.get(PROFILE)).status == 200
        pass_time(timedelta(seconds=90))
        assert (await client.post(REFRESH)).status == 401


@pytest.mark.proves("SESS-03")
async def test_a_refresh_token_is_good_once_and_a_copy_of_it_ends_the_session(
    client: Browser, other: Browser, call: Call, pass_time: Move
) -> None:
    body = await sign_in(client, (await person(call)).username)
    claims = decoded(body["refresh_token"], 1)
    assert (claims["typ"], claims["exp"] - claims["iat"]) == ("refresh", 7 * 86400)
    answer = await client.post(REFRESH)
    assert answer.status == 200
    assert answer.cookies["refresh_token"].value != body["refresh_token"]
    assert (await client.get(PROFILE)).status == 200
    pass_time(timedelta(seconds=40))
    other.session.cookie_jar.update_cookies({"refresh_token": body["refresh_token"]})
    assert (await other.post(REFRESH)).status == 401
    assert (await client.get(PROFILE)).status == 401, "the one who may be the owner has to sign in again as well"
    assert (await client.post(REFRESH)).status == 401
    replayed = await call.db.column("select subject_name from audit_log where action = 'identity.refresh_replayed'")
    assert len(replayed) == 1


async def test_an_older_refresh_token_has_no_grace(client: Browser, other: Browser, call: Call) -> None:
    first = (await sign_in(client, (await person(call)).username))["refresh_token"]
    for _ in range(2):
        assert (await client.post(REFRESH)).status == 200
    other.session.cookie_jar.update_cookies({"refresh_token": first})
    assert (await other.post(REFRESH)).status == 401
    assert (await client.get(PROFILE)).status == 401


async def test_a_refresh_token_opens_no_door_and_an_access_token_renews_nothing(client: Browser, call: Call) -> None:
    body = await sign_in(client, (await person(call, "superadmin")).username)
    client.session.cookie_jar.clear()
    assert await refusal(client, body["refresh_token"]) == (401, "Invalid token")
    client.session.cookie_jar.update_cookies({"token": body["refresh_token"], "refresh_token": body["token"]})
    assert (await client.get(PROFILE)).status == 401
    assert (await client.post(REFRESH)).status == 401
    page = await client.get("/settings/profile", headers=HTML)
    assert page.url.path == "/login"


class TestPagesRenew:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, access_seconds=60)

    async def test_a_page_renews_what_ran_out_without_a_word(
        self, client: Browser, call: Call, pass_time: Move
    ) -> None:
        body = await sign_in(client, (await person(call, "superadmin")).username)
        pass_time(timedelta(seconds=61))
        assert (await client.get(PROFILE)).status == 401, "programs renew by themselves"
        followed = await client.get(PROFILE, headers={"Sec-Fetch-Site": "same-origin"})
        assert followed.status == 200
        pass_time(timedelta(seconds=61))
        page = await client.get("/settings/profile", headers=HTML, allow_redirects=False)
        assert page.status == 200
        assert page.cookies["token"].value not in {"", body["token"]}
        assert (page.cookies["token"]["httponly"], page.cookies["refresh_token"]["httponly"]) == (True, True)
        assert (await client.get(PROFILE)).status == 200
        assert await call.db.value("select count(*) from user_sessions") == 1

    async def test_many_tabs_at_the_same_moment_are_one_person(
        self, client: Browser, call: Call, pass_time: Move
    ) -> None:
        await sign_in(client, (await person(call, "superadmin")).username)
        for _ in range(2):
            pass_time(timedelta(seconds=61))
            pages = await asyncio.gather(
                *(client.get("/settings/profile", headers=HTML, allow_redirects=False) for _ in range(12))
            )
            assert {page.status for page in pages} == {200}
            given = {decoded(page.cookies["refresh_token"].value, 1)["gen"] for page in pages if page.cookies}
            assert len(given) == 1, "one winner"
        assert await call.db.value("select refresh_generation from user_sessions") == 2
        assert (await client.get(PROFILE)).status == 200

    async def test_a_session_that_ended_is_not_renewed(self, client: Browser, call: Call, pass_time: Move) -> None:
        await sign_in(client, (await person(call, "superadmin")).username)
        await call.db.execute("delete from user_sessions")
        pass_time(timedelta(seconds=61))
        page = await client.get("/settings/profile", headers=HTML)
        assert (page.url.path, "Invalid or expired session" in await page.text()) == ("/login", True)

    async def test_signing_out_with_a_stale_token_gives_no_new_one(
        self, client: Browser, call: Call, pass_time: Move
    ) -> None:
        from tests.factories.people import form_token  # noqa: PLC0415

        await sign_in(client, (await person(call, "superadmin")).username)
        token = await form_token(client, "/settings/tokens")
        pass_time(timedelta(seconds=61))
        answer = await client.post("/logout", data={"csrf": token}, headers=HTML, allow_redirects=False)
        assert (answer.status, answer.cookies["token"].value) == (303, "")
        assert await call.db.value("select count(*) from user_sessions") == 0


async def test_checking_a_token_costs_no_more_than_it_may(call: Call) -> None:
    from server.identity import access  # noqa: PLC0415

    user = await person(call)
    claims = access.Claims(user.id, user.id)
    token = access.issue(call, "access", claims, "user", call.now + timedelta(hours=1))
    took = []
    for _ in range(50):
        started = time.perf_counter()
        access.read(call, "access", token)
        took.append(time.perf_counter() - started)
    assert min(took) < 0.0005


async def test_signing_in_again_ends_the_session_that_the_browser_had(client: Browser, call: Call) -> None:
    user = await person(call)
    first = (await sign_in(client, user.username))["token"]
    answer = await client.post("/api/v1/auth/login", json={"username": user.username, "password": PASSWORD})
    assert answer.status == 200
    assert (await refusal(client, first))[0] == 401
