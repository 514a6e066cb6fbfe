"""The page of the environment: value, source, conflict, secrets, and what can be stored."""

import asyncio
import re
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from server.core.call import Call
from server.core.env import Env
from server.core.secretbox import Secret
from server.hosts import service as hosts
from server.hosts.models import NewHost
from server.settings import service
from server.settings.variables import CATEGORIES, MASK, VARIABLES, uncatalogued
from tests.conftest import ROOT, Browser
from tests.factories.automation import url_of
from tests.factories.people import HTML, PASSWORD, bearer, person, post_form, role_with, sign_in

URL = "/api/v1/settings/environment"
SECRETS = {
    "DATABASE_URL": "postgresql://u:geheim1@db/x",
    "JWT_SECRET": "geheim2",
    "REDIS_PASSWORD": "geheim3",
    "AI_ENCRYPTION_KEY": "geheim4",
    "SESSION_SECRET": "geheim5",
}


async def variables(client: Browser, headers: dict[str, str] | None = None) -> dict[str, dict[str, Any]]:
    answer = await client.get(URL, headers=headers)
    assert answer.status == 200
    return {one["key"]: one for one in (await answer.json())["variables"]}


def test_every_variable_that_is_read_is_shown() -> None:
    # Older names are shown under the present one, SERVER_* on the page of the server URL; PATCHMON_URL is a client's.
    apart = {
        "CORS_ORIGINS",
        "NODE_ENV",
        "TIMEZONE",
        "PRISMA_LOG_QUERIES",
        "SERVER_HOST",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "PATCHMON_URL",
        "PATCHMON_TOKEN",
        "ENV_FILE",
    }
    read = set(re.findall(r'reader\.\w+\(\s*"([A-Z_]+)"', (ROOT / "server/core/env.py").read_text("utf-8")))
    assert len(read) > 40
    assert read - apart - {known.key for known in VARIABLES} == set()
    assert uncatalogued() == set()


@pytest.mark.proves("ENV-141", "ENV-149")
async def test_the_groups_come_in_their_order_and_each_row_says_everything(as_admin: Browser) -> None:
    found = await variables(as_admin)
    assert list(dict.fromkeys(one["category"] for one in found.values())) == list(CATEGORIES)
    assert found["RATE_LIMIT_MAX"] == {
        "key": "RATE_LIMIT_MAX",
        "category": "Rate limits",
        "description": "Requests of people and their tokens from one address within the window",
        "effective_value": "5000",
        "source": "default",
        "default": "5000",
        "database_value": None,
        "conflict": False,
        "editable": True,
        "sensitive": False,
        "requires_restart": False,
        "type": "number",
        "allowed": [],
        "min": 1,
        "max": 10_000_000,
        "advice": "",
    }


class TestGiven:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, given=Secret({**SECRETS, "RATE_LIMIT_MAX": "5000", "DB_CONNECTION_LIMIT": "40"}))

    @pytest.mark.proves("ENV-03", "ENV-02", "ENV-148", "INV-173")
    async def test_a_stored_value_beside_a_variable_is_a_conflict(self, as_admin: Browser) -> None:
        answer = await as_admin.patch(f"{URL}/RATE_LIMIT_MAX", json={"value": "10"})
        assert answer.status == 200
        row = (await variables(as_admin))["RATE_LIMIT_MAX"]
        assert (row["effective_value"], row["source"], row["database_value"], row["conflict"]) == (
            "5000",
            "env",
            "10",
            True,
        )
        text = await (await as_admin.get("/settings/environment", headers=HTML)).text()
        assert "Conflict" in text
        assert re.search(r'RATE_LIMIT_MAX</span>.*?title="Set in the environment of the server"', text, re.DOTALL)
        assert (await variables(as_admin))["DB_CONNECTION_LIMIT"]["source"] == "env"

    @pytest.mark.proves("ENV-11", "ENV-12")
    async def test_no_answer_holds_a_secret(self, as_admin: Browser) -> None:
        found = await variables(as_admin)
        for key in SECRETS:
            row = found[key]
            assert (row["effective_value"], row["sensitive"], row["editable"]) == (MASK, True, False), key
        for path in (URL, "/settings/environment", "/api/v1/settings"):
            assert "geheim" not in await (await as_admin.get(path, headers=HTML)).text()

    @pytest.mark.proves("ENV-12", "ENV-142")
    @pytest.mark.parametrize("key", [*SECRETS, "PORT", "REDIS_HOST", "APP_ENV"])
    async def test_what_counts_before_the_database_cannot_be_stored(self, as_admin: Browser, key: str) -> None:
        answer = await as_admin.patch(f"{URL}/{key}", json={"value": "1"})
        assert (answer.status, (await answer.json())["code"]) == (403, "read_only")
        page = await as_admin.get(f"/settings/environment/{key}", headers=HTML)
        assert page.status == 403
        assert f'href="/settings/environment/{key}"' not in await (await as_admin.get("/settings/environment")).text()


