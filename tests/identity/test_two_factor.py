"""Setting a second factor up, signing in with it, backup codes, trusted browsers, and getting back in by SQL."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from server.core import clock
from server.core.call import Call
from server.identity.models import User
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, bearer, form_token, person, post_form, sign_in
from tests.identity.conftest import Move

LOGIN, VERIFY = "/api/v1/auth/login", "/api/v1/auth/verify-tfa"
LATER = timedelta(seconds=31)


@pytest.fixture
async def other(server: TestServer) -> AsyncIterator[Browser]:
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as browser:
        yield browser


def code_of(secret: str, ahead: float = 0) -> str:
    return pyotp.TOTP(secret).at(int(clock.now().timestamp() + ahead))


async def enabled(client: Browser, user: User) -> tuple[str, list[str]]:
    """Sign in, switch the second step on, sign out; return secret and backup codes."""
    await sign_in(client, user.username)
    made = await (await client.get("/api/v1/tfa/setup")).json()
    answer = await client.post("/api/v1/tfa/verify-setup", json={"token": code_of(made["secret"])})
    body = await answer.json()
    assert answer.status == 200, body
    await client.post("/api/v1/auth/logout")
    client.session.cookie_jar.clear()
    return made["secret"], body["backupCodes"]


async def ticket(client: Browser, user: User) -> str:
    answer = await client.post(LOGIN, json={"username": user.username, "password": PASSWORD})
    body = await answer.json()
    assert answer.status == 200
    assert set(body) == {"message", "requiresTfa", "username", "tfaTicket"}, body
    assert not answer.cookies.get("token")
    return str(body["tfaTicket"])


async def attempt(client: Browser, user: User, code: str, **more: Any) -> tuple[int, dict[str, Any]]:
    answer = await client.post(VERIFY, json={"tfa_ticket": await ticket(client, user), "token": code, **more})
    return answer.status, await answer.json()


@pytest.mark.proves("TFA-01", "TFA-03", "TFA-04", "TFA-13")
async def test_nothing_is_on_until_a_code_proves_the_secret(client: Browser, call: Call, pass_time: Move) -> None:
    user = await person(call)
    await sign_in(client, user.username)
    made = await (await client.get("/api/v1/tfa/setup")).json()
    assert set(made) == {"secret", "qrCode", "manualEntryKey"}
    assert made["qrCode"].startswith("data:image/png;base64,")
    assert await (await client.get("/api/v1/tfa/status")).json() == {"enabled": False, "hasBackupCodes": False}
    await sign_in(client, user.username)
    wrong = await client.post("/api/v1/tfa/verify-setup", json={"token": "000000"})
    assert (wrong.status, (await wrong.json())["error"]) == (400, "Invalid verification code")
    good = await client.post("/api/v1/tfa/verify-setup", json={"token": code_of(made["secret"])})
    body = await good.json()
    assert good.status == 200
    assert all(re.fullmatch(r"[A-Z0-9]{8}", code) for code in body["backupCodes"])
    assert len(set(body["backupCodes"])) == 10
    assert await (await client.get("/api/v1/tfa/status")).json() == {"enabled": True, "hasBackupCodes": True}
    stored = str(await call.db.all("select tfa_secret, tfa_backup_codes from users"))
    assert made["secret"] not in stored
    assert not [code for code in body["backupCodes"] if code in stored]
    again = await client.get("/api/v1/tfa/setup")
    assert again.status == 409, "a new secret would lock its owner out"
    pass_time(LATER)


@pytest.mark.proves("LOGIN-04", "TFA-05", "TFA-06")
async def test_a_code_signs_in_once(client: Browser, other: Browser, call: Call, pass_time: Move) -> None:
    user = await person(call)
    secret, _ = await enabled(client, user)
    replay = await attempt(client, user, code_of(secret))
    assert replay == (401, {"error": "Invalid verification code", "remainingAttempts": 4}), "the code of the set-up"
    pass_time(timedelta(seconds=60))
    assert (await attempt(client, user, code_of(secret, -60)))[0] == 401
    assert (await attempt(client, user, code_of(secret, 60)))[0] == 401
    code = code_of(secret)
    status, body = await attempt(client, user, code)
    assert status == 200
    assert set(body) == {"message", "token", "refresh_token", "expires_in", "expires_at", "user"}
    assert (await client.get("/api/v1/auth/profile")).status == 200
    assert (await attempt(other, user, code))[0] == 401
    pass_time(LATER)
    drifted = code_of(secret, 30)
    assert (await attempt(other, user, drifted))[0] == 200


async def test_one_code_opens_one_of_many_doors_at_once(client: Browser, call: Call, pass_time: Move) -> None:
    user = await person(call)
    secret, _ = await enabled(client, user)
    pass_time(LATER)
    tickets = [await ticket(client, user) for _ in range(4)]
    code = code_of(secret)
    answers = await asyncio.gather(*(client.post(VERIFY, json={"tfa_ticket": one, "token": code}) for one in tickets))
    assert sorted(one.status for one in answers) == [200, 401, 401, 401]


async def test_a_ticket_is_good_for_one_attempt_and_ten_minutes(client: Browser, call: Call, pass_time: Move) -> None:
    user = await person(call)
    secret, _ = await enabled(client, user)
    pass_time(LATER)
    used = await ticket(client, user)
    assert (await client.post(VERIFY, json={"tfa_ticket": used, "token": "000000"})).status == 401
    late = await client.post(VERIFY, json={"tfa_ticket": used, "token": code_of(secret)})
    assert (late.status, await late.json()) == (401, {"error": "Invalid or expired session"})
    old = await ticket(client, user)
    pass_time(timedelta(minutes=10, seconds=1))
    assert (await client.post(VERIFY, json={"tfa_ticket": old, "token": code_of(secret)})).status == 401
    assert (await client.post(VERIFY, json={"token": code_of(secret)})).status == 401
    assert old not in str(await call.db.all("select * from sign_in_tickets"))


@pytest.mark.proves("TFA-14", "TFA-15", "LOCK-06")
async def test_five_wrong_codes_close_the_second_step_for_a_while(client: Browser, call: Call, pass_time: Move) -> None:
    user = await person(call)
    secret, codes = await enabled(client, user)
    pass_time(LATER)
    left = [(await attempt(client, user, "000000"))[1].get("remainingAttempts") for _ in range(4)]
    assert left == [4, 3, 2, 1]
    for code in ("000000", code_of(secret), codes[0]):
        status, body = await attempt(client, user, code)
        assert (status, body["error"]) == (429, "Too many failed TFA attempts. Please try again later.")
    pass_time(timedelta(minutes=30, seconds=1))
    assert (await attempt(client, user, "000000"))[1]["remainingAttempts"] == 4
    assert (await attempt(client, user, code_of(secret)))[0] == 200
    pass_time(LATER)
    assert (await attempt(client, user, "000000"))[1]["remainingAttempts"] == 4, "success starts the count again"


async def test_many_guesses_at_once_get_no_more_than_five(client: Browser, call: Call) -> None:
    user = await person(call)
    await enabled(client, user)
    tickets = [await ticket(client, user) for _ in range(9)]
    answers = await asyncio.gather(
        *(client.post(VERIFY, json={"tfa_ticket": one, "token": "000000"}) for one in tickets)
    )
    assert sorted(one.status for one in answers) == [401] * 4 + [429] * 5
    assert await call.db.value("select count(*) from audit_log where action = 'identity.code_refused'") == 5


@pytest.mark.proves("TFA-07", "TFA-08", "TFA-09", "OPS-48")
async def test_a_backup_code_works_once_and_a_new_set_kills_the_old(client: Browser, call: Call) -> None:
    user = await person(call)
    _, codes = await enabled(client, user)
    typed = f"{codes[0][:4].lower()}-{codes[0][4:]}"
    assert (await attempt(client, user, typed))[0] == 200
    assert (await attempt(client, user, codes[0]))[0] == 401
    stored = str(await call.db.value("select tfa_backup_codes from users"))
    assert stored.count("$2b$10$") == 9
    assert (await attempt(client, user, codes[1]))[0] == 200
    made = await (await client.post("/api/v1/tfa/regenerate-backup-codes")).json()
    assert (await attempt(client, user, codes[2]))[0] == 401
    assert (await attempt(client, user, made["backupCodes"][0]))[0] == 200


@pytest.mark.proves("TFA-10", "TFA-11")
async def test_switching_it_off_needs_the_password_and_forgets_everything(
    client: Browser, call: Call, pass_time: Move
) -> None:
    user = await person(call)
    secret, _ = await enabled(client, user)
    pass_time(LATER)
    assert (await attempt(client, user, code_of(secret), remember_me=True))[0] == 200
    trust = next(one.value for one in client.session.cookie_jar if one.key == "patchmon_device_trust")
    wrong = await client.post("/api/v1/tfa/disable", json={"password": "nope"})
    assert wrong.status == 400
    async with call.world.bus.following("user_tfa_disabled") as bell:
        assert (await client.post("/api/v1/tfa/disable", json={"password": PASSWORD})).status == 200
        await bell.ring(within=5)
    row = await call.db.one("select tfa_enabled, tfa_secret, tfa_backup_codes from users")
    assert row == {"tfa_enabled": False, "tfa_secret": None, "tfa_backup_codes": None}
    assert await call.db.value("select count(*) from trusted_devices") == 0
    assert (await client.get("/api/v1/auth/profile")).status == 200, "sessions are kept"
    pass_time(LATER)
    await enabled(client, user)
    client.session.cookie_jar.update_cookies({"patchmon_device_trust": trust})
    await ticket(client, user)
    await call.db.execute("update users set password_hash = null, tfa_enabled = false")
    await call.db.execute("delete from sign_in_tickets")


async def test_accounts_without_a_password_have_no_second_step_here(client: Browser, call: Call) -> None:
    user = await person(call)
    await sign_in(client, user.username)
    await call.db.execute("update users set password_hash = null")
    answer = await client.get("/api/v1/tfa/setup")
    assert (answer.status, (await answer.json())["error"]) == (400, "MFA is managed by your OIDC provider")
    off = await client.post("/api/v1/tfa/disable", json={"password": ""})
    assert (off.status, (await off.json())["error"]) == (400, "Cannot disable TFA for accounts without a password")
    page = await client.get("/settings/two-factor", headers=HTML)
    assert "MFA is managed by your OIDC provider" in await page.text()


async def test_a_token_cannot_touch_its_owners_second_step(client: Browser, call: Call) -> None:
    headers = await bearer(call, "user")
    for method, path in (
        ("GET", "/api/v1/tfa/setup"),
        ("POST", "/api/v1/tfa/verify-setup"),
        ("POST", "/api/v1/tfa/disable"),
        ("POST", "/api/v1/tfa/regenerate-backup-codes"),
        ("DELETE", "/api/v1/auth/trusted-devices"),
    ):
        body: dict[str, str] | None = {} if method == "POST" else None
        assert (await client.request(method, path, headers=headers, json=body)).status == 403, path


@pytest.mark.proves("RECOV-04")
async def test_plain_sql_takes_the_second_step_away(client: Browser, call: Call, pass_time: Move) -> None:
    user = await person(call)
    await enabled(client, user)
    await ticket(client, user)
    await call.db.execute(
        "UPDATE users SET tfa_enabled=false, tfa_secret=NULL, tfa_backup_codes=NULL WHERE username=%(name)s",
        name=user.username,
    )
    assert "token" in await sign_in(client, user.username)
    pass_time(LATER)
    await enabled(client, user)
    await ticket(client, user)


@pytest.mark.proves("TRUST-01", "TRUST-02", "TRUST-04", "TRUST-05", "TRUST-08")
async def test_a_trusted_browser_is_not_asked_until_it_is_forgotten(
    client: Browser, other: Browser, call: Call, pass_time: Move
) -> None:
    user = await person(call)
    secret, _ = await enabled(client, user)
    pass_time(LATER)
    given = await client.post(
        VERIFY,
        json={"tfa_ticket": await ticket(client, user), "token": code_of(secret), "remember_me": True},
        headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
    )
    assert (await given.json())["tfa_bypass_until"]
    cookie = given.cookies["patchmon_device_trust"]
    assert (cookie["httponly"], cookie["path"], cookie["max-age"]) == (True, "/", str(30 * 86400))
    assert cookie.value not in str(await call.db.all("select * from trusted_devices"))
    pass_time(timedelta(days=29))
    await sign_in(client, user.username)
    [device] = (await (await client.get("/api/v1/auth/trusted-devices")).json())["trusted_devices"]
    assert (device["label"], device["is_current_device"]) == ("Firefox on Linux", True)
    assert device["last_used_at"] > device["created_at"]
    await ticket(other, user)
    stranger = await person(call)
    secret_of_stranger, _ = await enabled(other, stranger)
    other.session.cookie_jar.update_cookies({"patchmon_device_trust": cookie.value})
    pass_time(LATER)
    assert (await attempt(other, stranger, code_of(secret_of_stranger)))[0] == 200
    assert (await other.delete(f"/api/v1/auth/trusted-devices/{device['id']}")).status == 404
    gone = await client.delete(f"/api/v1/auth/trusted-devices/{device['id']}")
    assert gone.cookies["patchmon_device_trust"].value == ""
    await ticket(client, user)


async def test_trust_ends_by_itself_and_with_a_new_password(client: Browser, call: Call, pass_time: Move) -> None:
    user = await person(call)
    secret, _ = await enabled(client, user)
    pass_time(LATER)
    await attempt(client, user, code_of(secret), remember_me=True)
    pass_time(timedelta(days=30, seconds=1))
    await ticket(client, user)
    assert (await attempt(client, user, code_of(secret), remember_me=True))[0] == 200
    body = {"currentPassword": PASSWORD, "newPassword": "Another-1!"}
    assert (await client.put("/api/v1/auth/change-password", json=body)).status == 200
    answer = await client.post(LOGIN, json={"username": user.username, "password": "Another-1!"})
    assert (await answer.json())["requiresTfa"] is True


@pytest.mark.proves("TRUST-03", "TRUST-06")
async def test_the_oldest_of_too_many_trusted_browsers_is_dropped(client: Browser, call: Call, pass_time: Move) -> None:
    user = await person(call)
    secret, _ = await enabled(client, user)
    trusts = []
    for _ in range(6):
        client.session.cookie_jar.clear()
        pass_time(LATER)
        assert (await attempt(client, user, code_of(secret), remember_me=True))[0] == 200
        trusts += [one.value for one in client.session.cookie_jar if one.key == "patchmon_device_trust"]
    found = (await (await client.get("/api/v1/auth/trusted-devices")).json())["trusted_devices"]
    assert len(found) == 5
    for trust, asked in ((trusts[0], True), (trusts[1], False)):
        client.session.cookie_jar.clear()
        client.session.cookie_jar.update_cookies({"patchmon_device_trust": trust})
        answer = await client.post(LOGIN, json={"username": user.username, "password": PASSWORD})
        assert ("requiresTfa" in await answer.json()) is asked
    assert (await client.delete("/api/v1/auth/trusted-devices")).cookies["patchmon_device_trust"].value == ""
    await ticket(client, user)


async def test_an_inactive_person_gets_in_by_no_ticket_and_no_trust(
    client: Browser, call: Call, pass_time: Move
) -> None:
    user = await person(call)
    secret, _ = await enabled(client, user)
    pass_time(LATER)
    waiting = await ticket(client, user)
    await call.db.execute("update users set is_active = false")
    answer = await client.post(VERIFY, json={"tfa_ticket": waiting, "token": code_of(secret)})
    assert (answer.status, await answer.json()) == (401, {"error": "Invalid credentials"})
    assert await call.db.value("select count(*) from user_sessions") == 0


async def test_the_pages_lead_through_it(client: Browser, call: Call, pass_time: Move) -> None:
    user = await person(call, "superadmin")
    await sign_in(client, user.username)
    home = "/settings/two-factor"
    scan = await (await post_form(client, home, f"{home}/begin")).text()
    secret = "".join(re.search(r'id="secret">([A-Z2-7 ]+)<', scan)[1].split())  # type: ignore[index]
    again = await post_form(client, home, f"{home}/enable", {"token": "12"})
    assert (again.status, "Invalid verification code" in await again.text()) == (400, True)
    shown = await (await post_form(client, home, f"{home}/enable", {"token": code_of(secret)})).text()
    assert 'download="patchmon-backup-codes.txt"' in shown
    assert "10 codes left" in await (await client.get(home, headers=HTML)).text()
    await post_form(client, home, "/logout")
    first = {"username": user.username, "password": PASSWORD, "return_to": "/settings/tokens"}
    step = await (await post_form(client, "/login", "/login", first)).text()
    assert "Remember me on this computer (skip TFA for 30 days)" in step
    pass_time(LATER)

    def fields(page: str, code: str) -> dict[str, str]:
        found = {name: re.search(rf'name="{name}" value="([^"]*)"', page)[1] for name in ("ticket", "return_to")}  # type: ignore[index]
        return {**found, "token": code, "remember_me": "true"}

    wrong = await post_form(client, "/login", "/login/code", fields(step, "000000"))
    step = await wrong.text()
    assert (wrong.status, "Invalid verification code. 4 attempts left." in step) == (401, True)
    done = await post_form(client, "/login", "/login/code", fields(step, code_of(secret)))
    assert (done.status, done.headers["Location"]) == (303, "/settings/tokens")
    page = await (await client.get(home, headers=HTML)).text()
    assert "This device" in page
    refused = await post_form(client, home, f"{home}/disable", {"password": "nope"})
    assert (refused.status, "The current password is not right" in await refused.text()) == (400, True)
    off = await post_form(client, home, f"{home}/disable", {"password": PASSWORD})
    assert off.headers["Location"] == home
    assert "Enable TFA" in await (await client.get(home, headers=HTML)).text()


async def test_a_forged_form_of_the_second_step_is_refused(client: Browser, other: Browser, call: Call) -> None:
    await person(call, "superadmin")
    stolen = await form_token(other, "/login")
    answer = await client.post("/login/code", data={"csrf": stolen, "token": "1", "ticket": "x"}, headers=HTML)
    assert answer.status == 403
