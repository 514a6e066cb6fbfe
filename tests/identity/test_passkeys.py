"""Passkeys: adding, using and removing them, and every way to cheat with one that could be thought of."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pyotp
import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from server.core.call import Call
from server.core.env import Env
from server.core.secretbox import Secret
from server.identity.models import User
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, bearer, person, post_form, sign_in
from tests.stand_ins.authenticator import Authenticator, text

SITE = "http://patch.example.com"
HOST = {"Host": "patch.example.com"}
OPTIONS = "/api/v1/auth/passkey/options"
VERIFY = "/api/v1/auth/passkey/verify"
KEYS = "/api/v1/auth/passkeys"


@pytest.fixture
def env(env: Env) -> Env:
    said = {"SERVER_PROTOCOL": "http", "SERVER_HOST": "patch.example.com", "SERVER_PORT": "80"}
    return replace(env, given=Secret(said))


@pytest.fixture
async def client(server: TestServer) -> AsyncIterator[Browser]:
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True), headers=HOST) as browser:
        yield browser


@pytest.fixture
async def other(server: TestServer) -> AsyncIterator[Browser]:
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True), headers=HOST) as browser:
        yield browser


def device(**changes: Any) -> Authenticator:
    return Authenticator(**{"origin": SITE, "rp_id": "patch.example.com", **changes})


async def post(client: Browser, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = await client.post(path, json=body)
    said = await answer.json() if answer.content_type == "application/json" else {"error": await answer.text()}
    return answer.status, said


async def add(client: Browser, key: Authenticator, name: str = "Laptop") -> str:
    """Add the key to who is signed in; return its id."""
    status, begun = await post(client, f"{KEYS}/options", {"password": PASSWORD})
    assert status == 200, begun
    body = {"ceremony": begun["ceremony"], "name": name, "credential": key.make(begun["options"])}
    status, made = await post(client, KEYS, body)
    assert status == 201, made
    return str(made["passkey"]["id"])


async def owner(client: Browser, call: Call, key: Authenticator) -> User:
    """Return a person who has the key; the browser is signed out again."""
    user = await person(call)
    await sign_in(client, user.username)
    await add(client, key)
    client.session.cookie_jar.clear()
    return user


async def enter(client: Browser, key: Authenticator, **changes: Any) -> tuple[int, dict[str, Any]]:
    """Sign in with the key alone."""
    _, begun = await post(client, OPTIONS, {})
    return await post(
        client, VERIFY, {"ceremony": begun["ceremony"], "credential": key.sign(begun["options"], **changes)}
    )


async def test_a_passkey_signs_in_without_a_password(client: Browser, call: Call) -> None:
    key = device()
    user = await owner(client, call, key)
    status, begun = await post(client, OPTIONS, {})
    assert begun["options"]["userVerification"] == "required"
    assert begun["options"].get("allowCredentials", []) == []
    body = {"ceremony": begun["ceremony"], "credential": key.sign(begun["options"]), "return_to": "/jobs?x=1"}
    status, done = await post(client, VERIFY, body)
    assert (status, done["location"], done["user"]["username"]) == (200, "/jobs?x=1", user.username)
    profile = await (await client.get("/api/v1/auth/profile")).json()
    assert profile["user"]["id"] == user.id
    [kept] = (await (await client.get(KEYS)).json())["passkeys"]
    assert (kept["name"], kept["last_used_at"] is not None) == ("Laptop", True)
    recorded = await call.db.all("select action, detail from audit_log where action = 'identity.signed_in' order by id")
    assert recorded[-1]["detail"]["method"] == "passkey"
    status, done = await enter(client, key)
    assert (status, done["location"]) == (200, "/")


async def test_it_leads_to_no_other_site(client: Browser, call: Call) -> None:
    key = device()
    await owner(client, call, key)
    for target in ("https://evil.example", "//evil.example", "/\\evil.example", "/login"):
        _, begun = await post(client, OPTIONS, {})
        body = {"ceremony": begun["ceremony"], "credential": key.sign(begun["options"]), "return_to": target}
        assert (await post(client, VERIFY, body))[1]["location"] == "/", target


async def test_adding_one_needs_the_password_and_a_session(client: Browser, other: Browser, call: Call) -> None:
    user = await person(call)
    await sign_in(client, user.username)
    status, said = await post(client, f"{KEYS}/options", {"password": "not it"})
    assert (status, said["complaints"]) == (400, {"password": "The current password is not right"})
    for _ in range(5):
        status, said = await post(client, f"{KEYS}/options", {"password": "not it"})
    assert status == 429
    assert (await post(other, f"{KEYS}/options", {"password": PASSWORD}))[0] == 401
    headers = await bearer(call, "superadmin")
    for method, path in (("POST", f"{KEYS}/options"), ("POST", KEYS)):
        answer = await other.request(method, path, json={"password": PASSWORD, "name": "x"}, headers=headers)
        assert answer.status == 403, path


async def test_a_key_cannot_be_registered_twice_or_in_somebody_elses_ceremony(
    client: Browser, other: Browser, call: Call
) -> None:
    first, second = await person(call), await person(call)
    await sign_in(client, first.username)
    await sign_in(other, second.username)
    key = device()
    await add(client, key)
    _, begun = await post(other, f"{KEYS}/options", {"password": PASSWORD})
    stolen = {"ceremony": begun["ceremony"], "name": "x", "credential": key.make(begun["options"])}
    assert (await post(other, KEYS, stolen))[0] == 409
    _, begun = await post(other, f"{KEYS}/options", {"password": PASSWORD})
    crossed = {"ceremony": begun["ceremony"], "name": "x", "credential": device().make(begun["options"])}
    assert (await post(client, KEYS, crossed))[0] == 400
    assert (await post(other, KEYS, crossed))[0] == 400
    _, begun = await post(client, OPTIONS, {})
    mixed = {**begun["options"], "user": {"id": text(first.id.encode())}}
    body = {"ceremony": begun["ceremony"], "name": "x", "credential": device().make(mixed)}
    assert (await post(client, KEYS, body))[0] == 400


@pytest.mark.parametrize(
    "changes", [{"origin": "https://evil.example"}, {"origin": "https://patch.example.com"}, {"rp_id": "evil.example"},
                {"origin": "http://patch.example.com.evil.example"}, {"rp_id": "example.com"}]
)  # fmt: skip
async def test_what_was_signed_for_another_site_is_worth_nothing(
    client: Browser, call: Call, changes: dict[str, str]
) -> None:
    key = device()
    await owner(client, call, key)
    for name, value in changes.items():
        setattr(key, name, value)
    status, said = await enter(client, key)
    assert (status, said["error"]) == (401, "This passkey does not sign you in")
    await sign_in(client, (await person(call)).username)
    _, begun = await post(client, f"{KEYS}/options", {"password": PASSWORD})
    made = device(**changes).make(begun["options"])
    assert (await post(client, KEYS, {"ceremony": begun["ceremony"], "name": "x", "credential": made}))[0] == 400


async def test_a_challenge_is_good_once_and_for_five_minutes(client: Browser, call: Call) -> None:
    key = device()
    await owner(client, call, key)
    _, begun = await post(client, OPTIONS, {})
    body = {"ceremony": begun["ceremony"], "credential": key.sign(begun["options"])}
    assert (await post(client, VERIFY, body))[0] == 200
    client.session.cookie_jar.clear()
    assert (await post(client, VERIFY, body))[0] == 401
    again = {"ceremony": begun["ceremony"], "credential": key.sign(begun["options"])}
    assert (await post(client, VERIFY, again))[0] == 401
    _, fresh = await post(client, OPTIONS, {})
    old_answer = {"ceremony": fresh["ceremony"], "credential": key.sign(begun["options"])}
    assert (await post(client, VERIFY, old_answer))[0] == 401
    _, late = await post(client, OPTIONS, {})
    kept = await call.world.redis.ttl(f"patchmon:passkey:{late['ceremony']}")
    assert 0 < kept <= 300
    await call.world.redis.delete(f"patchmon:passkey:{late['ceremony']}")
    expired = {"ceremony": late["ceremony"], "credential": key.sign(late["options"])}
    assert (await post(client, VERIFY, expired))[0] == 401


async def test_one_answer_opens_one_of_many_doors_at_once(client: Browser, call: Call) -> None:
    key = device()
    await owner(client, call, key)
    _, begun = await post(client, OPTIONS, {})
    body = {"ceremony": begun["ceremony"], "credential": key.sign(begun["options"])}
    answers = await asyncio.gather(*(post(client, VERIFY, body) for _ in range(8)))
    assert sorted(status for status, _ in answers) == [200] + [401] * 7


async def test_somebody_elses_key_opens_only_their_account(client: Browser, other: Browser, call: Call) -> None:
    mine, theirs = device(), device()
    await owner(client, call, mine)
    victim = await owner(other, call, theirs)
    status, _ = await enter(client, mine, userHandle=text(victim.id.encode()))
    assert status == 401
    _, begun = await post(client, OPTIONS, {})
    forged = mine.sign(begun["options"])
    forged["id"] = forged["rawId"] = text(theirs.identifier)
    assert (await post(client, VERIFY, {"ceremony": begun["ceremony"], "credential": forged}))[0] == 401
    stranger = device(handle=victim.id.encode())
    assert (await enter(client, stranger))[0] == 401


async def test_a_counter_that_goes_back_shows_a_copy(client: Browser, call: Call) -> None:
    key = device()
    user = await owner(client, call, key)
    key.count = 10
    assert (await enter(client, key))[0] == 200
    client.session.cookie_jar.clear()
    for count in (4, 11):
        key.count = count
        assert (await enter(client, key))[0] == (401 if count == 4 else 200)
        client.session.cookie_jar.clear()
    key.count, key.counts = 12, False
    assert (await enter(client, key))[0] == 401
    reasons = await call.db.column(
        "select detail ->> 'reason' from audit_log where action = 'identity.passkey_refused' and subject_id = %(id)s",
        id=user.id,
    )
    assert reasons == ["counter went back"] * 2


async def test_keys_that_do_not_count_work(client: Browser, call: Call) -> None:
    key = device(counts=False)
    await owner(client, call, key)
    for _ in range(2):
        assert (await enter(client, key))[0] == 200
        client.session.cookie_jar.clear()


async def test_a_key_that_does_not_check_who_holds_it_is_no_only_factor(client: Browser, call: Call) -> None:
    key = device(verifies=False)
    user = await owner(client, call, key)
    assert (await enter(client, key))[0] == 401
    await ask_for_it(client, user)
    client.session.cookie_jar.clear()
    assert (await second_step(client, user, key))[0] == 200


async def test_an_inactive_or_locked_owner_gets_in_by_no_key(client: Browser, call: Call) -> None:
    key = device()
    await owner(client, call, key)
    await call.db.execute("update users set is_active = false")
    assert (await enter(client, key))[0] == 401
    await call.db.execute("update users set is_active = true, locked_until = now() + interval '5 minutes'")
    assert (await enter(client, key))[0] == 429
    assert await call.db.value("select count(*) from user_sessions") <= 1


@pytest.mark.parametrize(
    "credential",
    [{}, {"id": 1}, {"id": "x" * 5000}, {"id": "é"}, {"response": "x"}, {"response": {"userHandle": "%%%"}},
     {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {}}, {"id": "\x00"}, {"id": ["a"]}],
)  # fmt: skip
async def test_nonsense_is_refused_and_nothing_breaks(client: Browser, call: Call, credential: dict[str, Any]) -> None:
    key = device()
    await owner(client, call, key)
    _, begun = await post(client, OPTIONS, {})
    status, said = await post(client, VERIFY, {"ceremony": begun["ceremony"], "credential": credential})
    assert (status, said["error"]) == (401, "This passkey does not sign you in"), credential
    known = key.sign(begun["options"])
    for name in ("clientDataJSON", "authenticatorData", "signature"):
        for wrong in ("", "!!", "AAAA", None, 7, text(b"\xa0" * 400), text(json.dumps({"type": 1}).encode())):
            _, begun = await post(client, OPTIONS, {})
            broken = {**known, "response": {**known["response"], name: wrong}}
            status, _ = await post(client, VERIFY, {"ceremony": begun["ceremony"], "credential": broken})
            assert status == 401, (name, wrong)


async def ask_for_it(client: Browser, user: User) -> str:
    """Have a passkey asked for after the password; return the page that shows the backup codes."""
    await sign_in(client, user.username)
    home = "/settings/two-factor"
    answer = await post_form(client, home, f"{home}/passkey-step/on")
    assert answer.status == 200, await answer.text()
    return await answer.text()


async def second_step(client: Browser, user: User, key: Authenticator, **more: Any) -> tuple[int, dict[str, Any]]:
    """Sign in with password and key."""
    _, first = await post(client, "/api/v1/auth/login", {"username": user.username, "password": PASSWORD})
    _, begun = await post(client, OPTIONS, {"ticket": first["tfaTicket"]})
    signed = key.sign(begun["options"])
    body = {"ceremony": begun["ceremony"], "credential": signed, "ticket": first["tfaTicket"], **more}
    return await post(client, VERIFY, body)


async def test_a_passkey_can_be_asked_for_after_the_password(client: Browser, call: Call) -> None:
    key = device()
    user = await owner(client, call, key)
    assert "token" in await sign_in(client, user.username)
    shown = await ask_for_it(client, user)
    codes = shown.split('id="backup-codes"')[1].split("<code>")[1].split("<")[0].split()
    assert len(codes) == 10
    client.session.cookie_jar.clear()
    _, first = await post(client, "/api/v1/auth/login", {"username": user.username, "password": PASSWORD})
    assert (first["requiresTfa"], "token" in first) == (True, False)
    assert await call.db.value("select count(*) from user_sessions") == 2
    status, done = await second_step(client, user, key, remember_me=True)
    assert (status, done["user"]["username"]) == (200, user.username)
    client.session.cookie_jar.clear_domain("127.0.0.1")
    _, first = await post(client, "/api/v1/auth/login", {"username": user.username, "password": PASSWORD})
    body = {"tfa_ticket": first["tfaTicket"], "token": codes[0]}
    assert (await post(client, "/api/v1/auth/verify-tfa", body))[0] == 200


async def test_a_browser_trusted_with_a_passkey_is_not_asked_again(client: Browser, call: Call) -> None:
    key = device()
    user = await owner(client, call, key)
    await ask_for_it(client, user)
    client.session.cookie_jar.clear()
    assert (await second_step(client, user, key, remember_me=True))[0] == 200
    assert "token" in await sign_in(client, user.username)


async def test_the_step_takes_only_the_persons_own_keys_and_counts_attempts(
    client: Browser, other: Browser, call: Call
) -> None:
    mine, theirs = device(), device()
    user = await owner(client, call, mine)
    await owner(other, call, theirs)
    await ask_for_it(client, user)
    client.session.cookie_jar.clear()
    for number in range(5):
        status, _ = await second_step(client, user, theirs)
        assert status == 401, number
    _, first = await post(client, "/api/v1/auth/login", {"username": user.username, "password": PASSWORD})
    _, begun = await post(client, OPTIONS, {"ticket": first["tfaTicket"]})
    body = {"ceremony": begun["ceremony"], "credential": mine.sign(begun["options"]), "ticket": first["tfaTicket"]}
    assert (await post(client, VERIFY, body))[0] == 429


async def test_the_ceremonies_of_the_step_and_of_the_sign_in_are_not_mixed(client: Browser, call: Call) -> None:
    key = device()
    user = await owner(client, call, key)
    await ask_for_it(client, user)
    client.session.cookie_jar.clear()
    _, first = await post(client, "/api/v1/auth/login", {"username": user.username, "password": PASSWORD})
    _, begun = await post(client, OPTIONS, {"ticket": first["tfaTicket"]})
    assert (await post(client, VERIFY, {"ceremony": begun["ceremony"], "credential": key.sign(begun["options"])}))[
        0
    ] == 401
    _, begun = await post(client, OPTIONS, {})
    body = {"ceremony": begun["ceremony"], "credential": key.sign(begun["options"]), "ticket": first["tfaTicket"]}
    assert (await post(client, VERIFY, body))[0] == 401
    assert (await post(client, VERIFY, body))[0] == 401
    assert (await post(client, OPTIONS, {"ticket": first["tfaTicket"]}))[0] == 401


async def test_with_both_the_authenticators_code_still_works(client: Browser, call: Call) -> None:
    key = device()
    await person(call, "superadmin")
    user = await owner(client, call, key)
    await sign_in(client, user.username)
    secret = (await (await client.get("/api/v1/tfa/setup")).json())["secret"]
    assert (await post(client, "/api/v1/tfa/verify-setup", {"token": pyotp.TOTP(secret).now()}))[0] == 200
    client.session.cookie_jar.clear()
    page = await (await post_form(client, "/login", "/login", {"username": user.username, "password": PASSWORD})).text()
    assert "data-passkey-enter" in page
    assert (await second_step(client, user, key))[0] == 200


async def test_a_secret_that_waits_to_be_proved_is_no_code(client: Browser, call: Call) -> None:
    key = device()
    user = await owner(client, call, key)
    await ask_for_it(client, user)
    secret = (await (await client.get("/api/v1/tfa/setup")).json())["secret"]
    client.session.cookie_jar.clear()
    _, first = await post(client, "/api/v1/auth/login", {"username": user.username, "password": PASSWORD})
    body = {"tfa_ticket": first["tfaTicket"], "token": pyotp.TOTP(secret).now()}
    assert (await post(client, "/api/v1/auth/verify-tfa", body))[0] == 401


async def test_a_key_is_renamed_and_removed_by_its_owner_only(client: Browser, other: Browser, call: Call) -> None:
    user, stranger = await person(call), await person(call)
    await sign_in(client, user.username)
    await sign_in(other, stranger.username)
    identifier = await add(client, device())
    for method, body in (("PATCH", {"name": "Mine"}), ("DELETE", None)):
        assert (await other.request(method, f"{KEYS}/{identifier}", json=body)).status == 404
        assert (await client.request(method, f"{KEYS}/not-a-key", json=body)).status == 404
    assert (await client.patch(f"{KEYS}/{identifier}", json={"name": " \n "})).status == 400
    renamed = await client.patch(f"{KEYS}/{identifier}", json={"name": "Mine"})
    assert renamed.status == 200, await renamed.text()
    assert [one["name"] for one in (await (await client.get(KEYS)).json())["passkeys"]] == ["Mine"]
    home = "/settings/two-factor"
    await post_form(client, home, f"{home}/passkeys/{identifier}/rename", {"name": "<b>Phone</b>"})
    page = await (await client.get(home, headers=HTML)).text()
    assert "&lt;b&gt;Phone&lt;/b&gt;" in page
    removed = await post_form(client, home, f"{home}/passkeys/{identifier}/remove")
    assert removed.headers["Location"] == home
    assert (await (await client.get(KEYS)).json())["passkeys"] == []
    actions = await call.db.column("select action from audit_log where action like 'identity.passkey%%' order by id")
    assert actions == ["identity.passkey_added", *["identity.passkey_renamed"] * 2, "identity.passkey_removed"]


async def test_the_last_way_in_is_not_removed(client: Browser, call: Call) -> None:
    user = await person(call)
    await sign_in(client, user.username)
    first, second = await add(client, device()), await add(client, device(), "Phone")
    await call.db.execute("update users set password_hash = null")
    answers = await asyncio.gather(*(client.delete(f"{KEYS}/{one}") for one in (first, second)))
    assert sorted(answer.status for answer in answers) == [200, 409]
    refused = next(answer for answer in answers if answer.status == 409)
    assert "only way to sign in" in (await refused.json())["error"]
    assert await call.db.value("select count(*) from passkeys") == 1


async def test_with_the_last_key_goes_the_step_that_asks_for_it(client: Browser, call: Call) -> None:
    key = device()
    user = await owner(client, call, key)
    await ask_for_it(client, user)
    [kept] = (await (await client.get(KEYS)).json())["passkeys"]
    assert (await client.delete(f"{KEYS}/{kept['id']}")).status == 200
    client.session.cookie_jar.clear()
    assert "token" in await sign_in(client, user.username)


async def test_the_step_is_switched_off_with_the_password(client: Browser, call: Call) -> None:
    key = device()
    user = await owner(client, call, key)
    await ask_for_it(client, user)
    home = "/settings/two-factor"
    wrong = await post_form(client, home, f"{home}/passkey-step/off", {"password": "no"})
    assert (wrong.status, "The current password is not right" in await wrong.text()) == (400, True)
    assert (await post_form(client, home, f"{home}/passkey-step/off", {"password": PASSWORD})).status == 303
    client.session.cookie_jar.clear()
    assert "token" in await sign_in(client, user.username)


async def test_without_a_key_nothing_can_be_asked_for(client: Browser, call: Call) -> None:
    await sign_in(client, (await person(call)).username)
    home = "/settings/two-factor"
    answer = await post_form(client, home, f"{home}/passkey-step/on")
    assert (answer.status, "Add a passkey first" in await answer.text()) == (409, True)


async def test_under_another_name_one_is_told_where_passkeys_work(server: TestServer, call: Call) -> None:
    await person(call)
    async with TestClient(server, headers={**HOST, "Host": "other.example.com"}) as elsewhere:
        status, said = await post(elsewhere, OPTIONS, {})
    assert (status, said["error"]) == (400, "Passkeys work only at http://patch.example.com")
