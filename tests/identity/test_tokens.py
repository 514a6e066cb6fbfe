"""Personal API tokens."""

import re
from datetime import timedelta
from typing import Any

import pytest

from server.core.call import Call
from server.core.errors import Missing
from server.identity.permissions import KEYS
from server.identity.service import create_token
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, person, post_form, role_with, sign_in, token_of
from tests.identity.conftest import Move

PROFILE = "/api/v1/auth/profile"


async def with_token(client: Browser, token: str, path: str = PROFILE) -> int:
    return (await client.get(path, headers={"Authorization": f"Bearer {token}"})).status


async def test_a_token_is_shown_once_works_and_is_revoked(client: Browser, call: Call) -> None:
    user = await person(call, "superadmin")
    await sign_in(client, user.username)
    made = await post_form(client, "/settings/tokens", "/settings/tokens", {"name": "pipeline", "days": "30"})
    page = await made.text()
    found = re.search(r"pmt_[0-9a-f]{64}", page)
    assert (made.status, made.headers["Cache-Control"]) == (201, "no-store")
    assert found is not None
    token = found[0]
    listed = await (await client.get("/settings/tokens", headers=HTML)).text()
    assert token not in listed
    assert "pipeline" in listed
    assert token[:10] in listed
    assert token not in str(await call.db.all("select * from api_tokens"))

    client.session.cookie_jar.clear()
    assert await with_token(client, token) == 200
    assert await call.db.value("select last_used_at is not null from api_tokens")

    await sign_in(client, user.username)
    token_id = await call.db.value("select id from api_tokens")
    answer = await post_form(client, "/settings/tokens", f"/settings/tokens/{token_id}/revoke")
    assert answer.headers["Location"] == "/settings/tokens"
    assert await with_token(client, token) == 401
    actions = await call.db.column("select action from audit_log where subject_kind = 'api_token' order by id")
    assert actions == ["identity.token_created", "identity.token_revoked"]
    assert token not in str(await call.db.all("select * from audit_log"))


async def test_a_token_expires(client: Browser, call: Call, pass_time: Move) -> None:
    user = await person(call)
    short, endless = await token_of(call, user, days=1), await token_of(call, user, days=None)
    assert await with_token(client, short) == 200
    pass_time(timedelta(days=1, seconds=2))
    answer = await client.get(PROFILE, headers={"Authorization": f"Bearer {short}"})
    assert (answer.status, await answer.json(content_type=None)) == (401, {"error": "Session expired"})
    assert await with_token(client, endless) == 200


async def test_a_token_does_what_its_owner_may_do_now(client: Browser, call: Call) -> None:
    user = await person(call, "superadmin")
    token = await token_of(call, user)
    assert await with_token(client, token, "/api/v1/settings") == 200
    await call.db.execute("update users set role = 'readonly'")
    assert await with_token(client, token, "/api/v1/settings") == 403
    await call.db.execute("update users set is_active = false")
    assert await with_token(client, token) == 401


@pytest.mark.parametrize("token", ["pmt_", "pmt_" + "0" * 64, "pms_" + "0" * 64, "x", "pmt_ü"])
async def test_invented_tokens_open_nothing(client: Browser, token: str) -> None:
    answer = await client.get(PROFILE, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status, await answer.json(content_type=None)) == (401, {"error": "Invalid token"})


async def test_a_token_is_no_cookie(client: Browser, call: Call) -> None:
    client.session.cookie_jar.update_cookies({"token": await token_of(call, await person(call))})
    assert (await client.get(PROFILE)).status == 401


async def test_a_token_cannot_make_tokens_or_take_the_account_over(client: Browser, call: Call) -> None:
    headers = {"Authorization": f"Bearer {await token_of(call, await person(call))}"}
    for method, path, body in (
        ("PUT", "/api/v1/auth/change-password", {"currentPassword": "x", "newPassword": "Another-1!"}),
        ("PUT", "/api/v1/auth/profile", {"username": "eve", "email": "eve@example.com"}),
        ("POST", "/api/v1/auth/logout", {}),
    ):
        answer = await client.request(method, path, json=body, headers=headers)
        assert (answer.status, (await answer.json())["code"]) == (403, "persons_only"), path
    form = await client.post("/settings/tokens", data={"name": "another"}, headers=headers)
    assert form.status == 403
    assert await call.db.value("select count(*) from api_tokens") == 1


async def test_nobody_revokes_somebody_elses_token(client: Browser, call: Call) -> None:
    token = await token_of(call, await person(call))
    token_id = await call.db.value("select id from api_tokens")
    await sign_in(client, (await person(call)).username)
    answer = await post_form(client, "/settings/tokens", f"/settings/tokens/{token_id}/revoke")
    assert answer.status == 404
    assert await with_token(client, token) == 200


@pytest.mark.parametrize(
    ("fields", "complaint"), [({"name": ""}, "1 to 100"), ({"name": "x", "days": "0"}, "1 to 3650")]
)
async def test_a_refused_form_says_why(client: Browser, call: Call, fields: dict[str, str], complaint: str) -> None:
    await sign_in(client, (await person(call)).username)
    answer = await post_form(client, "/settings/tokens", "/settings/tokens", fields)
    assert (answer.status, complaint in await answer.text()) == (400, True)


