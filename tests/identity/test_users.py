"""Administrators and the accounts of others: ranks, the last administrators, and what ends with a change."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from server.core.call import Actor, Call
from server.identity import ranks
from server.identity.permissions import BUILT_IN
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, bearer, person, post_form, role_with, sign_in, sign_in_as, token_of

USERS = "/api/v1/auth/admin/users"


@pytest.fixture
async def other(server: TestServer) -> AsyncIterator[Browser]:
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as browser:
        yield browser


def new(name: str, role: str = "user") -> dict[str, str]:
    return {"username": name, "email": f"{name}@example.com", "password": PASSWORD, "role": role}


async def said(client: Browser, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
    answer = await client.request(method, path, json=body, headers=headers or None)
    return answer.status, await answer.json(content_type=None)


async def trust(call: Call, user_id: str) -> None:
    await call.db.execute(
        """
        insert into trusted_devices (user_id, verifier, created_at, last_used_at, expires_at)
        values (%(id)s, %(id)s, now(), now(), now() + interval '1 day')
        """,
        id=user_id,
    )


async def left(call: Call, user_id: str) -> tuple[int, int]:
    """Sessions and trusted devices of a person."""
    row = await call.db.one(
        """
        select (select count(*) from user_sessions where user_id = %(id)s) as sessions,
               (select count(*) from trusted_devices where user_id = %(id)s) as devices
        """,
        id=user_id,
    )
    assert row is not None
    return row["sessions"], row["devices"]


@pytest.mark.proves("USER-01", "USER-02")
async def test_a_new_account_works_at_once(as_admin: Browser, other: Browser, call: Call) -> None:
    async with call.world.bus.following("user_created") as bell:
        status, body = await said(as_admin, "POST", USERS, new("grace", "host_manager"))
        await bell.ring(within=5)
    assert (status, body["user"]["role"]) == (201, "host_manager")
    assert not {"password", "password_hash", "tfa_secret"} & set(body["user"])
    await sign_in(other, "grace")
    for wrong, field in (
        (new("ab"), "username"),
        ({**new("long"), "email": "nowhere"}, "email"),
        ({**new("long"), "password": "short"}, "password"),
        (new("long", "nonesuch"), "role"),
    ):
        status, body = await said(as_admin, "POST", USERS, wrong)
        assert (status, list(body["complaints"])) == (400, [field]), body
    assert (await said(as_admin, "POST", USERS, {**new("other"), "email": "GRACE@example.com"}))[0] == 409
    _, listed = await said(as_admin, "GET", f"{USERS}?page=2&pageSize=1")
    assert listed["pagination"] == {"total": 2, "page": 2, "pageSize": 1, "totalPages": 2}
    assert len(listed["data"]) == 1
    _, everybody = await said(as_admin, "GET", f"{USERS}?all=true")
    assert len(everybody["data"]) == 2
    _, picks = await said(as_admin, "GET", "/api/v1/auth/users/for-assignment")
    assert {one["username"] for one in picks["data"]} >= {"grace"}


@pytest.mark.proves("USER-03")
async def test_without_a_role_one_gets_the_default(as_admin: Browser) -> None:
    body = new("plain")
    del body["role"]
    assert (await said(as_admin, "POST", USERS, body))[1]["user"]["role"] == "user"


@pytest.mark.proves("USER-04", "ROLE-12", "ROLE-13", "USER-11")
async def test_nobody_reaches_above_their_own_rank(client: Browser, call: Call) -> None:
    await role_with(call, "clerk", "can_view_users", "can_manage_users")
    await role_with(call, "deputy", "can_view_users", "can_manage_users", "can_manage_superusers")
    chief, admin = await person(call, "superadmin"), await person(call, "admin")
    by_admin, by_clerk, by_deputy = (
        await bearer(call, "admin"),
        await bearer(call, "clerk"),
        await bearer(call, "deputy"),
    )
    for role in ("admin", "superadmin"):
        status, body = await said(client, "POST", USERS, new("climber", role), **by_admin)
        assert (status, body["error"]) == (403, f"You do not have permission to assign the role: {role}")
        assert (await said(client, "POST", USERS, new(f"made{role}", role), **by_deputy))[0] == 201
    assert (await said(client, "PUT", f"{USERS}/{admin.id}", {"first_name": "Peer"}, **by_admin))[0] == 200
    for method, path, body in (
        ("PUT", f"{USERS}/{chief.id}", {"first_name": "X"}),
        ("POST", f"{USERS}/{chief.id}/reset-password", {"newPassword": "Another-1!"}),
        ("DELETE", f"{USERS}/{chief.id}", None),
    ):
        assert (await said(client, method, path, body, **by_admin))[0] == 403, path
        assert (await said(client, method, path.replace(chief.id, admin.id), body, **by_clerk))[0] == 403, path
    assert (await said(client, "POST", USERS, new("hm", "host_manager"), **by_clerk))[0] == 403
    assert (await said(client, "POST", USERS, new("low"), **by_clerk))[0] == 201
    assert (await said(client, "PUT", f"{USERS}/{chief.id}", {"first_name": "Y"}, **by_deputy))[0] == 200
    assert (await said(client, "GET", USERS, **await bearer(call, "host_manager")))[0] == 403


def test_a_stronger_custom_role_is_not_handed_out() -> None:
    clerk = Actor("person", role="clerk", permissions=frozenset({"can_manage_users", "can_view_hosts"}))
    assert ranks.may_give(clerk, "watcher", {"can_view_hosts", "can_manage_hosts"})
    assert not ranks.may_give(clerk, "mighty", {"can_manage_settings"})
    assert not ranks.may_give(clerk, "host_manager", BUILT_IN["host_manager"])
    admin = Actor("person", role="admin", permissions=BUILT_IN["admin"])
    assert ranks.may_give(admin, "mighty", {"can_manage_settings"})
    assert not ranks.may_give(admin, "deputy", {"can_manage_superusers"})


@pytest.mark.proves("USER-05", "USER-06")
async def test_another_role_holds_at_once_and_signs_out(as_admin: Browser, other: Browser, call: Call) -> None:
    user = await sign_in_as(other, call, "user")
    await trust(call, user.id)
    me = (await said(as_admin, "GET", "/api/v1/auth/profile"))[1]["user"]
    status, body = await said(as_admin, "PUT", f"{USERS}/{me['id']}", {"role": "user"})
    assert (status, body["error"]) == (400, "Cannot change your own role")
    async with call.world.bus.following("user_role_changed") as bell:
        assert (await said(as_admin, "PUT", f"{USERS}/{user.id}", {"role": "readonly"}))[0] == 200
        await bell.ring(within=5)
    assert (await said(other, "GET", "/api/v1/auth/profile"))[0] == 401
    assert await left(call, user.id) == (0, 1), "trusted devices are kept"
    detail = await call.db.value("select detail from audit_log where action = 'identity.user_changed'")
    assert detail["role"] == {"before": "user", "after": "readonly"}


@pytest.mark.proves("USER-07", "USER-08", "TRUST-07")
async def test_reset_and_deactivation_end_everything(as_admin: Browser, other: Browser, call: Call) -> None:
    user = await sign_in_as(other, call, "user")
    await trust(call, user.id)
    reset = f"{USERS}/{user.id}/reset-password"
    assert (await said(as_admin, "POST", reset, {"newPassword": "weak"}))[0] == 400
    assert await left(call, user.id) == (1, 1)
    assert (await said(as_admin, "POST", reset, {"newPassword": "Another-1!"}))[0] == 200
    assert await left(call, user.id) == (0, 0)
    await sign_in(other, user.username, "Another-1!")
    await trust(call, user.id)
    assert (await said(as_admin, "PUT", f"{USERS}/{user.id}", {"is_active": False}))[0] == 200
    assert await left(call, user.id) == (0, 0)
    assert (await said(other, "GET", "/api/v1/auth/profile"))[0] == 401
    status, body = await said(as_admin, "POST", reset, {"newPassword": "Another-2!"})
    assert (status, body["error"]) == (400, "Cannot reset the password of an inactive user")
    assert (await said(as_admin, "PUT", f"{USERS}/{user.id}", {"is_active": True}))[0] == 200
    await sign_in(other, user.username, "Another-1!")
    assert await left(call, user.id) == (1, 0), "trust does not come back"


@pytest.mark.proves("USER-09", "USER-10")
async def test_the_last_administrators_stay(as_admin: Browser, other: Browser, call: Call) -> None:
    me = (await said(as_admin, "GET", "/api/v1/auth/profile"))[1]["user"]
    assert (await said(as_admin, "DELETE", f"{USERS}/{me['id']}"))[0] == 400
    assert (await said(as_admin, "PUT", f"{USERS}/{me['id']}", {"is_active": False}))[0] == 400
    await role_with(call, "deputy", "can_manage_users", "can_manage_superusers")
    deputy = await bearer(call, "deputy")
    for method, body in (("DELETE", None), ("PUT", {"role": "admin"}), ("PUT", {"is_active": False})):
        status, answer = await said(other, method, f"{USERS}/{me['id']}", body, **deputy)
        assert (status, answer["error"]) == (400, "Cannot delete the last superadmin user"), method
    await call.db.execute("update users set role = 'admin' where id = %(id)s", id=me["id"])
    for method, body in (("DELETE", None), ("PUT", {"role": "user"})):
        status, answer = await said(other, method, f"{USERS}/{me['id']}", body, **deputy)
        assert (status, answer["error"]) == (400, "Cannot delete the last admin user"), method
    user = await sign_in_as(other, call, "user")
    await trust(call, user.id)
    async with call.world.bus.following("user_deleted") as bell:
        assert (await said(as_admin, "DELETE", f"{USERS}/{user.id}"))[0] == 200
        await bell.ring(within=5)
    assert await left(call, user.id) == (0, 0)
    assert (await said(as_admin, "DELETE", f"{USERS}/{user.id}"))[0] == 404


async def test_two_who_remove_each_other_leave_one(client: Browser, call: Call) -> None:
    for _ in range(3):
        await call.db.execute("delete from users")
        one, two = await person(call, "superadmin"), await person(call, "superadmin")
        by_one = {"Authorization": f"Bearer {await token_of(call, one)}"}
        by_two = {"Authorization": f"Bearer {await token_of(call, two)}"}
        answers = await asyncio.gather(
            said(client, "DELETE", f"{USERS}/{two.id}", **by_one),
            said(client, "DELETE", f"{USERS}/{one.id}", **by_two),
        )
        assert min(status for status, _ in answers) == 200
        assert await call.db.value("select count(*) from users where role = 'superadmin'") == 1


async def test_a_new_password_of_ones_own_ends_the_other_sessions_and_all_trust(
    client: Browser, other: Browser, call: Call
) -> None:
    user = await sign_in_as(client, call, "user")
    await sign_in(other, user.username)
    await trust(call, user.id)
    body = {"currentPassword": PASSWORD, "newPassword": "Another-1!"}
    assert (await said(client, "PUT", "/api/v1/auth/change-password", body))[0] == 200
    assert await left(call, user.id) == (1, 0)
    assert (await said(client, "GET", "/api/v1/auth/profile"))[0] == 200


async def test_odd_ids_are_nobody(as_admin: Browser) -> None:
    for odd in ("x", "00000000-0000-4000-8000-000000000000", "%27"):
        assert (await said(as_admin, "PUT", f"{USERS}/{odd}", {}))[0] == 404
        assert (await said(as_admin, "DELETE", f"{USERS}/{odd}"))[0] == 404


async def test_the_pages_do_the_same(as_admin: Browser, other: Browser, call: Call) -> None:
    refused = await post_form(as_admin, "/settings/users/new", "/settings/users", {**new("ab"), "password": "x"})
    page = await refused.text()
    assert (refused.status, "at least 3 characters" in page) == (400, True)
    made = await post_form(as_admin, "/settings/users/new", "/settings/users", new("katherine", "readonly"))
    assert made.headers["Location"] == "/settings/users"
    page = await (await as_admin.get("/settings/users", headers=HTML)).text()
    assert "katherine can sign in now." in page
    assert await call.db.value("select count(*) from users where username = 'katherine'") == 1
    user_id = str(await call.db.value("select id from users where username = 'katherine'"))
    await sign_in(other, "katherine")
    at = f"/settings/users/{user_id}"
    fields = {"username": "katherine", "email": "k@example.com", "role": "user", "is_active": "false"}
    assert (await post_form(as_admin, at, at, fields)).status == 303
    assert await left(call, user_id) == (0, 0)
    page = await (await as_admin.get("/settings/users", headers=HTML)).text()
    assert re.search(r"katherine</b>.*Inactive", page, re.DOTALL)
    assert (await post_form(as_admin, "/settings/users/new", f"{at}/delete")).status == 303
    own = str(await call.db.value("select id from users"))
    mine = await (await as_admin.get(f"/settings/users/{own}", headers=HTML)).text()
    assert 'name="role"' not in mine
    assert "/delete" not in mine


@pytest.mark.proves("SIGNUP-01", "SIGNUP-02")
async def test_people_register_themselves_where_they_may(as_admin: Browser, other: Browser) -> None:
    signup = "/api/v1/auth/signup"
    assert (await said(other, "POST", signup, new("early")))[0] == 403
    assert (await other.get("/signup", headers=HTML)).status == 403
    assert 'href="/signup"' not in await (await other.get("/login", headers=HTML)).text()
    chosen = {"signup_enabled": "true", "default_user_role": "readonly"}
    assert (await post_form(as_admin, "/settings/users", "/settings/users/registration", chosen)).status == 303
    assert 'href="/signup"' in await (await other.get("/login", headers=HTML)).text()
    status, body = await said(other, "POST", signup, new("early", "superadmin"))
    assert (status, body["user"]["role"]) == (201, "readonly")
    assert (await said(other, "POST", signup, new("ab")))[0] == 400
    other.session.cookie_jar.clear()
    fields = {**new("second"), "confirm": "other"}
    refused = await post_form(other, "/signup", "/signup", fields)
    assert (refused.status, "are not the same" in await refused.text()) == (400, True)
    made = await post_form(other, "/signup", "/signup", {**fields, "confirm": PASSWORD})
    assert (made.status, made.headers["Location"]) == (303, "/login")
    await sign_in(other, "second")
    for role, enabled in (("admin", "true"), ("user", "false")):
        chosen = {"signup_enabled": enabled, "default_user_role": role}
        assert (await post_form(as_admin, "/settings/users", "/settings/users/registration", chosen)).status == 303
        if role == "admin":
            other.session.cookie_jar.clear()
            assert (await said(other, "POST", signup, new("climber")))[1]["user"]["role"] == "user"
    assert (await said(other, "POST", signup, new("late")))[0] == 403
