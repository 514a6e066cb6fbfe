"""Sessions end when they should, and at once."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from server.core.call import Call
from server.identity import sessions
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, person, post_form, role_with, sign_in
from tests.identity.conftest import Move

PROFILE = "/api/v1/auth/profile"


@pytest.fixture
async def other(server: TestServer) -> AsyncIterator[Browser]:
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as browser:
        yield browser


async def status(browser: Browser, path: str = PROFILE, **headers: str) -> int:
    return (await browser.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})).status


@pytest.mark.proves("SESS-05")
async def test_a_revoked_session_is_refused_at_its_next_request(client: Browser, other: Browser, call: Call) -> None:
    user = await person(call, "superadmin")
    await sign_in(client, user.username)
    await sign_in(other, user.username)
    listed = (await (await client.get("/api/v1/auth/sessions")).json())["sessions"]
    assert [one["is_current_session"] for one in listed].count(True) == 1
    victim = next(one["id"] for one in listed if not one["is_current_session"])
    assert (await client.delete(f"/api/v1/auth/sessions/{victim}")).status == 200
    assert await status(other) == 401
    page = await other.get("/", headers=HTML)
    assert page.url.path == "/login"
    assert "Invalid or expired session" in await page.text()
    assert await status(client) == 200
    assert (await client.delete(f"/api/v1/auth/sessions/{victim}")).status == 404
    assert (await client.delete("/api/v1/auth/sessions/not-an-id")).status == 404


async def test_nobody_ends_somebody_elses_session(client: Browser, other: Browser, call: Call) -> None:
    await sign_in(client, (await person(call)).username)
    await sign_in(other, (await person(call)).username)
    theirs = (await (await other.get("/api/v1/auth/sessions")).json())["sessions"][0]["id"]
    assert (await client.delete(f"/api/v1/auth/sessions/{theirs}")).status == 404
    await client.delete("/api/v1/auth/sessions")
    assert await status(other) == 200


async def test_the_profile_page_signs_out_elsewhere(client: Browser, other: Browser, call: Call) -> None:
    user = await person(call, "superadmin")
    await sign_in(client, user.username)
    await sign_in(other, user.username)
    page = await (await client.get("/settings/profile", headers=HTML)).text()
    assert page.count("Sign out everywhere else") >= 1
    answer = await post_form(client, "/settings/profile", "/settings/profile/sessions/end-others")
    assert answer.headers["Location"] == "/settings/profile"
    assert await status(other) == 401
    assert await status(client) == 200
    assert await call.db.value("select count(*) from user_sessions") == 1


@pytest.mark.proves("SESS-04")
async def test_a_session_falls_idle_unless_a_person_does_something(
    client: Browser, call: Call, pass_time: Move
) -> None:
    await sign_in(client, (await person(call, "superadmin")).username)
    for _ in range(3):
        pass_time(timedelta(minutes=20, seconds=1))
        assert await status(client, "/settings/profile", Accept="text/html") == 200
    seen = await call.db.value("select extract(epoch from max(last_activity_at - created_at)) from user_sessions")
    assert seen > 59 * 60
    for _ in range(2):
        pass_time(timedelta(minutes=14))
        assert await status(client) == 200, "a program asking by itself is refused too early"
    pass_time(timedelta(minutes=14))
    answer = await client.get(PROFILE)
    assert (answer.status, await answer.json(content_type=None)) == (
        401,
        {"error": "Session expired due to inactivity"},
    )
    assert await status(client, "/api/v1/auth/profile", X_User_Activity="1") == 401
    assert (await client.post("/api/v1/auth/refresh")).status == 401
    page = await client.get("/settings/profile", headers=HTML)
    assert (page.url.path, "Invalid or expired session" in await page.text()) == ("/login", True)


async def test_the_activity_header_keeps_a_programs_session(client: Browser, call: Call, pass_time: Move) -> None:
    await sign_in(client, (await person(call)).username)
    for _ in range(4):
        pass_time(timedelta(minutes=25))
        assert (await client.post("/api/v1/auth/refresh")).status == 200
        assert (await client.post("/api/v1/auth/heartbeat", headers={"X-User-Activity": "1"})).status == 204


async def test_no_session_lives_for_ever(client: Browser, call: Call, pass_time: Move) -> None:
    body = await sign_in(client, (await person(call)).username)
    await call.db.execute("update user_sessions set last_activity_at = now() + interval '7 days'")
    pass_time(timedelta(days=6, hours=23, minutes=59))
    renewed = await client.post("/api/v1/auth/refresh")
    assert renewed.status == 200
    headers = {"Authorization": f"Bearer {renewed.cookies['token'].value}", "X-User-Activity": "1"}
    assert (await client.get(PROFILE, headers=headers)).status == 200
    pass_time(timedelta(seconds=62))
    for given in (headers, {"Authorization": f"Bearer {body['token']}"}):
        answer = await client.get(PROFILE, headers=given)
        assert (answer.status, await answer.json(content_type=None)) == (401, {"error": "Session expired"})
    assert (await client.post("/api/v1/auth/refresh")).status == 401


@pytest.mark.proves("SESS-06", "ROLE-04")
async def test_permissions_are_those_of_the_moment(client: Browser, call: Call) -> None:
    await role_with(call, "watcher", "can_view_hosts")
    await sign_in(client, (await person(call, "watcher")).username)
    flags = await (await client.get("/api/v1/permissions/user-permissions")).json()
    assert (flags["can_view_hosts"], flags["can_manage_settings"], len(flags)) == (True, False, 21)
    assert await status(client, "/api/v1/settings") == 403
    await call.db.execute(
        "update role_permissions set permissions = permissions || '{can_manage_settings}' where role = 'watcher'"
    )
    assert await status(client, "/api/v1/settings") == 200
    await call.db.execute("delete from role_permissions where role = 'watcher'")
    answer = await client.get("/api/v1/settings")
    assert (answer.status, (await answer.json())["error"]) == (403, "Access denied")


async def test_changing_the_password_needs_the_old_one_and_ends_other_sessions(
    client: Browser, other: Browser, call: Call
) -> None:
    user = await person(call)
    await sign_in(client, user.username)
    await sign_in(other, user.username)
    path = "/api/v1/auth/change-password"
    wrong = await client.put(path, json={"currentPassword": "nope", "newPassword": "Another-1!"})
    assert (wrong.status, (await wrong.json())["error"]) == (400, "The current password is not right")
    weak = await client.put(path, json={"currentPassword": PASSWORD, "newPassword": "short"})
    assert (weak.status, (await weak.json())["error"]) == (400, "Password does not meet the password policy")
    good = await client.put(path, json={"currentPassword": PASSWORD, "newPassword": "Another-1!"})
    assert good.status == 200
    assert await status(client) == 200
    assert await status(other) == 401
    await sign_in(other, user.username, "Another-1!")


async def test_a_profile_is_changed_and_names_stay_unique(client: Browser, call: Call) -> None:
    taken = await person(call)
    await sign_in(client, (await person(call)).username)
    fields = {"username": "lin", "email": "lin@example.com", "first_name": "Lin", "last_name": ""}
    answer = await post_form(client, "/settings/profile", "/settings/profile", fields)
    assert answer.headers["Location"] == "/settings/profile"
    assert "Your profile is saved." in await (await client.get("/settings/profile", headers=HTML)).text()
    clash = await client.put("/api/v1/auth/profile", json={**fields, "username": taken.username.upper()})
    assert (clash.status, (await clash.json())["code"]) == (409, "name_taken")
    refused = await post_form(client, "/settings/profile", "/settings/profile", {**fields, "email": "nowhere"})
    assert (refused.status, "must be an email address" in await refused.text()) == (400, True)


async def test_who_am_i(client: Browser, call: Call) -> None:
    user = await person(call, "host_manager")
    await sign_in(client, user.username)
    context = await (await client.get("/api/v1/me/context")).json()
    assert set(context) == {"user", "tenant", "permissions", "admin_mode"}
    assert context["user"]["username"] == user.username
    assert sum(context["permissions"].values()) == 13
    assert set(context["tenant"]) == {"multi_context", "host", "slug", "modules"}
    assert "patching" in context["tenant"]["modules"]


async def test_the_sweep_forgets_what_opens_nothing(client: Browser, call: Call) -> None:
    user = await person(call)
    await sign_in(client, user.username)
    await call.db.execute(
        """
        insert into user_sessions (user_id, created_at, last_activity_at, expires_at)
        values (%(id)s, now() - interval '9 days', now(), now() - interval '2 days'),
               (%(id)s, now() - interval '3 days', now() - interval '2 days', now() + interval '4 days')
        """,
        id=user.id,
    )
    await sessions.sweep(call)
    assert await call.db.value("select count(*) from user_sessions") == 1
    assert await status(client) == 200
