"""A second factor that is demanded: of whom, from when on, what is left without it, and who sees it."""

from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest
from aiohttp import ClientResponse

from server.core import clock
from server.core.call import Call
from server.core.env import Env
from server.core.secretbox import Secret
from tests.conftest import Browser
from tests.factories.people import HTML, person, post_form, sign_in, token_of
from tests.identity.conftest import Move

HOME = "/settings/two-factor"
SECURITY = "/settings/security"
DUE = "Set up two-factor authentication first"


async def demand(admin: Browser, required: str, days: int = 7, **more: str) -> ClientResponse:
    """Have an administrator decide who has to have a second factor."""
    fields = {"two_factor_required": required, "two_factor_grace_days": str(days), **more}
    return await post_form(admin, SECURITY, SECURITY, fields)


async def enrol(client: Browser) -> None:
    """Set up an authenticator."""
    secret = (await (await client.get("/api/v1/tfa/setup")).json())["secret"]
    body = {"token": pyotp.TOTP(secret).at(clock.now())}
    answer = await client.post("/api/v1/tfa/verify-setup", json=body)
    assert answer.status == 200, await answer.text()


@pytest.fixture
async def admin(as_admin: Browser) -> Browser:
    """An administrator who has a second factor already."""
    await enrol(as_admin)
    return as_admin


async def test_after_the_days_of_grace_only_the_set_up_is_left(
    admin: Browser, client: Browser, call: Call, pass_time: Move
) -> None:
    user = await person(call, "host_manager")
    assert (await demand(admin, "everyone")).status == 303
    await sign_in(client, user.username)
    page = await (await client.get("/hosts", headers=HTML)).text()
    assert "Your administrator demands a second factor" in page
    assert "Set one up before" in page
    pass_time(timedelta(days=6, hours=23))
    await sign_in(client, user.username)
    assert (await client.get("/hosts", headers=HTML)).status == 200
    pass_time(timedelta(hours=2))
    await sign_in(client, user.username)
    for path in ("/", "/hosts", "/settings/profile", "/settings/tokens", "/jobs"):
        answer = await client.get(path, headers=HTML, allow_redirects=False)
        assert (answer.status, answer.headers.get("Location")) == (303, HOME), path
    for path in ("/api/v1/hosts", "/api/v1/auth/sessions"):
        answer = await client.get(path)
        assert (answer.status, DUE in (await answer.json())["error"]) == (403, True), path
    posted = await client.post("/api/v1/hosts/create", json={"friendly_name": "x"})
    assert posted.status == 403
    fragment = await client.get("/hosts", headers={**HTML, "HX-Request": "true"}, allow_redirects=False)
    assert (fragment.status, fragment.headers["HX-Redirect"]) == (403, HOME)
    page = await (await client.get(HOME, headers=HTML)).text()
    assert "Set up a second factor now." in page
    await enrol(client)
    assert (await client.get("/hosts", headers=HTML, allow_redirects=False)).status == 200


async def test_who_is_shut_out_can_still_sign_out(admin: Browser, client: Browser, call: Call) -> None:
    user = await person(call)
    await demand(admin, "everyone", days=0)
    await sign_in(client, user.username)
    assert (await client.get("/hosts", headers=HTML, allow_redirects=False)).status == 303
    answer = await post_form(client, HOME, "/logout")
    assert (answer.status, answer.headers["Location"]) == (303, "/login")


async def test_tokens_stop_with_their_owner_and_come_back(admin: Browser, client: Browser, call: Call) -> None:
    user = await person(call, "host_manager")
    bearer = {"Authorization": f"Bearer {await token_of(call, user)}"}
    assert (await client.get("/api/v1/hosts", headers=bearer)).status == 200
    await demand(admin, "roles", days=0, **{"two_factor_roles[]": "host_manager"})
    answer = await client.get("/api/v1/hosts", headers=bearer)
    assert (answer.status, DUE in (await answer.json())["error"]) == (403, True)
    await demand(admin, "nobody")
    assert (await client.get("/api/v1/hosts", headers=bearer)).status == 200


async def test_only_the_chosen_roles_are_bound(admin: Browser, client: Browser, call: Call) -> None:
    await demand(admin, "roles", days=0, **{"two_factor_roles[]": "host_manager"})
    for role, location in (("host_manager", HOME), ("readonly", None)):
        await sign_in(client, (await person(call, role)).username)
        answer = await client.get("/hosts", headers=HTML, allow_redirects=False)
        assert answer.headers.get("Location") == location, role


