"""Check-ins, as the contract words them."""

import asyncio
from typing import Any

import pytest

from server.core.call import Call
from tests.factories.hosts import Agent, Browser, added, enrolled, full_report, package


async def test_an_empty_body_is_a_heartbeat(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    answer = await agent.ping()
    assert answer.status == 200
    assert answer.content_type == "application/json"
    body = await answer.json()
    assert body.pop("timestamp").endswith("Z")
    assert body == {
        "message": "Ping successful",
        "friendlyName": "web-01",
        "agentStartup": True,
        "hashGate": True,
        "integrations": {"docker": False, "compliance": False},
    }
    row = await call.db.one("select status, last_update from hosts")
    assert row is not None
    assert row["status"] == "active"
    assert row["last_update"] is not None
    activity = await call.db.one("select kind, sections_sent, sections_unchanged from host_activity")
    assert activity == {"kind": "ping", "sections_sent": [], "sections_unchanged": []}


async def test_a_chunked_empty_body_is_a_heartbeat_too(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)

    async def nothing() -> Any:
        for _ in range(0):
            yield b""

    answer = await client.post("/api/v1/hosts/ping", headers=agent.headers, data=nothing())
    assert answer.status == 200
    assert "requestFull" not in await answer.json()


async def test_a_new_host_is_asked_for_every_section(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    answer = await agent.ping({"hashes": {"packagesHash": "aa"}, "metrics": {}})
    assert (await answer.json())["requestFull"] == ["packages", "repos", "interfaces", "hostname"]


async def test_switched_on_integrations_are_asked_for(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client, docker_enabled=True, compliance_enabled=True)
    body = await (await agent.ping({"hashes": {}, "metrics": {}})).json()
    assert body["requestFull"] == ["packages", "repos", "interfaces", "hostname", "docker", "compliance"]
    assert body["integrations"] == {"docker": True, "compliance": True}


async def test_after_a_report_only_what_changed_is_asked_for(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    report = full_report([package("bash")])
    assert (await agent.update(report)).status == 200
    unchanged = await (await agent.ping({"hashes": report["hashes"], "metrics": {}})).json()
    assert "requestFull" not in unchanged
    changed = {**report["hashes"], "reposHash": "0" * 64}
    asked = await (await agent.ping({"hashes": changed, "metrics": {}})).json()
    assert asked["requestFull"] == ["repos"]
    row = await call.db.one("select sections_sent, sections_unchanged from host_activity order by id desc limit 1")
    assert row == {"sections_sent": ["metrics"], "sections_unchanged": ["packages", "interfaces", "hostname"]}


async def test_metrics_are_stored_and_absent_ones_left_alone(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("bash")]))
    metrics = {
        "cpuCores": 8,
        "ramInstalled": 15.5,
        "systemUptime": "3 hours, 5 minutes",
        "loadAverage": [1, 2.5, 3],
        "bootTime": "2026-03-01T00:00:00+02:00",
        "diskDetails": [{"name": "/dev/sdb", "size": "1GB", "mountpoint": "/data"}],
        "needsReboot": False,
    }
    await agent.ping({"metrics": metrics, "agentVersion": "3.1.0", "agentExecutionMs": 7})
    row = await call.db.one(
        """
        select cpu_cores, cpu_model, ram_installed, swap_size, system_uptime, load_average, disk_details, agent_version,
               needs_reboot, reboot_reason, boot_time::text
          from hosts
        """
    )
    assert row == {
        "cpu_cores": 8,
        "cpu_model": "AMD EPYC 7402P",
        "ram_installed": 15.5,
        "swap_size": 1.0,
        "system_uptime": "3 hours, 5 minutes",
        "load_average": [1.0, 2.5, 3.0],
        "disk_details": [{"name": "/dev/sdb", "size": "1GB", "mountpoint": "/data", "used": "", "available": ""}],
        "agent_version": "3.1.0",
        "needs_reboot": False,
        "reboot_reason": "",
        "boot_time": "2026-02-28 22:00:00+00",
    }


async def test_a_reboot_without_a_reason_keeps_the_reason(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.ping({"metrics": {"needsReboot": True, "rebootReason": "kernel"}})
    await agent.ping({"metrics": {"needsReboot": True}})
    assert await call.db.value("select reboot_reason from hosts") == "kernel"
    await agent.ping({"metrics": {}})
    assert await call.db.value("select needs_reboot from hosts") is True


async def test_what_was_left_half_done_stays_known_until_the_host_takes_it_back(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    known = "select unfinished_packages from hosts"
    await agent.ping({"metrics": {"unfinishedPackages": ["nginx", "x" * 999]}})
    assert await call.db.value(known) == ["nginx", "x" * 200]
    # Existing agents never say anything about it.
    await agent.ping({"metrics": {"needsReboot": False}})
    assert len(await call.db.value(known)) == 2
    await agent.ping({"metrics": {"unfinishedPackages": []}})
    assert await call.db.value(known) == []


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        b"[]",
        b'"text"',
        b'{"metrics": {"cpuCores": 4.5}}',
        b'{"metrics": {"cpuCores": 1e3}}',
        b'{"metrics": {"cpuCores": "4"}}',
        b'{"metrics": {"ramInstalled": NaN}}',
        b'{"agentVersion": 3}',
        b'{"hashes": "text"}',
        b"[" * 100_000,
        b" " * 9000,
        b'{"agentVersion": "' + b"x" * 8200 + b'"}',
    ],
)
async def test_a_body_that_is_no_check_in_is_refused(client: Browser, call: Call, body: bytes) -> None:
    agent = await enrolled(call, client)
    answer = await client.post("/api/v1/hosts/ping", headers=agent.headers, data=body)
    assert answer.status == 400
    assert await answer.json() == {"error": "Invalid request body"}
    row = await call.db.one("select kind, error from host_activity")
    assert row == {"kind": "error", "error": "Invalid request body"}
    assert await call.db.value("select status from hosts") == "pending"


@pytest.mark.parametrize(
    "body",
    [
        b'{"METRICS": {"CPUCORES": 4}}',
        b'{"metrics": {"cpuCores": 4}} trailing',
        b'{"metrics": {"cpuCores": 4, "cpuModel": null, "diskDetails": null}, "hashes": null, "new": {"a": [1]}}',
        b'{"metrics": {"cpuCores": 4, "cpuModel": "\\ud800"}}',
        b'{"metrics": {"cpuCores": 4, "cpuModel": "\xff"}}',
        b'{"metrics": {"cpuCores": 4, "cpuModel": "a\\u0000b"}}',
    ],
)
async def test_odd_but_known_forms_are_understood(client: Browser, call: Call, body: bytes) -> None:
    agent = await enrolled(call, client)
    answer = await client.post("/api/v1/hosts/ping", headers=agent.headers, data=body)
    assert answer.status == 200, await answer.text()
    assert await call.db.value("select cpu_cores from hosts") == 4
    assert await call.db.value("select cpu_model from hosts") in {"", "\ufffd", "ab"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("door", ["ping", "update"])
async def test_other_methods_are_refused_before_the_credentials(client: Browser, method: str, door: str) -> None:
    answer = await client.request(method, f"/api/v1/hosts/{door}")
    assert answer.status == 405
    assert await answer.json() == {"error": "Method not allowed"}


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "API credentials required"),
        ({"X-API-ID": "patchmon_0123456789abcdef"}, "API credentials required"),
        ({"X-API-ID": "", "X-API-KEY": "x"}, "API credentials required"),
        ({"X-API-ID": "patchmon_0123456789abcdef", "X-API-KEY": "x"}, "Invalid API credentials"),
        ({"X-API-ID": "x" * 5000, "X-API-KEY": "x"}, "Invalid API credentials"),
        ({"X-API-ID": "\u00fc", "X-API-KEY": "\u00fc"}, "Invalid API credentials"),
    ],
)
@pytest.mark.parametrize("door", ["ping", "update", "integration-status"])
async def test_without_credentials_nothing_is_taken(
    client: Browser, headers: dict[str, str], text: str, door: str
) -> None:
    answer = await client.post(f"/api/v1/hosts/{door}", headers=headers)
    assert answer.status == 401
    assert await answer.json() == {"error": text}


