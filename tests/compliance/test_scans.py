"""The life of scans as programs and existing agents see it, through the front door."""

import asyncio
from typing import Any

import pytest

from server.compliance.events import ComplianceScanCompleted, ComplianceScanFailed
from server.core.call import Call
from tests.factories.compliance import Compliance, confirm, decided, hand_in, result, scan
from tests.stand_ins.existing_agent import Enrol


async def news(bell: Any, wanted: int = 1, seconds: float = 5) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    async with asyncio.timeout(seconds):
        while len(heard) < wanted:
            heard += await bell.ring(within=1)
    return heard


@pytest.mark.proves("COMP-51", "COMP-54", "COMP-55", "COMP-60", "COMP-107", "COMP-109", "COMP-165", "COMP-185")
async def test_a_scan_from_trigger_to_message(api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol("web-01")
    await agent.connect()
    made = await api.trigger(host)
    assert made["message"] == "Compliance scan triggered"
    assert made["jobId"]
    command = await agent.until(lambda body: body["type"] == "compliance_scan")
    assert (command["profile_type"], command["profile_id"], command["enable_remediation"]) == (
        "openscap", "level1_server", False,
    )  # fmt: skip
    assert (await api.get("scans/active"))["count"] == 0, "it has not confirmed yet"
    await api.trigger(host, status=409)
    await confirm(agent)
    (running,) = await api.running()
    assert (running["host_id"], running["host_name"], running["profile_type"], running["connected"]) == (
        host, "web-01", "openscap", True,
    )  # fmt: skip
    async with call.world.bus.following(ComplianceScanCompleted.name) as bell:
        answer = await hand_in(agent, scan(*decided(6, 2)))
        (heard,) = await news(bell)
    assert answer["message"] == "Scan results saved successfully"
    assert (answer["scans_received"], answer["scans"][0]["results_stored"], answer["scans"][0]["score"]) == (1, 8, 75.0)
    assert (heard["title"], heard["severity"]) == ("Compliance Scan - web-01 - 2 Failed Rules", "warning")
    assert (heard["failed"], heard["passed"], heard["total"], heard["host"]) == (2, 6, 8, host)
    assert (await api.get("scans/active"))["count"] == 0
    (done,) = await api.history()
    assert (done["status"], done["origin"], done["total_rules"], done["failed"], done["score"]) == (
        "completed", "manual", 8, 2, 75.0,
    )  # fmt: skip
    summary = (await api.get("dashboard"))["summary"]
    assert (summary["total_hosts"], summary["hosts_warning"], summary["unscanned"]) == (1, 1, 0)
    job = await call.db.value("select status from job_hosts")
    assert job == "succeeded"
    await api.trigger(host)


@pytest.mark.proves("COMP-10", "COMP-108", "COMP-166")
async def test_each_scanner_counts_for_itself(api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol("web-01", bench=True)
    async with call.world.bus.following(ComplianceScanFailed.name) as bell:
        await hand_in(
            agent, scan(*decided(2, 0)), scan(kind="docker-bench", status="failed", error="no docker here"),
        )  # fmt: skip
        (heard,) = await news(bell)
    assert (heard["profile_type"], heard["error"], heard["host"]) == ("docker-bench", "no docker here", host)
    assert {(one["profile_type"], one["status"], one["error_message"]) for one in await api.history()} == {
        ("openscap", "completed", None), ("docker-bench", "failed", "no docker here"),
    }  # fmt: skip
    await call.db.execute("update hosts set compliance_docker_bench_enabled = false")
    off = scan(result("bench", "warn"), kind="docker-bench")
    assert (await hand_in(agent, off, status=403))["error"]
    answer = await hand_in(agent, off, scan(*decided(1, 0)))
    assert (answer["rejected"], len(answer["scans"])) == (["docker-bench"], 1)
    assert len(await api.history()) == 3


@pytest.mark.proves("COMP-105", "COMP-106")
async def test_ten_a_minute_and_none_without_a_key(enrol: Enrol) -> None:
    agent, _ = await enrol("web-01")
    other, _ = await enrol("web-02")
    for number in range(10):
        await hand_in(agent, scan(*decided(number, 1)))
    await hand_in(agent, scan(*decided(1, 1)), status=429)
    await hand_in(other, scan(*decided(1, 1)))
    for headers in ({}, {**other.headers, "X-API-KEY": "0" * 64}):
        assert (await other.ask("POST", "/compliance/scans", {"scans": []}, headers=headers))[0] == 401


@pytest.mark.proves("COMP-57", "COMP-91", "COMP-92", "COMP-181")
async def test_many_at_once_and_none_stops_another(api: Compliance, enrol: Enrol) -> None:
    agent, host = await enrol("old-01")
    _, off = await enrol("old-02", "disabled")
    await api.trigger(off, status=400)
    await api.trigger("00000000-0000-4000-8000-000000000000", status=404)
    await api.post("trigger/bulk", {"hostIds": []}, status=400)
    unknown = "00000000-0000-4000-8000-000000000000"
    answer = await api.post("trigger/bulk", {"hostIds": [host, unknown, off], "profile_type": "all"})
    assert (answer["total"], answer["succeeded"], answer["failed"]) == (3, 1, 2)
    told = {one["hostId"]: one for one in answer["results"]}
    assert told[host]["jobId"]
    assert told[unknown]["error"] == "Host not found"
    assert (told[off]["hostName"], told[off]["error"]) == ("old-02", "Compliance is disabled for this host")
    await agent.connect()
    await agent.until(lambda body: body["type"] == "compliance_scan")


@pytest.mark.proves("AGENT-WS-05", "COMP-20", "COMP-53", "COMP-173", "COMP-180")
async def test_profiles_and_remediation_reach_the_agent(api: Compliance, enrol: Enrol) -> None:
    agent, host = await enrol(bench=True)
    await agent.connect()
    await api.ask("POST", f"/hosts/{host}/integrations/compliance/default-profile", {"profile_id": "level2_server"})
    await api.trigger(host)
    told = await agent.until(lambda body: body["type"] == "compliance_scan")
    await api.ask("POST", f"/hosts/{host}/integrations/compliance/request-status")
    await agent.until(lambda body: body["type"] == "refresh_integration_status")
    assert (told["profile_type"], told["profile_id"], told["openscap_enabled"], told["docker_bench_enabled"]) == (
        "all", "level2_server", True, True,
    )  # fmt: skip
    await confirm(agent)
    assert {one["profile_type"] for one in await api.running(2)} == {"openscap", "docker-bench"}
    await hand_in(agent, scan(*decided(1, 0)))
    assert [one["profile_type"] for one in await api.history()] == ["openscap"], "the other scanner never ran"
    agent.heard.clear()
    await api.trigger(host, profile_type="openscap", profile_id="bad profile!", status=400)
    await api.trigger(
        host, profile_type="openscap", profile_id="xccdf_org.example_profile_cis", enable_remediation=True
    )
    told = await agent.until(lambda body: body["type"] == "compliance_scan")
    assert (told["profile_type"], told["profile_id"], told["enable_remediation"]) == (
        "openscap", "xccdf_org.example_profile_cis", True,
    )  # fmt: skip
    await confirm(agent)
    await api.running()
    await hand_in(agent, scan(*decided(3, 0), remediation_applied=True, remediation_count=2))
    newest = (await api.history())[0]
    assert (newest["remediation_applied"], newest["remediation_count"]) == (True, 2)


@pytest.mark.proves("COMP-161", "COMP-162", "COMP-163")
async def test_the_whole_history_page_by_page(api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol("a")
    other, _ = await enrol("b")
    for number in range(9):
        await hand_in(agent, scan(*decided(number, 1)))
        await hand_in(other, scan(status="failed", error=f"error {number}"))
    await call.db.execute(
        """
        insert into compliance_scans (host_id, kind, status, origin, profile_name, created_at, started_at, completed_at)
        select s.host_id, s.kind, 'completed', 'agent', 'older', s.created_at, s.started_at - interval '1 day',
               s.started_at - interval '1 day' + interval '90 seconds'
          from compliance_scans s order by s.id limit 8
        """
    )
    first = await api.get("scans/history")
    assert (len(first["scans"]), first["pagination"]["total"], first["pagination"]["totalPages"]) == (25, 26, 2)
    times = [one["started_at"] for one in first["scans"]]
    assert times == sorted(times, reverse=True)
    rest = await api.get("scans/history?page=2")
    assert len({one["id"] for one in first["scans"] + rest["scans"]}) == 26
    assert rest["scans"][0]["duration_seconds"] == 90
    failed = await api.history(f"?status=failed&host_id={host}")
    assert failed == []
    assert len(await api.history(f"?status=completed&host_id={host}&limit=100")) == 13
    assert len(await api.history("?status=failed&profile_type=openscap")) == 9
    await call.db.execute("delete from hosts where uuid = %(host)s", host=host)
    assert await call.db.value("select count(*) from compliance_scans s join hosts h on h.id = s.host_id") == 13
    assert len(await api.history("?limit=100")) == 13
