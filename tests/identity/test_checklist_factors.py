"""The acceptance list of set-up, roles, second factor and trust, against running server processes over plain HTTP."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pyotp
import pytest

from server.core.call import Call
from tests.factories.house import ServerProcess, Start
from tests.factories.people import PASSWORD, person, role_with

pytestmark = pytest.mark.real
LOGIN, VERIFY = "/api/v1/auth/login", "/api/v1/auth/verify-tfa"
ADA = {"firstName": "Ada", "lastName": "Lovelace", "username": "ada", "email": "ada@example.com", "password": PASSWORD}


class Program:
    """A client that keeps its cookies by hand, so that nothing is sent that was not said."""

    def __init__(self, server: ServerProcess, http: aiohttp.ClientSession) -> None:
        self.url, self.http = server.url, http
        self.cookies: dict[str, str] = {}

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        said_along = {"Accept": "application/json", **headers}
        async with self.http.request(
            method, self.url + path, json=body, allow_redirects=False, headers=said_along, cookies=self.cookies
        ) as answer:
            self.cookies |= {name: morsel.value for name, morsel in answer.cookies.items() if morsel.value}
            said = await answer.text()
            return answer.status, await answer.json() if answer.content_type == "application/json" else said

    async def sign_in(self, username: str) -> dict[str, Any]:
        status, said = await self.ask("POST", LOGIN, {"username": username, "password": PASSWORD})
        assert status == 200, said
        return dict(said)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


def link_token(server: ServerProcess) -> str:
    found = re.search(r"/setup\?token=([A-Za-z0-9_-]+)", server.program.log.read_text())
    assert found is not None
    return found[1]


async def test_1_the_set_up_makes_one_superadmin(start: Start, http: aiohttp.ClientSession, call: Call) -> None:
    server = await start()
    program = Program(server, http)
    async with http.get(f"{server.url}/", headers={"Accept": "text/html"}) as page:
        assert "one-time link" in await page.text()
    token = link_token(server)

    async def attempt(number: int) -> tuple[int, Any]:
        body = {**ADA, "username": f"ada{number}", "email": f"ada{number}@example.com", "role": "readonly"}
        return await Program(server, http).ask("POST", "/api/v1/auth/setup-admin", {**body, "token": token})

    answers = await asyncio.gather(*(attempt(number) for number in range(20)))
    assert sorted(status for status, _ in answers) == [201] + [400] * 19
    assert await call.db.column("select role from users") == ["superadmin"]
    status, said = await program.ask("POST", "/api/v1/auth/setup-admin", {**ADA, "token": token})
    assert (status, said["error"]) == (
        400,
        "Admin users already exist. This endpoint is only for first-time setup.",
    )


@pytest.mark.proves("PWD-01")
async def test_2_the_policy_holds_and_the_environment_changes_it(
    start: Start, http: aiohttp.ClientSession, call: Call
) -> None:
    server = await start()
    body = {**ADA, "password": "abcdefgh", "token": link_token(server)}
    status, said = await Program(server, http).ask("POST", "/api/v1/auth/setup-admin", body)
    assert (status, said["error"]) == (400, "Password does not meet the password policy")
    names = ("PASSWORD_REQUIRE_UPPERCASE", "PASSWORD_REQUIRE_NUMBER", "PASSWORD_REQUIRE_SPECIAL")
    lax = await start(**dict.fromkeys(names, "false"))
    _, told = await Program(lax, http).ask("GET", "/api/v1/settings/login-settings")
    assert [told["password_policy"][name.removeprefix("PASSWORD_").lower()] for name in names] == [False] * 3
    status, said = await Program(lax, http).ask("POST", "/api/v1/auth/setup-admin", {**body, "token": link_token(lax)})
    assert (status, said["user"]["role"]) == (201, "superadmin")
    assert await call.db.value("select count(*) from users") == 1


async def test_7_to_9_roles(start: Start, http: aiohttp.ClientSession, call: Call) -> None:
    server = await start()
    admin, watcher = Program(server, http), Program(server, http)
    await admin.sign_in((await person(call, "superadmin")).username)
    roles = "/api/v1/permissions/roles"
    _, told = await admin.ask("GET", roles)
    totals = {one["role"]: sum(value is True for key, value in one.items() if key.startswith("can_")) for one in told}
    assert totals == {"superadmin": 20, "admin": 19, "host_manager": 13, "user": 6, "readonly": 5}
    assert all(sum(key.startswith("can_") for key in one) == 20 for one in told)
    status, said = await admin.ask("PUT", f"{roles}/user", {"can_manage_hosts": True})
    assert (status, said["error"]) == (403, "Cannot modify built-in role permissions")
    assert (await admin.ask("PUT", f"{roles}/readonly", {"can_export_data": True}))[0] == 200

    await role_with(call, "watcher", "can_view_hosts")
    await watcher.sign_in((await person(call, "watcher")).username)
    assert (await watcher.ask("GET", "/api/v1/hosts"))[0] == 200
    assert (await watcher.ask("GET", "/api/v1/auth/admin/users"))[0] == 403
    assert (await admin.ask("PUT", f"{roles}/watcher", {"can_view_hosts": True, "can_view_users": True}))[0] == 200
    assert (await watcher.ask("GET", "/api/v1/auth/admin/users"))[0] == 200
    status, said = await admin.ask("DELETE", f"{roles}/watcher")
    assert (status, said["error"]) == (409, "Cannot delete role: users are assigned to it")


async def with_codes(program: Program, username: str) -> tuple[str, list[str]]:
    """Set up an authenticator for who signs in; return its secret and the backup codes."""
    await program.sign_in(username)
    _, begun = await program.ask("GET", "/api/v1/tfa/setup")
    status, done = await program.ask("POST", "/api/v1/tfa/verify-setup", {"token": pyotp.TOTP(begun["secret"]).now()})
    assert status == 200, done
    return begun["secret"], done["backupCodes"]


async def attempt(program: Program, username: str, code: str, **more: Any) -> tuple[int, Any]:
    """Sign in with password and code."""
    first = await program.sign_in(username)
    return await program.ask("POST", VERIFY, {"tfa_ticket": first["tfaTicket"], "token": code, **more})


@pytest.mark.proves("TFA-02")
async def test_12_the_second_factor(start: Start, http: aiohttp.ClientSession, call: Call) -> None:
    server = await start()
    program = Program(server, http)
    user = await person(call)
    _, codes = await with_codes(program, user.username)
    program.cookies.clear()
    status, said = await attempt(program, user.username, "000000")
    assert (status, said["error"], said["remainingAttempts"]) == (401, "Invalid verification code", 4)
    assert (await attempt(program, user.username, codes[0]))[0] == 200
    assert program.cookies["token"]
    program.cookies.clear()
    assert (await attempt(program, user.username, codes[0]))[0] == 401
    assert (await attempt(program, user.username, codes[1]))[0] == 200
    _, renewed = await program.ask("POST", "/api/v1/tfa/regenerate-backup-codes")
    program.cookies.clear()
    assert (await attempt(program, user.username, codes[2]))[0] == 401
    assert (await attempt(program, user.username, renewed["backupCodes"][0]))[0] == 200
    program.cookies.clear()
    for left in (4, 3, 2, 1):
        assert (await attempt(program, user.username, "000000"))[1]["remainingAttempts"] == left
    status, said = await attempt(program, user.username, "000000")
    assert (status, said["error"]) == (429, "Too many failed TFA attempts. Please try again later.")
    assert (await attempt(program, user.username, renewed["backupCodes"][1]))[0] == 429

    elsewhere = await person(call)
    await program.sign_in(elsewhere.username)
    await call.db.execute("update users set password_hash = null where id = %(id)s", id=elsewhere.id)
    status, said = await program.ask("GET", "/api/v1/tfa/setup")
    assert (status, said["error"]) == (400, "MFA is managed by your OIDC provider")
    pages = {}
    for path in ("two-factor", "profile"):
        address, html = f"{server.url}/settings/{path}", {"Accept": "text/html"}
        async with http.get(address, cookies=program.cookies, headers=html) as page:
            pages[path] = await page.text()
    assert "MFA is managed by your OIDC provider" in pages["two-factor"]
    assert "Enable TFA" not in pages["two-factor"]
    assert "Subscription" in pages["profile"]
    assert "Authenticator app" not in pages["profile"]
    assert "Multi-Factor" not in pages["profile"].split("<main")[1]


async def test_13_trusted_browsers(start: Start, http: aiohttp.ClientSession, call: Call) -> None:
    server = await start(TRUST_PROXY="true")
    user = await person(call)
    program = Program(server, http)
    _, codes = await with_codes(program, user.username)
    trusts = []
    for number in range(6):
        program.cookies.clear()
        assert (await attempt(program, user.username, codes[number], remember_me=True))[0] == 200
        trusts.append(program.cookies["patchmon_device_trust"])
    program.cookies = {"patchmon_device_trust": trusts[5]}
    body = {"username": user.username, "password": PASSWORD}
    roaming = {"User-Agent": "Another/2.0", "X-Forwarded-For": "203.0.113.9"}
    status, said = await program.ask("POST", LOGIN, body, **roaming)
    assert (status, "token" in said) == (200, True)
    program.cookies = {"patchmon_device_trust": trusts[0]}
    assert (await program.sign_in(user.username))["requiresTfa"] is True
    program.cookies = {"patchmon_device_trust": trusts[1]}
    assert "token" in await program.sign_in(user.username)
    assert (await program.ask("POST", "/api/v1/tfa/disable", {"password": PASSWORD}))[0] == 200
    await with_codes(program, user.username)
    program.cookies = {"patchmon_device_trust": trusts[5]}
    assert (await program.sign_in(user.username))["requiresTfa"] is True


@pytest.mark.proves("TFA-12", "TFA-16", "ENV-173")
async def test_20_recovery_by_hand_and_what_does_not_recover(
    start: Start, http: aiohttp.ClientSession, call: Call
) -> None:
    server = await start(TFA_SUSPICIOUS_ACTIVITY_THRESHOLD="2")
    user = await person(call)
    program, admin = Program(server, http), Program(server, http)
    await with_codes(program, user.username)
    await admin.sign_in((await person(call, "superadmin")).username)
    path = f"/api/v1/auth/admin/users/{user.id}"
    assert (await admin.ask("POST", f"{path}/reset-password", {"newPassword": PASSWORD}))[0] == 200
    await admin.ask("PUT", path, {"tfa_enabled": False, "tfa_secret": None})
    program.cookies.clear()
    assert (await program.sign_in(user.username))["requiresTfa"] is True
    paths = [route for route in (await admin.ask("GET", "/api/v1/openapi.json"))[1]["paths"] if "{user_id}" in route]
    assert not [route for route in paths if "tfa" in route or "mfa" in route]
    for _ in range(3):
        status, said = await attempt(program, user.username, "000000")
    assert (status, said["remainingAttempts"]) == (401, 2)
    # The second of them is the one that the log warns of, once.
    assert server.program.log.read_text().count("event=suspicious_codes") == 1
    await call.db.execute(
        "UPDATE users SET tfa_enabled=false, tfa_secret=NULL, tfa_backup_codes=NULL WHERE username=%(name)s",
        name=user.username,
    )
    assert "token" in await program.sign_in(user.username)


async def test_two_servers_take_one_code_once_and_count_guesses_together(
    start: Start, http: aiohttp.ClientSession, call: Call
) -> None:
    first, second = await start(), await start()
    user, other = await person(call), await person(call)
    programs = [Program(server, http) for server in (first, second)]
    secret, _ = await with_codes(programs[0], user.username)
    await with_codes(programs[1], other.username)
    await call.db.execute("update users set tfa_last_step = 0")
    for program in programs:
        program.cookies.clear()
    code = pyotp.TOTP(secret).now()
    tickets = [(await program.sign_in(user.username))["tfaTicket"] for program in programs * 3]
    bodies = [{"tfa_ticket": one, "token": code} for one in tickets]
    answers = await asyncio.gather(
        *(program.ask("POST", VERIFY, body) for program, body in zip(programs * 3, bodies, strict=True))
    )
    assert sorted(status for status, _ in answers)[:2] == [200, 401]
    assert [status for status, _ in answers].count(200) == 1

    spent = (await programs[0].sign_in(other.username))["tfaTicket"]
    both = await asyncio.gather(
        *(program.ask("POST", VERIFY, {"tfa_ticket": spent, "token": "000000"}) for program in programs)
    )
    assert sorted(said.get("remainingAttempts", 0) for _, said in both) == [0, 4]

    tickets = [(await program.sign_in(other.username))["tfaTicket"] for program in programs * 6]
    guesses = await asyncio.gather(
        *(
            program.ask("POST", VERIFY, {"tfa_ticket": one, "token": f"{number:06}"})
            for number, (program, one) in enumerate(zip(programs * 6, tickets, strict=True))
        )
    )
    statuses = sorted(status for status, _ in guesses)
    assert statuses == [401] * 3 + [429] * 9
    for program in programs:
        assert (await attempt(program, other.username, "000000"))[0] == 429
