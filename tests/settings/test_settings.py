"""The environment decides over what is stored, that over the default."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from server.app import build, close_world, open_world
from server.core.call import Call, World, system
from server.core.env import BadEnvironment, Env
from server.core.loop import Keeper
from server.core.secretbox import Secret
from server.settings import rules, service
from tests.conftest import Browser
from tests.factories.people import HTML, bearer, person, post_form, sign_in


def test_layers() -> None:
    stored = {"max_login_attempts": 7, "password_min_length": 12}
    found = rules.effective({"MAX_LOGIN_ATTEMPTS": "3"}, stored)
    assert (found.settings.max_login_attempts, found.sources["max_login_attempts"]) == (3, "env")
    assert (found.settings.password_min_length, found.sources["password_min_length"]) == (12, "database")
    assert (found.settings.update_interval, found.sources["update_interval"]) == (60, "default")
    assert rules.effective({"MAX_LOGIN_ATTEMPTS": "  "}, {}).sources["max_login_attempts"] == "default"


@pytest.mark.proves("ENV-172")
def test_the_server_variables_count_only_until_a_url_is_stored() -> None:
    variables = {"SERVER_PROTOCOL": "https", "SERVER_HOST": "patch.example.com", "SERVER_PORT": "443"}
    assert rules.effective(variables, {}).settings.server_url == "https://patch.example.com"
    stored = rules.url_parts("http://10.0.0.1:8080")
    assert rules.effective(variables, stored).settings.server_url == "http://10.0.0.1:8080"


@pytest.mark.parametrize(
    ("url", "back"),
    [
        ("https://patch.example.com", "https://patch.example.com"),
        ("https://patch.example.com:443/", "https://patch.example.com"),
        ("http://patch.example.com:3000", "http://patch.example.com:3000"),
        ("patch.example.com", "http://patch.example.com"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://under_score", "http://under_score"),
    ],
)
def test_a_url_is_taken_apart_and_put_together(url: str, back: str) -> None:
    assert rules.effective({}, rules.url_parts(url)).settings.server_url == back


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "http://", "http://x/path", "http://x:99999", "http://a b", "http://x?q=1", "http://$(id)"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        rules.url_parts(url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("update_interval", 0),
        ("update_interval", True),
        ("update_interval", "soon"),
        ("update_interval", 10**30),
        ("auto_update", "maybe"),
        ("server_protocol", "gopher"),
        ("server_host", "a; rm -rf /"),
        ("timezone", "a\x00b"),
        ("disabled_modules", [1]),
        ("default_user_role", "Root Role"),
    ],
)
def test_values_out_of_range_are_complained_about(name: str, value: object) -> None:
    values, wrong = rules.checked({name: value})
    assert (values, list(wrong)) == ({}, [name])


@pytest.mark.parametrize(("given", "days"), [("7d", 7), ("36h", 2), ("30m", 1), ("14", 14)])
def test_durations(given: str, days: int) -> None:
    assert rules.days(given) == days


def test_the_environment_is_complained_about_all_at_once() -> None:
    variables = {"MAX_LOGIN_ATTEMPTS": "many", "PASSWORD_REQUIRE_NUMBER": "perhaps", "PORT": "x"}
    complaints = rules.complaints(variables)
    assert [complaint.split(":")[1].strip() for complaint in complaints] == [
        "MAX_LOGIN_ATTEMPTS",
        "PASSWORD_REQUIRE_NUMBER",
    ]


async def test_the_server_does_not_start_with_unusable_variables(world: World, keeper: Keeper) -> None:
    bad = replace(world, env=replace(world.env, given=Secret({"LOCKOUT_DURATION_MINUTES": "-1"})))
    with pytest.raises(BadEnvironment, match="LOCKOUT_DURATION_MINUTES"):
        build(bad, keeper)


async def test_settings_are_changed_in_either_spelling_and_audited(client: Browser, call: Call) -> None:
    headers = await bearer(call, "admin")
    body = {"update_interval": 30, "autoUpdate": True, "unknown": 1}
    answer = await client.patch("/api/v1/settings", json=body, headers=headers)
    changed = await answer.json()
    assert (answer.status, changed["update_interval"], changed["auto_update"]) == (200, 30, True)
    assert "unknown" not in changed
    assert (await service.effective(call)).update_interval == 30
    public = await (await client.get("/api/v1/settings/public", headers=await bearer(call, "readonly"))).json()
    assert (public["update_interval"], public["auto_update"]) == (30, True)
    assert public["updated_at"] is not None
    rows = await call.db.all("select subject_id, detail from audit_log where action = 'settings.changed' order by id")
    assert rows == [
        {"subject_id": "auto_update", "detail": {"from": None, "to": True}},
        {"subject_id": "update_interval", "detail": {"from": None, "to": 30}},
    ]
    again = await client.put("/api/v1/settings", json={"update_interval": 30}, headers=headers)
    assert again.status == 200
    assert await call.db.value("select count(*) from audit_log where action = 'settings.changed'") == 2


async def test_one_bad_value_stores_nothing(client: Browser, call: Call) -> None:
    headers = await bearer(call, "admin")
    body = {"update_interval": 30, "server_port": 0}
    answer = await client.patch("/api/v1/settings", json=body, headers=headers)
    assert (answer.status, list((await answer.json())["complaints"])) == (400, ["server_port"])
    assert await call.db.value("select count(*) from settings") == 0
    for nonsense in ("[]", '"x"', "{"):
        assert (await client.patch("/api/v1/settings", data=nonsense, headers=headers)).status == 400


async def test_settings_need_their_permission(client: Browser, call: Call) -> None:
    headers = await bearer(call, "host_manager")
    assert (await client.get("/api/v1/settings", headers=headers)).status == 403
    assert (await client.patch("/api/v1/settings", json={"update_interval": 5}, headers=headers)).status == 403


async def test_the_current_url_mirrors_the_request(client: Browser) -> None:
    told = await (await client.get("/api/v1/settings/current-url")).json()
    port = client.server.port
    assert told == {"url": f"http://127.0.0.1:{port}", "protocol": "http", "host": "127.0.0.1", "port": port}


class TestBehindProxy:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, trust_proxy="true")

    async def test_the_current_url_is_the_proxys(self, client: Browser) -> None:
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "patch.example.com"}
        told = await (await client.get("/api/v1/settings/current-url", headers=headers)).json()
        assert told == {
            "url": "https://patch.example.com",
            "protocol": "https",
            "host": "patch.example.com",
            "port": 443,
        }


@pytest.mark.proves("SET-14")
async def test_the_page_changes_the_url(client: Browser, call: Call) -> None:
    await sign_in(client, (await person(call, "admin")).username)
    page = "/settings/server-url"
    answer = await post_form(client, page, page, {"server_url": "https://patch.example.com:8443"})
    assert answer.headers["Location"] == page
    shown = await (await client.get(page, headers=HTML)).text()
    assert 'value="https://patch.example.com:8443"' in shown
    assert "The server URL is saved." in shown
    told = await (await client.get("/api/v1/settings/server-url")).json()
    assert told == {"server_url": "https://patch.example.com:8443"}
    refused = await post_form(client, page, page, {"server_url": "https://x/path"})
    text = await refused.text()
    assert (refused.status, "without a path" in text, 'value="https://x/path"' in text) == (400, True, True)


async def test_another_process_hears_of_a_change_at_once(world: World, keeper: Keeper) -> None:
    second = await open_world(world.env, keeper, pool=2)
    try:
        keeper.start("bell", service.keep_fresh(second))
        now = Call(second, system("test"))
        assert (await service.effective(now)).update_interval == 60
        await asyncio.sleep(0.3)
        await service.change(Call(world, system("test")), {"update_interval": 15})
        for _ in range(150):
            if (await service.effective(now)).update_interval == 15:
                break
            await asyncio.sleep(0.02)
        assert (await service.effective(now)).update_interval == 15
    finally:
        await close_world(second)


async def test_a_lost_bell_costs_a_few_seconds(call: Call) -> None:
    assert (await service.effective(call)).update_interval == 60
    await call.db.execute("insert into settings values ('update_interval', '20', now())")
    assert (await service.effective(call)).update_interval == 60
    later = replace(call, now=call.now + timedelta(seconds=6))
    assert (await service.effective(later)).update_interval == 20