@pytest.mark.proves("ENV-01", "ENV-147")
async def test_stored_over_default_until_it_is_cleared(as_admin: Browser, call: Call) -> None:
    await as_admin.patch(f"{URL}/MAX_LOGIN_ATTEMPTS", json={"value": 3})
    row = (await variables(as_admin))["MAX_LOGIN_ATTEMPTS"]
    assert (row["effective_value"], row["source"]) == ("3", "database")
    assert (await service.effective(call)).max_login_attempts == 3
    assert (await as_admin.delete(f"{URL}/MAX_LOGIN_ATTEMPTS")).status == 200
    row = (await variables(as_admin))["MAX_LOGIN_ATTEMPTS"]
    assert (row["effective_value"], row["source"], row["database_value"]) == ("5", "default", None)
    details = await call.db.column("select detail from audit_log where action = 'settings.changed' order by id")
    assert details == [{"from": None, "to": 3}, {"from": 3, "to": None}]
    assert (await as_admin.delete(f"{URL}/MAX_LOGIN_ATTEMPTS")).status == 200


@pytest.mark.proves("ENV-143")
@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("RATE_LIMIT_MAX", "0", "whole number from 1"),
        ("RATE_LIMIT_WINDOW_MS", "999", "whole number from 1000"),
        ("PASSWORD_REQUIRE_NUMBER", "perhaps", "true or false"),
        ("CORS_ORIGIN", "patch.example", "origins such as"),
    ],
)
async def test_a_wrong_value_stores_nothing(as_admin: Browser, key: str, value: str, word: str) -> None:
    answer = await as_admin.patch(f"{URL}/{key}", json={"value": value})
    assert answer.status == 400
    assert word in (await answer.json())["complaints"][key]
    page = f"/settings/environment/{key}"
    refused = await post_form(as_admin, page, page, {"value": value})
    assert refused.status == 400
    assert word in await refused.text()
    assert (await variables(as_admin))[key]["source"] == "default"


@pytest.mark.proves("ENV-142", "ENV-144")
async def test_the_form_stores_clears_and_says_so(as_admin: Browser) -> None:
    page = "/settings/environment/PASSWORD_MIN_LENGTH"
    saved = await post_form(as_admin, page, page, {"value": "12"})
    assert saved.status == 303
    text = await (await as_admin.get("/settings/environment", headers=HTML)).text()
    assert "Restart the application for changes to take effect" in text
    assert (await variables(as_admin))["PASSWORD_MIN_LENGTH"]["effective_value"] == "12"
    cleared = await post_form(as_admin, page, f"{page}/clear", {})
    assert cleared.status == 303
    assert (await variables(as_admin))["PASSWORD_MIN_LENGTH"]["source"] == "default"


@pytest.mark.proves("ENV-45")
async def test_the_size_of_the_pool_comes_with_advice(as_admin: Browser) -> None:
    text = await (await as_admin.get("/settings/environment/DB_CONNECTION_LIMIT", headers=HTML)).text()
    for word in (
        "10 hosts need 15",
        "10 to 50 need 30",
        "50 or more with a pool timeout of 30",
        "2 per host",
        "max_con",
    ):
        assert word in text


@pytest.mark.proves("ENV-145")
async def test_what_counts_at_the_start_says_so(as_admin: Browser) -> None:
    text = await (await as_admin.get("/settings/environment", headers=HTML)).text()
    assert "Requires a server restart to take effect" in text
    assert (await variables(as_admin))["PORT"]["requires_restart"] is True


@pytest.mark.proves("ENV-140", "SET-15")
@pytest.mark.parametrize("role", ["host_manager", "user", "readonly"])
async def test_it_is_for_who_manages_the_settings(client: Browser, call: Call, role: str) -> None:
    headers = await bearer(call, role)
    assert (await client.get(URL, headers=headers)).status == 403
    assert (await client.get("/settings/environment", headers=headers)).status == 403
    assert (await client.get("/settings/agent-config", headers=headers)).status == 403
    assert (await client.patch(f"{URL}/RATE_LIMIT_MAX", json={"value": 1}, headers=headers)).status == 403
    assert (await client.delete(f"{URL}/RATE_LIMIT_MAX", headers=headers)).status == 403


async def test_what_there_is_not(as_admin: Browser) -> None:
    assert (await as_admin.patch(f"{URL}/NOWHERE", json={"value": 1})).status == 404
    assert (await as_admin.delete(f"{URL}/NOWHERE")).status == 404
    assert (await as_admin.get("/settings/environment/NOWHERE", headers=HTML)).status == 404
    assert (await as_admin.patch(f"{URL}/RATE_LIMIT_MAX", json=[1])).status == 400


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("PASSWORD_MIN_LENGTH", "12"),
        ("PASSWORD_RATE_LIMIT_MAX", "3"),
        ("MAX_LOGIN_ATTEMPTS", "3"),
        ("LOCKOUT_DURATION_MINUTES", "30"),
        ("MAX_TFA_ATTEMPTS", "3"),
        ("TFA_LOCKOUT_DURATION_MINUTES", "60"),
        ("TFA_REMEMBER_ME_EXPIRES_IN", "7d"),
        ("TFA_MAX_REMEMBER_SESSIONS", "3"),
        ("JWT_REFRESH_EXPIRES_IN", "3d"),
    ],
)
async def test_documented_presets_are_taken(as_admin: Browser, key: str, value: str) -> None:
    assert (await as_admin.patch(f"{URL}/{key}", json={"value": value})).status == 200


