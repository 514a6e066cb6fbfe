"""The life of scans as programs, people and existing agents see it, through the front door."""

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


@pytest.mark.proves("COMP-75", "COMP-76", "COMP-78", "COMP-79")
async def test_a_cancelled_scan_never_reaches_its_host(api: Compliance, enrol: Enrol) -> None:
    agent, host = await enrol()
    assert (await api.post(f"cancel/{host}"))["message"] == "Scan cancel sent"
    assert (await api.trigger(host))["queued_offline"] is True
    await api.post(f"cancel/{host}")
    await agent.connect()
    await asyncio.sleep(1)
    assert [one["type"] for one in agent.heard if one["type"] == "compliance_scan"] == []
    assert await api.history() == []
    await api.trigger(host)
    await agent.until(lambda body: body["type"] == "compliance_scan")
    await confirm(agent)
    await api.running()
    await agent.drop()
    await asyncio.sleep(1.5)
    await api.post(f"cancel/{host}")
    assert [one["status"] for one in await api.history()] == ["cancelled"]


@pytest.mark.proves("COMP-60", "COMP-77")
async def test_what_comes_after_a_cancellation_is_kept_as_a_part(api: Compliance, enrol: Enrol) -> None:
    agent, host = await enrol()
    await agent.connect()
    await api.trigger(host)
    await agent.until(lambda body: body["type"] == "compliance_scan")
    await confirm(agent)
    await api.running()
    await api.post(f"cancel/{host}")
    await agent.until(lambda body: body["type"] == "compliance_scan_cancel")
    await hand_in(agent, scan(*decided(3, 1), status="cancelled"))
    (done,) = await api.history()
    assert (done["status"], done["total_rules"]) == ("cancelled", 4)
    assert len((await api.get(f"results/{done['id']}"))["results"]) == 4
    assert (await api.get("dashboard"))["summary"]["total_hosts"] == 0
