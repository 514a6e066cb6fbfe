"""Enrolling hosts: the order of checks, limits, and what is answered."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from server.core import clock
from server.core.call import Call
from server.web.routing import WORLD
from tests.conftest import Browser
from tests.integrations.conftest import ENROL, TOKENS, Maker, Program, said
from tests.integrations.test_tokens import group

SCRIPT = "/api/v1/auto-enrollment/script"


async def change(token: Program, admin: dict[str, str], **body: Any) -> None:
    answer = await token.client.patch(f"{TOKENS}/{token.id}", json=body, headers=admin)
    assert answer.status == 200, await answer.text()


@pytest.mark.proves(
    "INTG-ENR-02",
    "INV-50",
    "INTG-ENR-06",
    "INTG-ENR-07",
    "INTG-ENR-12",
    "INTG-DIFF-01",
    "INTG-ENR-13",
    "INTG-TOK-07",
    "INTG-TOK-09",
)
async def test_a_host_is_enrolled_and_may_install_at_once(
    client: Browser, call: Call, make: Maker, admin: dict[str, str]
) -> None:
    production = await group(client, admin)
    token = await make(default_host_group_id=production["id"], token_name="Proxmox A")
    body = {
        "friendly_name": "ct-101",
        "machine_id": "proxmox-lxc-101-x",
        "metadata": {"vmid": "101", "proxmox_node": "pve1", "ip_address": "10.0.0.7", "os_info": "Debian 12"},
    }
    answer = await token.enrol(body)
    text = await answer.text()
    told = await answer.json()
    assert answer.status == 201
    assert answer.headers["Cache-Control"] == "no-store"
    host = told["host"]
    assert told == {
        "message": "Host enrolled successfully",
        "host": {
            "id": host["id"],
            "friendly_name": "ct-101",
            "api_id": host["api_id"],
            "api_key": host["api_key"],
            "host_group": {"id": production["id"], "name": "Production", "color": "#10B981"},
            "status": "pending",
        },
    }
    # Scripts without jq read these by pattern, so no blank may stand between.
    assert re.search(r'"api_id":"patchmon_[0-9a-f]{16}","api_key":"[0-9a-f]{64}"', text)
    row = await call.db.one("select status, notes, machine_id, api_key from hosts")
    assert row is not None
    assert (row["status"], row["machine_id"]) == ("pending", "proxmox-lxc-101-x")
    assert re.fullmatch(r"Auto-enrolled via Proxmox A on \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["notes"])
    assert host["api_key"] not in row["api_key"]
    stored = await (await client.get(f"{TOKENS}/{token.id}", headers=admin)).json()
    assert stored["hosts_created_today"] == 1
    assert stored["last_used_at"] is not None
    agent = {"X-API-ID": host["api_id"], "X-API-KEY": host["api_key"]}
    install = await client.get("/api/v1/hosts/install", headers=agent)
    assert (install.status, "BOOTSTRAP_TOKEN=" in await install.text()) == (200, True)
    assert (await client.post("/api/v1/hosts/ping", headers=agent)).status == 200
    made = await call.db.one("select actor_kind, actor_name from audit_log where action = 'hosts.created'")
    assert made == {"actor_kind": "token", "actor_name": "Proxmox A"}


@pytest.mark.proves("INTG-TOK-04", "INTG-TOK-06", "INTG-TOK-08")
async def test_the_checks_and_their_order(client: Browser, call: Call, make: Maker, admin: dict[str, str]) -> None:
    token = await make(max_hosts_per_day=1)
    good = token.headers
    key = {"X-Auto-Enrollment-Key": token.key}
    for headers in ({}, key, {"X-Auto-Enrollment-Secret": token.secret}, {**key, "X-Auto-Enrollment-Secret": ""}):
        answer = await client.post(ENROL, data=b"nonsense", headers=headers)
        assert await said(answer) == (401, {"error": "Auto-enrollment credentials required"})
    unknown = {**good, "X-Auto-Enrollment-Key": "patchmon_ae_" + "0" * 32}
    for headers in (unknown, {**good, "X-Auto-Enrollment-Key": "ü"}, {**good, "X-Auto-Enrollment-Key": "x" * 5000}):
        answer = await client.post(ENROL, data=b"nonsense", headers=headers)
        assert await said(answer) == (401, {"error": "Invalid or inactive token"})
    # Everything is wrong from here on; each time the first thing that is gets told and mended.
    assert (await token.enrol({"friendly_name": "first"})).status == 201
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    await change(token, admin, is_active=False, expires_at=past, allowed_ip_ranges=["10.9.8.7"])
    wrong = {**good, "X-Auto-Enrollment-Secret": "0" * 64}
    answer = await client.post(ENROL, data=b"nonsense", headers=wrong)
    assert await said(answer) == (401, {"error": "Invalid or inactive token"})
    await change(token, admin, is_active=True)
    answer = await client.post(ENROL, data=b"nonsense", headers=wrong)
    assert await said(answer) == (401, {"error": "Invalid token secret"})
    answer = await client.post(ENROL, data=b"nonsense", headers=good)
    assert await said(answer) == (401, {"error": "Token expired"})
    await change(token, admin, expires_at=None)
    answer = await client.post(ENROL, data=b"nonsense", headers=good)
    assert await said(answer) == (403, {"error": "IP address not authorized for this token"})
    await change(token, admin, allowed_ip_ranges=["10.9.8.7", "127.0.0.0/8"])
    answer = await client.post(ENROL, data=b"nonsense", headers=good)
    limit = {"error": "Rate limit exceeded", "message": "Maximum hosts per day allowed for this token"}
    assert await said(answer) == (429, limit)
    assert 0 < int(answer.headers["Retry-After"]) <= 86400
    await change(token, admin, max_hosts_per_day=1000)
    for content in (b"nonsense", b"[]", b'{"friendly_name": 5}'):
        answer = await client.post(ENROL, data=content, headers=good)
        assert await said(answer) == (400, {"error": "Invalid request body"})
    name = "Friendly name is required (max 255 characters)"
    for body in ({}, {"friendly_name": ""}, {"friendly_name": "   "}, {"friendly_name": "x" * 256}):
        status, told = await said(await token.enrol(body))
        assert (status, told["error"]) == (400, name)
        assert told["errors"] == [{"msg": name, "param": "friendly_name", "location": "body"}]
    machine = "Machine ID must be between 1 and 255 characters if provided"
    for machine_id in ("", "x" * 256):
        status, told = await said(await token.enrol({"friendly_name": "x", "machine_id": machine_id}))
        assert (status, told["error"]) == (400, machine)
    assert await call.db.value("select count(*) from hosts") == 1


@pytest.mark.proves("INTG-TOK-12", "INTG-TOK-13")
async def test_each_token_does_one_thing(client: Browser, call: Call, make: Maker) -> None:
    enrolling, api, card = (
        await make(),
        await make("api", scopes={"host": ["get", "delete"]}),
        await make("gethomepage"),
    )
    host = (await (await enrolling.enrol({"friendly_name": "ct-101"})).json())["host"]
    for token in (api, card):
        answer = await token.enrol({"friendly_name": "x"})
        assert await said(answer) == (403, {"error": "Invalid token type"})
    wrong = (401, {"error": "Invalid API key type"})
    for token in (enrolling, card):
        assert await said(await token.get("/api/hosts")) == wrong
        gone = await client.delete(f"/api/v1/api/hosts/{host['id']}", headers=token.basic)
        assert await said(gone) == wrong
    for token in (enrolling, api):
        assert await said(await token.get("/gethomepage/stats")) == wrong
    # What an agent holds opens nothing but its own host.
    agent = {"X-API-ID": host["api_id"], "X-API-KEY": host["api_key"]}
    assert (await client.get("/api/v1/api/hosts", headers=agent)).status == 401
    assert await call.db.value("select count(*) from hosts") == 1


@pytest.mark.proves("INTG-ENR-05")
async def test_the_same_machine_twice_is_two_hosts(call: Call, make: Maker) -> None:
    token = await make()
    for _ in range(2):
        assert (await token.enrol({"friendly_name": "twin", "machine_id": "same"})).status == 201
    assert await call.db.value("select count(*) from hosts where machine_id = 'same'") == 2


@pytest.mark.proves("INTG-RL-03", "INTG-TOK-08")
async def test_the_day_ends_at_the_servers_midnight(client: Browser, make: Maker, admin: dict[str, str]) -> None:
    answer = await client.patch("/api/v1/settings/environment/TZ", json={"value": "Asia/Tokyo"}, headers=admin)
    assert answer.status == 200
    start = datetime.now(UTC)
    # A quarter of an hour before the next midnight in Tokyo (15:00 UTC).
    evening = (start + timedelta(days=1)).replace(hour=14, minute=45, second=0, microsecond=0)
    try:
        clock.set_source(lambda: evening)
        token = await make(max_hosts_per_day=2)
        other = await make(max_hosts_per_day=1)
        for name in ("a", "b"):
            assert (await token.enrol({"friendly_name": name})).status == 201
        full = await token.enrol({"friendly_name": "c"})
        assert (full.status, full.headers["Retry-After"]) == (429, str(15 * 60))
        # Each token counts for itself, although all come from one address.
        assert (await other.enrol({"friendly_name": "d"})).status == 201
        clock.set_source(lambda: evening + timedelta(minutes=14, seconds=59))
        assert (await token.enrol({"friendly_name": "c"})).status == 429
        clock.set_source(lambda: evening + timedelta(minutes=15))
        row = await (await client.get(f"{TOKENS}/{token.id}", headers=admin)).json()
        assert row["hosts_created_today"] == 0
        assert (await token.enrol({"friendly_name": "c"})).status == 201
        row = await (await client.get(f"{TOKENS}/{token.id}", headers=admin)).json()
        assert row["hosts_created_today"] == 1
    finally:
        clock.set_source(None)


async def test_the_limit_holds_for_many_at_once(call: Call, make: Maker) -> None:
    token = await make(max_hosts_per_day=5)
    answers = await asyncio.gather(*(token.enrol({"friendly_name": f"h{n}"}) for n in range(20)))
    assert sorted(answer.status for answer in answers) == [201] * 5 + [429] * 15
    assert await call.db.value("select count(*) from hosts") == 5
    assert await call.db.value("select hosts_created_today from integration_tokens") == 5


@pytest.mark.proves("INTG-ENR-03", "INTG-ENR-15", "INTG-DIFF-03")
async def test_many_hosts_at_once(client: Browser, call: Call, make: Maker, admin: dict[str, str]) -> None:
    production = await group(client, admin)
    token = await make(max_hosts_per_day=5, default_host_group_id=production["id"])

    async def bulk(hosts: Any) -> tuple[int, Any]:
        return await said(await client.post(f"{ENROL}/bulk", json={"hosts": hosts}, headers=token.headers))

    for hosts in ([], [{"friendly_name": "x"}] * 51, None):
        assert await bulk(hosts) == (400, {"error": "Hosts array is required with 1 to 50 hosts"})
    status, told = await bulk(
        [{"friendly_name": "a", "machine_id": "m1"}, {"friendly_name": "b"}, {"friendly_name": "c"}]
    )
    assert (status, told["message"]) == (201, "Bulk enrollment completed: 3 succeeded, 0 failed, 0 skipped")
    assert (told["results"]["failed"], told["results"]["skipped"]) == ([], [])
    assert [set(one) for one in told["results"]["success"]] == [{"id", "friendly_name", "api_id", "api_key"}] * 3
    rows = await call.db.all("select status, notes from hosts")
    assert all(row["status"] == "pending" and row["notes"].startswith("Auto-enrolled via ") for row in rows)
    assert await call.db.value("select count(*) from host_group_members") == 3
    full = await bulk([{"friendly_name": "x"}] * 3)
    assert full == (429, {"error": "Rate limit exceeded", "message": "Only 2 hosts remaining in daily quota"})
    assert await call.db.value("select count(*) from hosts") == 3
    status, told = await bulk([{"machine_id": "nameless"}, {"friendly_name": "d"}])
    assert (status, told["message"]) == (201, "Bulk enrollment completed: 1 succeeded, 1 failed, 0 skipped")
    reason = "Friendly name is required (max 255 characters)"
    assert told["results"]["failed"] == [{"friendly_name": "", "error": reason}]
    assert await call.db.value("select hosts_created_today from integration_tokens") == 4
    assert (await client.post(f"{ENROL}/bulk", json={"hosts": []})).status == 401


@pytest.mark.proves("INTG-ENR-08", "INTG-RL-02")
async def test_enrolling_counts_as_signing_in_does(client: Browser, make: Maker, admin: dict[str, str]) -> None:
    path = "/api/v1/settings/environment/AUTH_RATE_LIMIT_MAX"
    token = await make()
    assert (await client.patch(path, json={"value": "2"}, headers=admin)).status == 200
    statuses = [(await token.enrol({"friendly_name": f"h{n}"})).status for n in range(3)]
    assert statuses == [201, 201, 429]
    answer = await client.get(SCRIPT)
    assert await said(answer) == (429, {"message": "Too many requests. Try again later."})


@pytest.mark.proves("INTG-TOK-04")
@pytest.mark.parametrize(
    ("ranges", "address", "allowed"),
    [
        (["10.0.0.0/24"], "::ffff:10.0.0.5", True),
        (["10.0.0.0/24"], "10.0.0.5", True),
        (["10.0.0.0/24"], "10.0.1.5", False),
        (["10.0.0.5"], "10.0.0.5", True),
        (["::ffff:10.0.0.0/120"], "10.0.0.5", True),
        (["2001:db8::/32"], "2001:db8::7", True),
        (["2001:db8::/32"], "10.0.0.5", False),
        ([], "203.0.113.9", True),
    ],
)
async def test_the_address_is_what_trusted_proxies_say(
    server: TestServer, make: Maker, ranges: list[str], address: str, allowed: bool
) -> None:
    token = await make(allowed_ip_ranges=ranges)
    headers = {**token.headers, "X-Forwarded-For": address}
    world = server.app[WORLD]
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as proxy:
        if ranges:
            ignored = await proxy.post(ENROL, json={"friendly_name": "x"}, headers=headers)
            assert ignored.status == 403
        object.__setattr__(world, "env", replace(world.env, trust_proxy="true"))
        answer = await proxy.post(ENROL, json={"friendly_name": "x"}, headers=headers)
        assert answer.status == (201 if allowed else 403)


async def test_a_token_without_a_fast_verifier_gets_one(call: Call, make: Maker) -> None:
    token = await make()
    await call.db.execute("update integration_tokens set secret_verifier = null")
    wrong = Program(token.client, token.id, token.key, "0" * 64)
    assert (await wrong.enrol({"friendly_name": "x"})).status == 401
    assert await call.db.value("select secret_verifier is null from integration_tokens")
    assert (await token.enrol({"friendly_name": "x"})).status == 201
    assert await call.db.value("select secret_verifier is not null from integration_tokens")
    assert (await token.enrol({"friendly_name": "y"})).status == 201
    assert (await wrong.enrol({"friendly_name": "z"})).status == 401


async def test_the_server_says_so_when_it_cannot_store(call: Call, make: Maker) -> None:
    token = await make()
    await call.db.execute("alter table hosts rename to elsewhere")
    assert await said(await token.enrol({"friendly_name": "x"})) == (500, {"error": "Failed to enroll host"})
    assert await call.db.value("select hosts_created_today from integration_tokens") == 0
