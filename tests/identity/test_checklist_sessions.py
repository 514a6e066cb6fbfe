"""The acceptance list of sign-in, sessions, locks and users, against running server processes over plain HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import pytest

from server.core.call import Call
from tests.factories.house import House, ServerProcess, Start
from tests.factories.people import PASSWORD, person

pytestmark = pytest.mark.real

LOGIN: Final = "/api/v1/auth/login"
PROFILE: Final = "/api/v1/auth/profile"
USERS: Final = "/api/v1/auth/admin/users"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def ask(
    http: aiohttp.ClientSession, method: str, url: str, body: Any = None, **headers: str
) -> tuple[int, Any, "aiohttp.ClientResponse"]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.request(method, url, json=body, headers=named) as answer:
        return answer.status, await answer.json(content_type=None), answer


async def signed_in(http: aiohttp.ClientSession, server: ServerProcess, name: str, password: str = PASSWORD) -> str:
    status, body, _ = await ask(http, "POST", server.url + LOGIN, {"username": name, "password": password})
    assert status == 200, body
    return f"Bearer {body['token']}"


async def test_cookies_are_out_of_reach_and_secure_behind_https(
    start: Start, http: aiohttp.ClientSession, call: Call
) -> None:
    user = await person(call, "user")
    body = {"username": user.username, "password": PASSWORD}
    plain = await start()
    behind = await start(TRUST_PROXY="true", AUTH_BROWSER_SESSION_COOKIES="true")
    _, _, answer = await ask(http, "POST", plain.url + LOGIN, body, X_Forwarded_Proto="https")
    for name in ("token", "refresh_token"):
        cookie = answer.cookies[name]
        assert (cookie["httponly"], cookie["secure"], bool(cookie["max-age"])) == (True, "", True)
    _, _, answer = await ask(http, "POST", behind.url + LOGIN, body, X_Forwarded_Proto="https")
    for name in ("token", "refresh_token"):
        cookie = answer.cookies[name]
        assert (cookie["httponly"], cookie["secure"]) == (True, True)
        assert (cookie["max-age"], cookie["expires"]) == ("", "")


async def test_a_minute_of_idling_ends_a_session(start: Start, http: aiohttp.ClientSession, call: Call) -> None:
    user = await person(call, "user")
    server = await start(SESSION_INACTIVITY_TIMEOUT_MINUTES="1")
    bearer = await signed_in(http, server, user.username)
    await asyncio.sleep(30)
    active = {"Authorization": bearer, "X_User_Activity": "1"}
    assert (await ask(http, "GET", server.url + PROFILE, **active))[0] == 200
    await asyncio.sleep(45)
    assert (await ask(http, "GET", server.url + PROFILE, **active))[0] == 200, "that was activity"
    await asyncio.sleep(70)
    status, said, _ = await ask(http, "GET", server.url + PROFILE, **active)
    assert (status, said) == (401, {"error": "Session expired due to inactivity"})


async def test_five_wrong_passwords_over_two_processes_lock_and_sql_unlocks(
    start: Start, http: aiohttp.ClientSession, call: Call
) -> None:
    user = await person(call, "user")
    servers = [await start(), await start()]
    async with call.world.bus.following("user_login_failed", "account_locked") as bell:
        answers = await asyncio.gather(
            *(
                ask(http, "POST", server.url + LOGIN, {"username": user.username, "password": f"guess {number}"})
                for number in range(8)
                for server in servers
            )
        )
        assert {status for status, _, _ in answers} <= {401, 429}
        news: list[str] = []
        while "account_locked" not in news or news.count("user_login_failed") < 5:
            heard = await bell.ring(within=5)
            assert heard, news
            news += [one["event"] for one in heard]
        assert news.count("account_locked") == 1
    assert await call.db.value("select failed_login_attempts from users") == 5
    right = {"username": user.username, "password": PASSWORD}
    for server in servers:
        status, said, answer = await ask(http, "POST", server.url + LOGIN, right)
        assert (status, said["message"]) == (429, "Too many failed login attempts. Try again later.")
        assert 0 < int(answer.headers["Retry-After"]) <= 901
    await call.db.execute("UPDATE users SET failed_login_attempts=0, locked_until=NULL")
    for server in servers:
        assert (await ask(http, "POST", server.url + LOGIN, right))[0] == 200


async def test_the_sixth_change_of_a_password_is_one_too_many(
    start: Start, http: aiohttp.ClientSession, call: Call
) -> None:
    user = await person(call, "user")
    servers = [await start(), await start()]
    bearer = await signed_in(http, servers[0], user.username)
    statuses = []
    for number in range(6):
        current = PASSWORD if number == 0 else f"Another-{number}!"
        body = {"currentPassword": current, "newPassword": f"Another-{number + 1}!"}
        url = servers[number % 2].url + "/api/v1/auth/change-password"
        statuses.append((await ask(http, "PUT", url, body, Authorization=bearer))[0])
    assert statuses == [200] * 5 + [429]


async def test_ranks_and_what_ends_with_a_change(start: Start, http: aiohttp.ClientSession, call: Call) -> None:
    chief, admin, user = await person(call, "superadmin"), await person(call, "admin"), await person(call, "user")
    server = await start()
    by_chief, by_admin = [await signed_in(http, server, one.username) for one in (chief, admin)]
    theirs = await signed_in(http, server, user.username)
    new = {"username": "climber", "email": "c@example.com", "password": PASSWORD, "role": "admin"}
    status, said, _ = await ask(http, "POST", server.url + USERS, new, Authorization=by_admin)
    assert (status, said["error"]) == (403, "You do not have permission to assign the role: admin")
    own = f"{server.url}{USERS}/{admin.id}"
    status, said, _ = await ask(http, "PUT", own, {"role": "user"}, Authorization=by_admin)
    assert (status, said["error"]) == (400, "Cannot change your own role")
    await call.db.execute(
        "insert into role_permissions (role, permissions) values ('deputy', '{can_manage_users,can_manage_superusers}')"
    )
    by_deputy = await signed_in(http, server, (await person(call, "deputy")).username)
    status, said, _ = await ask(http, "DELETE", f"{server.url}{USERS}/{chief.id}", Authorization=by_deputy)
    assert (status, said["error"]) == (400, "Cannot delete the last superadmin user")
    path = f"{server.url}{USERS}/{user.id}"
    assert (await ask(http, "GET", server.url + PROFILE, Authorization=theirs))[0] == 200
    assert (await ask(http, "PUT", path, {"role": "readonly"}, Authorization=by_chief))[0] == 200
    assert (await ask(http, "GET", server.url + PROFILE, Authorization=theirs))[0] == 401
    await signed_in(http, server, user.username)
    reset = {"newPassword": "Another-1!"}
    assert (await ask(http, "POST", f"{path}/reset-password", reset, Authorization=by_chief))[0] == 200
    left = "select count(*) from user_sessions where user_id = %(id)s"
    assert await call.db.value(left, id=user.id) == 0
    assert (await ask(http, "PUT", path, {"is_active": False}, Authorization=by_chief))[0] == 200
    status, said, _ = await ask(http, "POST", f"{path}/reset-password", reset, Authorization=by_chief)
    assert (status, said["error"]) == (400, "Cannot reset the password of an inactive user")


async def test_a_restart_keeps_sessions_and_another_secret_ends_them(
    start: Start, http: aiohttp.ClientSession, call: Call
) -> None:
    user = await person(call, "user")
    first = await start()
    bearer = await signed_in(http, first, user.username)
    await first.stop()
    await first.start()
    assert (await ask(http, "GET", first.url + PROFILE, Authorization=bearer))[0] == 200
    second = await start(JWT_SECRET="quite another secret")
    status, said, _ = await ask(http, "GET", second.url + PROFILE, Authorization=bearer)
    assert (status, said) == (401, {"error": "Invalid token"})


async def test_without_a_secret_it_does_not_start(house: House, unused_tcp_port: int) -> None:
    server = house.server(unused_tcp_port, JWT_SECRET="", ENV_FILE="")
    await server.program.start()
    assert server.program.process is not None
    async with asyncio.timeout(30):
        assert await server.program.process.wait() == 1
    assert "config: JWT_SECRET is required" in server.program.log.read_text()