async def test_the_use_of_a_token_is_not_written_at_every_request(client: Browser, call: Call, pass_time: Move) -> None:
    token = await token_of(call, await person(call))
    await with_token(client, token)
    first = await call.db.value("select last_used_at from api_tokens")
    await with_token(client, token)
    assert await call.db.value("select last_used_at from api_tokens") == first
    pass_time(timedelta(minutes=6))
    await with_token(client, token)
    assert await call.db.value("select last_used_at from api_tokens") > first


async def test_the_command_line_makes_a_token_for_a_person(client: Browser, call: Call) -> None:
    user = await person(call)
    token = await create_token(call.world, user.username.upper(), "cli", 7)
    assert await with_token(client, token) == 200
    reader = await create_token(call.world, user.username, "cli", None, "read")
    assert await with_token(client, reader, "/api/v1/hosts") == 200
    assert await call.db.value("select cardinality(scopes) from api_tokens where scopes is not null") == 5
    with pytest.raises(Missing):
        await create_token(call.world, "nobody", "cli", 7)
    made = await call.db.one("select actor_kind, actor_name from audit_log where action = 'identity.token_created'")
    assert made == {"actor_kind": "system", "actor_name": "command line"}


async def asked(client: Browser, token: str, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    answer = await client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
    return answer.status, await answer.json(content_type=None)


async def test_a_token_holds_what_its_scopes_and_its_owner_both_hold(client: Browser, call: Call) -> None:
    user = await person(call, "superadmin")
    reader = await token_of(call, user, scopes=["can_view_hosts", "can_manage_settings"])
    status, flags = await asked(client, reader, "GET", "/api/v1/permissions/user-permissions")
    assert status == 200
    assert {name for name, held in flags.items() if held is True} == {"can_view_hosts", "can_manage_settings"}
    assert await with_token(client, reader, "/api/v1/settings") == 200
    assert await with_token(client, reader, "/api/v1/auth/admin/users") == 403
    await call.db.execute("update users set role = 'readonly'")
    assert await with_token(client, reader, "/api/v1/settings") == 403, "the owner may not any more"
    _, flags = await asked(client, reader, "GET", "/api/v1/permissions/user-permissions")
    assert {name for name, held in flags.items() if held is True} == {"can_view_hosts"}


@pytest.mark.proves("USER-12", "INTG-TOK-15")
async def test_people_make_list_and_revoke_tokens_by_page_and_by_program(client: Browser, call: Call) -> None:
    user = await person(call, "host_manager")
    await sign_in(client, user.username)
    form = {"name": "grafana", "days": "", "access": "read"}
    made = await post_form(client, "/settings/tokens", "/settings/tokens", form)
    assert made.status == 201
    form = {"name": "ticked", "days": "7", "access": "chosen", "scopes[]": "can_view_hosts"}
    assert (await post_form(client, "/settings/tokens", "/settings/tokens", form)).status == 201
    page = await (await client.get("/settings/tokens", headers=HTML)).text()
    assert "Read only" in page
    assert "View Hosts" in page
    assert "Manage Superusers" not in page, "one cannot tick what one does not hold"
    body = {"name": "pipeline", "days": 30, "scopes": ["can_view_hosts", "can_manage_automation"]}
    answer = await client.post("/api/v1/auth/api-tokens", json=body)
    said = await answer.json()
    assert (answer.status, answer.headers["Cache-Control"]) == (201, "no-store")
    assert said["token"]["scopes"] == ["can_manage_automation", "can_view_hosts"]
    listed = (await (await client.get("/api/v1/auth/api-tokens")).json())["tokens"]
    assert [(one["name"], one["scopes"] and len(one["scopes"])) for one in listed] == [
        ("pipeline", 2),
        ("ticked", 1),
        ("grafana", 5),
    ]
    assert said["secret"] not in str(listed)
    assert await with_token(client, said["secret"], "/api/v1/hosts") == 200
    used = (await (await client.get("/api/v1/auth/api-tokens")).json())["tokens"][0]
    assert (used["last_used_at"] is not None, used["last_used_ip"]) == (True, "127.0.0.1")
    path = f"/api/v1/auth/api-tokens/{said['token']['id']}"
    assert [(await client.delete(path)).status for _ in range(2)] == [200, 404]
    assert await with_token(client, said["secret"]) == 401


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"name": "x", "scopes": []}, "at least one permission"),
        ({"name": "x", "scopes": ["can_fly"]}, "no permission can_fly"),
        ({"name": "x", "days": 4000}, "1 to 3650"),
        ({"name": " ", "scopes": None}, "1 to 100"),
    ],
)
async def test_odd_tokens_are_not_made(client: Browser, call: Call, body: object, complaint: str) -> None:
    await sign_in(client, (await person(call)).username)
    answer = await client.post("/api/v1/auth/api-tokens", json=body)
    assert (answer.status, complaint in str(await answer.json())) == (400, True)
    empty = {"name": "x", "access": "chosen"}
    form = await post_form(client, "/settings/tokens", "/settings/tokens", empty)
    assert (form.status, "at least one permission" in await form.text()) == (400, True)
    assert await call.db.value("select count(*) from api_tokens") == 0