async def test_the_days_begin_when_somebody_is_first_told_and_anew_after_a_pause(
    admin: Browser, client: Browser, call: Call, pass_time: Move
) -> None:
    user = await person(call)
    await demand(admin, "everyone", days=3)
    pass_time(timedelta(days=30))
    await sign_in(client, user.username)
    assert (await client.get("/hosts", headers=HTML, allow_redirects=False)).status == 200
    await call.db.execute("update users set tfa_asked_at = now() - interval '10 days'")
    assert (await client.get("/hosts", headers=HTML, allow_redirects=False)).status == 303


async def test_who_is_no_longer_bound_gets_new_days_later(admin: Browser, client: Browser, call: Call) -> None:
    user = await person(call)
    await demand(admin, "everyone", days=0)
    await sign_in(client, user.username)
    assert (await client.get("/hosts", headers=HTML, allow_redirects=False)).status == 303
    await demand(admin, "nobody", days=5)
    assert (await client.get("/hosts", headers=HTML, allow_redirects=False)).status == 200
    await demand(admin, "everyone", days=5)
    assert (await client.get("/hosts", headers=HTML, allow_redirects=False)).status == 200


async def test_people_of_a_provider_are_exempt(admin: Browser, client: Browser, call: Call) -> None:
    user = await person(call)
    await sign_in(client, user.username)
    await call.db.execute("update users set password_hash = null where id = %(id)s", id=user.id)
    await demand(admin, "everyone", days=0)
    assert (await client.get("/hosts", headers=HTML, allow_redirects=False)).status == 200


async def test_the_list_of_users_shows_who_is_missing(admin: Browser, client: Browser, call: Call) -> None:
    late, told, away = [await person(call, "readonly") for _ in range(3)]
    await demand(admin, "everyone", days=5)
    for user in (late, told):
        await sign_in(client, user.username)
        await client.get("/hosts", headers=HTML)
    await call.db.execute("update users set tfa_asked_at = now() - interval '6 days' where id = %(id)s", id=late.id)
    page = await (await admin.get("/settings/users", headers=HTML)).text()
    rows = {user.username: page.split(f"<b>{user.username}</b>")[1].split("</tr>")[0] for user in (late, told, away)}
    assert "TFA overdue" in rows[late.username]
    assert "TFA due" in rows[told.username]
    assert "TFA to set up" in rows[away.username]
    security = await (await admin.get(SECURITY, headers=HTML)).text()
    assert "1 person without a second factor is shut out by now" in security


async def test_an_administrator_who_demands_it_is_bound_too(as_admin: Browser) -> None:
    await demand(as_admin, "everyone", days=0)
    answer = await as_admin.get(SECURITY, headers=HTML, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, HOME)
    await enrol(as_admin)
    assert (await as_admin.get(SECURITY, headers=HTML)).status == 200


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"two_factor_required": "roles"}, "Choose at least one role"),
        ({"two_factor_required": "roles", "two_factor_roles[]": "ghost"}, "There is no role ghost"),
        ({"two_factor_required": "everyone", "two_factor_grace_days": "-1"}, "must be a whole number"),
        ({"two_factor_required": "some"}, "must be one of nobody, roles, everyone"),
    ],
)
async def test_what_cannot_be_demanded_is_refused(admin: Browser, fields: dict[str, str], said: str) -> None:
    answer = await post_form(admin, SECURITY, SECURITY, {"two_factor_grace_days": "7", **fields})
    assert (answer.status, said in await answer.text()) == (400, True)


async def test_only_who_manages_settings_decides(client: Browser, call: Call) -> None:
    await sign_in(client, (await person(call, "host_manager")).username)
    assert (await client.get(SECURITY, headers=HTML)).status == 403


class TestByEnvironment:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        said = {"TFA_REQUIRED": "roles", "TFA_REQUIRED_ROLES": "readonly,user", "TFA_GRACE_DAYS": "0"}
        return replace(env, given=Secret(said))

    async def test_the_environment_can_demand_it(self, client: Browser, as_admin: Browser, call: Call) -> None:
        await sign_in(client, (await person(call, "readonly")).username)
        assert (await client.get("/hosts", headers=HTML, allow_redirects=False)).headers["Location"] == HOME
        assert "TFA_REQUIRED" in await (await as_admin.get(SECURITY, headers=HTML)).text()


async def test_a_session_that_a_provider_opened_is_exempt_also_with_a_password(
    admin: Browser, client: Browser, call: Call
) -> None:
    user = await person(call)
    await demand(admin, "everyone", days=0)
    await sign_in(client, user.username)
    assert (await client.get("/hosts", headers=HTML, allow_redirects=False)).status == 303
    await call.db.execute("update user_sessions set method = 'oidc' where user_id = %(id)s", id=user.id)
    assert (await client.get("/hosts", headers=HTML, allow_redirects=False)).status == 200