@pytest.mark.proves("INV-103")
async def test_a_wrong_key_is_refused(client: Browser, call: Call) -> None:
    made = await added(call)
    answer = await Agent(client, made.api_id, "0" * 64).ping()
    assert answer.status == 401
    assert await answer.json() == {"error": "Invalid API credentials"}


async def test_many_at_once_are_all_stored(client: Browser, call: Call) -> None:
    agents = [await enrolled(call, client, f"web-{number:02}") for number in range(12)]
    beat = {"metrics": {"cpuCores": 2}}
    answers = await asyncio.gather(*(agent.ping(beat) for agent in agents for _ in range(4)))
    assert [answer.status for answer in answers] == [200] * 48
    assert await call.db.value("select count(*) from hosts where status = 'active' and cpu_cores = 2") == 12
    assert await call.db.value("select count(*) from host_activity") == 48


async def test_a_database_that_does_not_answer_is_said_so(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await call.db.execute("alter table hosts rename column api_key to hidden")
    answer = await agent.ping()
    assert answer.status == 500
    assert await answer.json() == {"error": "Failed to look up host: database error"}
    await call.db.execute("alter table hosts rename column hidden to api_key")
    await call.db.execute("alter table host_activity rename to hidden")
    answer = await agent.ping()
    assert answer.status == 500
    assert await answer.json() == {"error": "Ping failed"}