@pytest.mark.parametrize("scopes", [None, sorted(KEYS)])
async def test_no_token_touches_its_owners_account(client: Browser, call: Call, scopes: list[str] | None) -> None:
    user = await person(call, "superadmin")
    await person(call, "superadmin")
    session = (await sign_in(client, user.username))["token"]
    client.session.cookie_jar.clear()
    token = await token_of(call, user, scopes=scopes)
    token_id = await call.db.value("select id from api_tokens")
    session_id = await call.db.value("select id from user_sessions")
    for method, path, body in (
        ("POST", "/api/v1/auth/logout", None),
        ("GET", "/api/v1/auth/sessions", None),
        ("DELETE", "/api/v1/auth/sessions", None),
        ("DELETE", f"/api/v1/auth/sessions/{session_id}", None),
        ("PUT", "/api/v1/auth/profile", {"username": "eve", "email": "eve@example.com"}),
        ("PUT", "/api/v1/auth/change-password", {"currentPassword": PASSWORD, "newPassword": "Another-1!"}),
        ("POST", "/api/v1/auth/api-tokens", {"name": "more"}),
        ("DELETE", f"/api/v1/auth/api-tokens/{token_id}", None),
        ("GET", "/api/v1/tfa/setup", None),
        ("POST", "/api/v1/tfa/verify-setup", {"token": "000000"}),
        ("POST", "/api/v1/tfa/disable", {"password": PASSWORD}),
        ("POST", "/api/v1/tfa/regenerate-backup-codes", None),
        ("DELETE", "/api/v1/auth/trusted-devices", None),
        ("PUT", f"/api/v1/auth/admin/users/{user.id}", {"email": "eve@example.com"}),
        ("POST", f"/api/v1/auth/admin/users/{user.id}/reset-password", {"newPassword": "Another-1!"}),
        ("DELETE", f"/api/v1/auth/admin/users/{user.id}", None),
    ):
        status, said = await asked(client, token, method, path, body)
        assert status in {400, 403}, (method, path, status, said)
        assert status == 403 or said["code"] == "own_account", (path, said)
    assert (await client.get(PROFILE, headers={"Authorization": f"Bearer {session}"})).status == 200
    stored = await call.db.one("select username, tfa_enabled from users where id = %(id)s", id=user.id)
    assert stored == {"username": user.username, "tfa_enabled": False}
    await sign_in(client, user.username)


async def test_a_token_makes_nobody_who_may_more_than_it_may(client: Browser, call: Call) -> None:
    boss = await person(call, "superadmin")
    await role_with(call, "watcher", "can_view_hosts")
    token = await token_of(call, boss, scopes=["can_view_users", "can_manage_users", "can_manage_settings"])
    new = {"username": "helper", "email": "helper@example.com", "password": PASSWORD}
    for role in ("superadmin", "admin", "host_manager", "readonly", "watcher"):
        status, said = await asked(client, token, "POST", "/api/v1/auth/admin/users", {**new, "role": role})
        assert (status, said["code"]) == (403, "role_not_yours"), role
    reset = f"/api/v1/auth/admin/users/{(await person(call, 'admin')).id}/reset-password"
    assert (await asked(client, token, "POST", reset, {"newPassword": "Another-1!"}))[0] == 403
    watcher = await person(call, "watcher")
    reset = f"/api/v1/auth/admin/users/{watcher.id}/reset-password"
    assert (await asked(client, token, "POST", reset, {"newPassword": "Another-1!"}))[0] == 403
    path = "/api/v1/permissions/roles/watcher"
    status, said = await asked(client, token, "PUT", path, {"can_view_hosts": True, "can_manage_hosts": True})
    assert (status, said["code"]) == (403, "persons_only")
    assert await call.db.value("select count(*) from users where username = 'helper'") == 0


async def test_the_audit_log_says_through_which_token(client: Browser, call: Call, as_admin: Browser) -> None:
    user = await person(call, "superadmin")
    token = await token_of(call, user, scopes=["can_manage_settings"])
    assert (await asked(client, token, "PATCH", "/api/v1/settings", {"signup_enabled": True}))[0] == 200
    row = await call.db.one(
        "select actor_kind, actor_name, via, via_name from audit_log where action = 'settings.changed'"
    )
    token_id = await call.db.value("select id from api_tokens")
    assert row == {"actor_kind": "token", "actor_name": user.username, "via": token_id, "via_name": "tests"}
    page = await (await as_admin.get(f"/audit?who={token_id}", headers=HTML)).text()
    assert "by token" in page
    assert "settings.changed" in page
    assert "identity.signed_in" not in page.split("<tbody>")[1]
