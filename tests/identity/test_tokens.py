"""Personal API tokens."""

import re
from datetime import timedelta

import pytest

from server.core.call import Call
from server.core.errors import Missing
from server.identity.service import create_token
from tests.conftest import Browser
from tests.factories.people import HTML, person, post_form, sign_in, token_of
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
    with pytest.raises(Missing):
        await create_token(call.world, "nobody", "cli", 7)
    made = await call.db.one("select actor_kind, actor_name from audit_log where action = 'identity.token_created'")
    assert made == {"actor_kind": "system", "actor_name": "command line"}