async def test_the_pages_of_the_settings_lead_to_each_other(as_admin: Browser) -> None:
    for path in ("/settings/server-url", "/settings/agent-config", "/settings/environment"):
        text = await (await as_admin.get(path, headers=HTML)).text()
        assert f'href="{path}" aria-current="page"' in text
        assert 'href="/settings/environment"' in text
    overview = await (await as_admin.get("/hosts", headers=HTML)).text()
    assert 'href="/settings/environment"' not in overview


@pytest.mark.proves("OPS-52", "SET-14", "INV-172")
async def test_another_url_is_for_new_commands_only(as_admin: Browser, server: TestServer, call: Call) -> None:
    host = await hosts.create(call, NewHost("web-01"))
    headers = {"X-API-ID": host.api_id, "X-API-KEY": host.api_key.reveal()}
    url = f"{url_of(server)}/api/v1/agents/ws"
    async with ClientSession() as session, session.ws_connect(url, headers=headers) as link:
        for name in ("one", "two"):
            page = "/settings/server-url"
            saved = await post_form(as_admin, page, page, {"server_url": f"https://{name}.example.com"})
            assert saved.status == 303
            script = await (await as_admin.get("/api/v1/hosts/install", headers=headers)).text()
            assert f"https://{name}.example.com" in script
        # An agent that is connected hears nothing of it.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(link.receive(), 0.5)


async def test_another_interval_reaches_connected_agents_at_once(
    as_admin: Browser, server: TestServer, call: Call
) -> None:
    host = await hosts.create(call, NewHost("web-01"))
    headers = {"X-API-ID": host.api_id, "X-API-KEY": host.api_key.reveal()}
    url = f"{url_of(server)}/api/v1/agents/ws"
    async with ClientSession() as session, session.ws_connect(url, headers=headers) as link:
        page = "/settings/agent-config"
        assert (await post_form(as_admin, page, page, {"update_interval": "3"})).status == 400
        await service.change(call, {"timezone": "Europe/Paris"})
        assert (await post_form(as_admin, page, page, {"update_interval": "15"})).status == 303
        async with asyncio.timeout(5):
            while (told := await link.receive_json()).get("type") != "settings_update":
                continue
    assert told == {"type": "settings_update", "update_interval": 15}


@pytest.mark.proves("SET-10", "INV-170")
async def test_the_page_of_the_agents_has_the_switches(as_admin: Browser, call: Call) -> None:
    page = "/settings/agent-config"
    for ticked in (True, False):
        boxes = {"auto_update": "true", "signup_enabled": "true"} if ticked else {}
        assert (await post_form(as_admin, page, page, {"update_interval": "60", **boxes})).status == 303
        now = await service.effective(call)
        assert (now.update_interval, now.auto_update, now.signup_enabled) == (60, ticked, ticked)
        text = await (await as_admin.get(page, headers=HTML)).text()
        assert text.count(" checked") == (2 if ticked else 0)
    refused = await post_form(as_admin, page, page, {"update_interval": "4", "auto_update": "true"})
    text = await refused.text()
    assert (refused.status, text.count(" checked"), 'value="4"' in text) == (400, 1, True)
    assert not (await service.effective(call)).auto_update


@pytest.mark.proves("SET-02", "INV-173")
async def test_a_change_counts_at_the_next_request(as_admin: Browser) -> None:
    asked = {"currentPassword": PASSWORD, "newPassword": "Another-1!"}
    answer = await as_admin.patch("/api/v1/settings", json={"password_min_length": 20})
    assert answer.status == 200
    refused = await as_admin.put("/api/v1/auth/change-password", json=asked)
    assert (refused.status, (await refused.json())["error"]) == (400, "Password does not meet the password policy")
    await as_admin.patch("/api/v1/settings", json={"password_min_length": 8})
    assert (await as_admin.put("/api/v1/auth/change-password", json=asked)).status == 200


@pytest.mark.proves("SET-01")
@pytest.mark.parametrize(
    ("permissions", "page"),
    [
        (("can_view_users", "can_manage_settings"), "/settings/users"),
        (("can_manage_settings",), "/settings/branding"),
        (("can_view_hosts",), "/settings/profile"),
    ],
)
async def test_the_settings_lead_to_the_first_page_one_may_see(
    client: Browser, call: Call, permissions: tuple[str, ...], page: str
) -> None:
    await role_with(call, "tester", *permissions)
    await sign_in(client, (await person(call, "tester")).username)
    answer = await client.get("/settings", headers=HTML, allow_redirects=False)
    assert answer.headers["Location"] == page
    assert (await client.get(page, headers=HTML)).status == 200
