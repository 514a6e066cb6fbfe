"""The scanner comes by itself when compliance is switched on for the first time, and only then."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from server.compliance import service, setup, upkeep
from server.core.call import Call
from tests.factories.automation import Fleet
from tests.factories.compliance import Compliance, connect
from tests.factories.house import House
from tests.factories.openscap import guide, names_here, needs_oscap
from tests.factories.people import bearer
from tests.stand_ins.existing_agent import Enrol
from tests.stand_ins.scripted_agent import ScriptedAgent


async def switch(call: Call, host: str, **columns: Any) -> None:
    """Change what a host is scanned with, as its agent's confirmation does."""
    for column, value in {"status": "active", **columns}.items():
        await call.db.execute(f"update hosts set {column} = %(value)s where uuid = %(host)s", value=value, host=host)


async def here(fleet: Fleet, name: str) -> ScriptedAgent:
    """Add a host and wait until its link is on record: the handshake is answered a moment before."""
    agent = await fleet.online(name)
    asked = "select last_connected_at is not null and agent_hello is not null from hosts where uuid = %(host)s"
    async with asyncio.timeout(5):
        while not await fleet.call.db.value(asked, host=fleet.ids[name]):
            await asyncio.sleep(0.02)
    return agent


async def job_of(api: Compliance, host: str, status: str) -> dict[str, Any]:
    """Wait until the host's installation stands so."""
    async with asyncio.timeout(60):
        while (found := await api.get(f"install-job/{host}"))["status"] != status:
            assert found["status"] != "failed" or status == "failed", found
            await asyncio.sleep(0.1)
    return dict(found)


@pytest.mark.proves("AGENT-INT-02")
async def test_hosts_of_our_agent_are_told_once(api: Compliance, fleet: Fleet, enrol: Enrol, call: Call) -> None:
    agent = await here(fleet, "new-01")
    await fleet.enrol("away-01")
    old, old_host = await enrol("old-01", "on-demand")
    await connect(old, call, old_host)
    host = fleet.ids["new-01"]
    await switch(call, host, compliance_mode="disabled")
    await switch(call, fleet.ids["away-01"], compliance_mode="on-demand")
    assert await setup.install_first(call) == 0, "compliance is off, the host is away, or its agent does it by itself"
    await switch(call, host, compliance_mode="on-demand", compliance_openscap_enabled=False)
    assert await setup.install_first(call) == 0, "nothing would use it"
    await switch(call, host, compliance_mode="enabled", compliance_openscap_enabled=True)
    await call.db.execute("update hosts set created_at = now() - interval '3 days' where uuid = %(host)s", host=host)
    await switch(call, fleet.ids["away-01"], compliance_mode="disabled")
    assert await service.release_due(call) == 0, "no scan before the scanner"
    assert await setup.install_first(call) == 1
    assert await setup.install_first(call) == 0, "it is told once"
    held = await agent.job()
    job = await call.db.one("select playbook, variables from jobs where playbook = 'compliance_scanner'")
    assert job is not None
    assert job["variables"]["compliance_scanner_action"] == "install"
    assert await service.release_due(call) == 0, "the scan waits for its scanner"
    await agent.end(held, "failed")
    assert (await job_of(api, host, "failed"))["status"] == "failed"
    assert await setup.install_first(call) == 0, "what failed is for people to see and repeat"
    await upkeep.forget(call, call.now + timedelta(days=1))
    assert await setup.install_first(call) == 0, "however long ago it failed"
    assert await service.release_due(call) == 1, "and the schedule goes on"
    detail = await call.db.value("select detail from audit_log where action = 'compliance.install_asked'")
    assert detail["hosts"] == ["new-01"]


async def test_a_host_that_is_asked_to_scan_meanwhile_scans_first(api: Compliance, fleet: Fleet, call: Call) -> None:
    await here(fleet, "new-01")
    host = fleet.ids["new-01"]
    await switch(call, host, compliance_mode="on-demand")
    await api.trigger(host)
    assert await setup.install_first(call) == 0
    await switch(call, host, compliance_reported_at=call.now)
    await call.db.execute("delete from compliance_tasks")
    assert await setup.install_first(call) == 0, "what scanned has its scanner"
    await switch(call, host, compliance_reported_at=None)
    assert await setup.install_first(call) == 1


async def test_many_hosts_are_told_by_one_job(fleet: Fleet, call: Call) -> None:
    for number in range(3):
        await here(fleet, f"new-{number}")
        await switch(call, fleet.ids[f"new-{number}"], compliance_mode="on-demand")
    assert await setup.install_first(call) == 3
    assert await call.db.value("select count(distinct job) from compliance_tasks where job_host is not null") == 1
    assert await call.db.value("select detail -> 'host_count' from audit_log where action = "
                               "'compliance.install_asked'") == 3  # fmt: skip


@needs_oscap
@pytest.mark.real
@pytest.mark.proves("AGENT-INT-02")
async def test_a_real_agent_has_its_scanner_after_the_switch(
    house: House, unused_tcp_port_factory: Callable[[], int], tmp_path: Path
) -> None:
    names = names_here()
    if not names:
        pytest.skip("this system has no security guide by name")
    guide(tmp_path / "content", tmp_path / "watched", names[0])
    (tmp_path / "content" / ".ssg-version").write_text("0.0.1\n", encoding="utf-8")
    running = house.server(unused_tcp_port_factory(), SSG_CONTENT_DIR=str(tmp_path / "content"))
    await running.start()
    agent = await house.agent("box", running.port)
    await agent.start()
    async with ClientSession() as session:
        api = Compliance(session, running.url, await bearer(house.call))
        host = str(await house.call.db.value("select uuid from hosts"))
        async with asyncio.timeout(30):
            while not await house.call.db.value("select last_connected_at is not null from hosts"):
                await asyncio.sleep(0.1)
        assert (await api.get(f"install-job/{host}"))["status"] == "none"
        base = f"/hosts/{host}/integrations"
        await api.ask("POST", f"{base}/compliance/mode", {"mode": "on-demand"})
        await api.ask("POST", f"{base}/apply")
        await job_of(api, host, "completed")
        await api.trigger(host)
        first = await api.scanned(1)
        assert (first["status"], first["passed"], first["failed"]) == ("completed", 1, 2), first
        assert await house.call.db.value("select count(*) from compliance_tasks where kind = 'install'") == 1
