"""Scans that are taken back, and those that never end by themselves."""

import asyncio

import pytest

from server.core.call import Call
from tests.factories.compliance import Compliance, confirm, decided, hand_in, scan
from tests.stand_ins.existing_agent import Enrol


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


@pytest.mark.proves("AGENT-WS-05", "COMP-60", "COMP-77")
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


@pytest.mark.proves("COMP-60", "COMP-115", "COMP-116", "COMP-117")
async def test_only_what_runs_for_three_hours_is_ended(api: Compliance, enrol: Enrol, call: Call) -> None:
    ages = {"old-01": "3 hours 1 minute", "old-02": "2 hours 59 minutes"}
    for name in ages:
        agent, host = await enrol(name)
        await agent.connect()
        await api.trigger(host)
        await agent.until(lambda body: body["type"] == "compliance_scan")
        await confirm(agent)
    await api.running(2)
    for name, age in ages.items():
        await call.db.execute(
            """
            update compliance_scans s set started_at = now() - %(age)s::interval
              from hosts h where h.id = s.host_id and h.friendly_name = %(name)s
            """,
            name=name,
            age=age,
        )
    assert [one["host_name"] for one in (await api.get("scans/stalled"))["stalledScans"]] == ["old-01"]
    assert (await api.post("scans/cleanup"))["cleaned"] == 1
    (ended,) = await api.history("?status=cancelled")
    text = "Scan terminated automatically after running for more than 3 hours"
    assert (ended["host_name"], ended["error_message"]) == ("old-01", text)
    assert [one["host_name"] for one in await api.running(1)] == ["old-02"]
    await api.trigger(ended["host_id"])
