"""Administration of tokens: its answers name by name, and who may ask."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from server.core import passwords
from server.core.call import Call
from tests.conftest import Browser
from tests.factories.people import bearer, person, token_of
from tests.integrations.conftest import TOKENS, Maker, said

GROUP = "/api/v1/host-groups"


async def group(client: Browser, admin: dict[str, str], name: str = "Production") -> dict[str, Any]:
    answer = await client.post(GROUP, json={"name": name, "color": "#10B981"}, headers=admin)
    made: dict[str, Any] = await answer.json()
    assert answer.status == 201, made
    return made


@pytest.mark.proves(
    "INTG-TOK-02", "INTG-TOK-03", "INTG-TOK-05", "INTG-TOK-09", "INTG-TOK-10", "INTG-ADM-01", "INTG-DIFF-02"
)
async def test_a_new_token_as_the_contract_has_it(client: Browser, call: Call) -> None:
    owner = await person(call, "admin", "ops")
    headers = {"Authorization": f"Bearer {await token_of(call, owner)}"}
    production = await group(client, headers)
    answer = await client.post(
        TOKENS,
        json={
            "token_name": "Proxmox production",
            "max_hosts_per_day": 50,
            "default_host_group_id": production["id"],
            "allowed_ip_ranges": ["10.0.0.10", "10.1.0.0/24"],
            "expires_at": "2030-12-31T23:59:59Z",
            "metadata": {"integration_type": "proxmox-lxc", "environment": "production"},
        },
        headers=headers,
    )
    body = await answer.json()
    assert answer.status == 201
    assert answer.headers["Cache-Control"] == "no-store"
    token = body.pop("token")
    assert body == {
        "message": "Auto-enrollment token created successfully",
        "warning": "Save the token_secret now - it cannot be retrieved later!",
    }
    assert re.fullmatch(r"patchmon_ae_[0-9a-f]{32}", token["token_key"])
    assert re.fullmatch(r"[0-9a-f]{64}", token["token_secret"])
    assert {name: value for name, value in token.items() if name not in {"id", "token_key", "token_secret"}} == {
        "token_name": "Proxmox production",
        "max_hosts_per_day": 50,
        "default_host_group": {"id": production["id"], "name": "Production", "color": "#10B981"},
        "created_by": {"id": owner.id, "username": "ops", "first_name": "Ops", "last_name": "Example"},
        "expires_at": "2030-12-31T23:59:59Z",
        "scopes": None,
    }
    stored = await call.db.one("select token_secret from integration_tokens")
    assert stored is not None
    assert stored["token_secret"].startswith("$2b$10$")
    assert await passwords.matches(token["token_secret"], stored["token_secret"])
    everywhere = str(await call.db.all("select * from integration_tokens")) + str(
        await call.db.all("select * from audit_log")
    )
    assert token["token_secret"] not in everywhere


@pytest.mark.proves("INTG-TOK-01", "INTG-ADM-02", "INTG-ADM-03", "INTG-ENR-11")
async def test_tokens_are_listed_newest_first_without_secrets(
    client: Browser, call: Call, make: Maker, admin: dict[str, str]
) -> None:
    first = await make(metadata={"integration_type": "direct-host", "environment": "lab"})
    second = await make("api", token_name="inventory")
    third = await make("gethomepage")
    answer = await client.get(TOKENS, headers=admin)
    rows = await answer.json()
    assert answer.status == 200
    assert [row["id"] for row in rows] == [third.id, second.id, first.id]
    assert first.secret not in str(rows)
    owner = await call.db.one("select id, username, first_name, last_name from users")
    created_at = rows[1].pop("created_at")
    assert datetime.fromisoformat(created_at) <= datetime.now(UTC)
    expected = {
        "id": second.id,
        "token_name": "inventory",
        "token_key": second.key,
        "is_active": True,
        "allowed_ip_ranges": [],
        "max_hosts_per_day": 100,
        "hosts_created_today": 0,
        "last_used_at": None,
        "expires_at": None,
        "default_host_group_id": None,
        "metadata": {"integration_type": "api"},
        "scopes": {"host": ["get"]},
        "host_groups": None,
        "users": owner,
    }
    assert rows[1] == expected
    assert rows[2]["metadata"] == {"integration_type": "direct-host", "environment": "lab"}
    one = await client.get(f"{TOKENS}/{second.id}", headers=admin)
    assert await said(one) == (200, {**expected, "created_at": created_at})
    for unknown in ("00000000-0000-4000-8000-000000000000", "nonsense"):
        answer = await client.get(f"{TOKENS}/{unknown}", headers=admin)
        assert await said(answer) == (404, {"error": "Token not found"})


@pytest.mark.proves("INTG-TOK-06", "INTG-ADM-04")
async def test_a_token_is_changed_field_by_field(
    client: Browser, call: Call, make: Maker, admin: dict[str, str]
) -> None:
    production = await group(client, admin)
    token = await make(default_host_group_id=production["id"])
    before = await (await client.get(f"{TOKENS}/{token.id}", headers=admin)).json()
    change = {"is_active": False, "max_hosts_per_day": 5, "expires_at": "2031-01-01T00:00", "token_name": "other"}
    answer = await client.patch(f"{TOKENS}/{token.id}", json=change, headers=admin)
    status, body = await said(answer)
    assert (status, body["message"]) == (200, "Token updated successfully")
    assert body["token"] == {**before, **change, "expires_at": "2031-01-01T00:00:00Z"}
    assert body["token"]["host_groups"]["name"] == "Production"
    answer = await client.patch(f"{TOKENS}/{token.id}", json={"default_host_group_id": ""}, headers=admin)
    cleared = (await answer.json())["token"]
    assert (cleared["default_host_group_id"], cleared["host_groups"], cleared["max_hosts_per_day"]) == (None, None, 5)
    answer = await client.patch(f"{TOKENS}/{token.id}", json={"ALLOWED_IP_RANGES": ["10.0.0.0/8"]}, headers=admin)
    assert (await answer.json())["token"]["allowed_ip_ranges"] == ["10.0.0.0/8"]
    said_ = await call.db.value("select detail from audit_log where action = 'integrations.token_changed' limit 1")
    assert (said_["before"]["max_hosts_per_day"], said_["after"]["max_hosts_per_day"]) == (100, 5)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"token_name": ""}, "Token name must be between 1 and 255 characters"),
        ({"token_name": "x" * 256}, "Token name must be between 1 and 255 characters"),
        ({"max_hosts_per_day": 0}, "Max hosts per day must be between 1 and 1000"),
        ({"max_hosts_per_day": 1001}, "Max hosts per day must be between 1 and 1000"),
        ({"default_host_group_id": "00000000-0000-4000-8000-000000000000"}, "Host group not found"),
        ({"default_host_group_id": "Production"}, "Host group not found"),
        ({"scopes": {"host": ["get"]}}, "Scopes can only be updated for API integration tokens"),
        ({"is_active": "perhaps"}, "Invalid request body"),
        ({"allowed_ip_ranges": ["10.0.0.0/33"]}, "Not an IP address or a network: 10.0.0.0/33"),
    ],
)
@pytest.mark.proves("INTG-ADM-04")
async def test_a_wrong_change_is_refused(
    client: Browser, make: Maker, admin: dict[str, str], change: dict[str, Any], text: str
) -> None:
    token = await make()
    before = await (await client.get(f"{TOKENS}/{token.id}", headers=admin)).json()
    status, body = await said(await client.patch(f"{TOKENS}/{token.id}", json=change, headers=admin))
    assert (status, body["error"]) == (400, text)
    assert await (await client.get(f"{TOKENS}/{token.id}", headers=admin)).json() == before


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        ({"token_name": ""}, "token_name", "Token name is required (max 255 characters)"),
        ({}, "token_name", "Token name is required (max 255 characters)"),
        ({"token_name": "x" * 256}, "token_name", "Token name is required (max 255 characters)"),
        ({"max_hosts_per_day": 0}, "max_hosts_per_day", "Max hosts per day must be between 1 and 1000"),
        ({"max_hosts_per_day": 1001}, "max_hosts_per_day", "Max hosts per day must be between 1 and 1000"),
        (
            {"default_host_group_id": "00000000-0000-4000-8000-000000000000"},
            "default_host_group_id",
            "Host group not found",
        ),
        ({"expires_at": "tomorrow"}, "expires_at", "Expiration date must be a date in ISO 8601"),
        ({"allowed_ip_ranges": ["nonsense"]}, "allowed_ip_ranges", "Not an IP address or a network: nonsense"),
        ({"api": None}, "scopes", "At least one scope is required for API tokens"),
        ({"api": {}}, "scopes", "At least one scope is required for API tokens"),
        ({"api": {"host": []}}, "scopes", "At least one scope is required for API tokens"),
        ({"api": ["host"]}, "scopes", "Scopes must be an object"),
        ({"api": {"host": "get"}}, "scopes", 'Scopes for resource "host" must be an array of actions'),
        ({"api": {"host": [1]}}, "scopes", "All actions in scopes must be strings"),
    ],
)
@pytest.mark.proves("INTG-AUTH-04")
async def test_a_wrong_token_is_refused_with_its_field(
    client: Browser, call: Call, admin: dict[str, str], body: dict[str, Any], field: str, text: str
) -> None:
    told: dict[str, Any] = {"token_name": "x", **body} if body else {}
    if "api" in told:
        told |= {"scopes": told.pop("api"), "metadata": {"integration_type": "api"}}
    answer = await client.post(TOKENS, json=told, headers=admin)
    assert await said(answer) == (
        400,
        {"error": text, "errors": [{"msg": text, "param": field, "location": "body"}]},
    )
    assert await call.db.value("select count(*) from integration_tokens") == 0


async def test_a_body_that_is_none_is_refused(client: Browser, admin: dict[str, str]) -> None:
    hostile = b'{"token_name": "x", "metadata": {"a": "\\u0000"}}'
    for content in (
        b"",
        b"{",
        b"[]",
        b'"x"',
        b'{"token_name": 5}',
        hostile,
        b'{"token_name":"x","metadata":' + b"[" * 9999,
    ):
        answer = await client.post(TOKENS, data=content, headers={**admin, "Content-Type": "application/json"})
        assert await said(answer) == (400, {"error": "Invalid request body"}), content


@pytest.mark.proves("INTG-ADM-05", "INTG-TOK-11", "INTG-TOK-16")
async def test_deleting_a_token_leaves_its_hosts(
    client: Browser, call: Call, make: Maker, admin: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    token = await make(token_name="gone soon")
    host = (await (await token.enrol({"friendly_name": "ct-101"})).json())["host"]
    agent = {"X-API-ID": host["api_id"], "X-API-KEY": host["api_key"]}
    await client.patch(f"{TOKENS}/{token.id}", json={"is_active": False}, headers=admin)
    assert (await client.post("/api/v1/hosts/ping", headers=agent)).status == 200
    answer = await client.delete(f"{TOKENS}/{token.id}", headers=admin)
    assert await said(answer) == (
        200,
        {
            "message": "Auto-enrollment token deleted successfully",
            "deleted_token": {"id": token.id, "token_name": "gone soon"},
        },
    )
    assert (await client.post("/api/v1/hosts/ping", headers=agent)).status == 200
    assert (await token.enrol({"friendly_name": "ct-102"})).status == 401
    again = await client.delete(f"{TOKENS}/{token.id}", headers=admin)
    assert await said(again) == (404, {"error": "Token not found"})
    actions = await call.db.column("select action from audit_log where subject_kind = 'integration_token' order by id")
    assert actions == ["integrations.token_created", "integrations.token_changed", "integrations.token_deleted"]
    # What an operator greps for.
    log = "".join(capfd.readouterr())
    assert "integration_token_created" in log
    assert "integration_token_deleted" in log
    assert token.secret not in log


@pytest.mark.proves("INTG-TOK-14")
async def test_only_who_manages_settings_sees_tokens(client: Browser, call: Call, make: Maker) -> None:
    token = await make()
    doors = (("GET", TOKENS), ("POST", TOKENS), *((method, f"{TOKENS}/{token.id}") for method in ("GET", "DELETE")))
    for method, path in (*doors, ("PATCH", f"{TOKENS}/{token.id}")):
        answer = await client.request(method, path, json={})
        assert answer.status == 401, (method, path)
        refused = await client.request(method, path, json={}, headers=await bearer(call, "host_manager"))
        assert (refused.status, (await refused.json())["error"]) == (403, "Insufficient permissions"), (method, path)
    assert await call.db.value("select count(*) from integration_tokens") == 1


async def test_who_is_limited_to_groups_hands_out_no_keys_to_the_fleet(client: Browser, call: Call) -> None:
    await call.db.execute(
        """
        insert into role_permissions (role, permissions, limited_to_groups)
        values ('few', '{can_manage_settings}', true)
        """
    )
    limited = await bearer(call, "few")
    answer = await client.post(TOKENS, json={"token_name": "x"}, headers=limited)
    assert answer.status == 403
    assert (await client.get(TOKENS, headers=limited)).status == 403


@pytest.mark.proves("INTG-TOK-05")
async def test_a_date_without_a_zone_is_the_servers(client: Browser, make: Maker, admin: dict[str, str]) -> None:
    answer = await client.patch("/api/v1/settings/environment/TZ", json={"value": "Europe/Berlin"}, headers=admin)
    assert answer.status == 200, await answer.text()
    token = await make(expires_at="2030-07-01T12:00:00")
    row = await (await client.get(f"{TOKENS}/{token.id}", headers=admin)).json()
    assert row["expires_at"] == "2030-07-01T10:00:00Z"
