"""What other pages show of compliance: the system of a host, its agent's queue, its tabs, the overview."""

import asyncio
from typing import Any

import pytest

from server.core.call import Call
from server.settings import service as settings
from tests.conftest import Browser
from tests.factories.compliance import Compliance, confirm, decided, hand_in, result, scan
from tests.factories.people import HTML, sign_in_as
from tests.stand_ins.existing_agent import Enrol


async def seen(client: Browser, path: str) -> str:
    answer = await client.get(path, headers=HTML)
    text = await answer.text()
    assert answer.status == 200, text[-1000:]
    return text


@pytest.mark.proves("COMP-34", "COMP-01")
async def test_the_host_tells_its_guide_and_gets_its_tab_with_the_first_scan(
    client: Browser, enrol: Enrol, call: Call
) -> None:
    agent, host = await enrol()
    await call.db.execute("update hosts set os_type = 'Debian', os_version = '12'")
    await sign_in_as(client, call, "superadmin")
    told = {"integration": "compliance", "enabled": True, "status": "ready", "scanner_info": {"ssg_version": "0.1.79"}}
    assert (await agent.ask("POST", "/hosts/integration-status", told))[0] == 200
    tab = f'href="/hosts/{host}/compliance"'
    system = await seen(client, f"/hosts/{host}/system")
    assert "SSG version" in system
    assert "0.1.79" in system
    assert tab not in system
    await hand_in(agent, scan(*decided(4, 1)))
    assert tab in await seen(client, f"/hosts/{host}/system")
    await call.db.execute("update hosts set compliance_mode = 'disabled'")
    assert "0.1.79" not in await seen(client, f"/hosts/{host}/system")
    await settings.change(call, {"disabled_modules": ["compliance"]})
    assert "Upgrade required" in await seen(client, f"/hosts/{host}/compliance")


@pytest.mark.proves("COMP-35")
async def test_the_agents_queue_has_scans_installations_and_upgrades(
    client: Browser, api: Compliance, enrol: Enrol, call: Call, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, host = await enrol()
    await sign_in_as(client, call, "superadmin")
    monkeypatch.chdir(tmp_path)
    (tmp_path / call.world.env.content_dir).mkdir(parents=True)
    (tmp_path / call.world.env.content_dir / "ssg-debian12-ds.xml").write_text("<x/>")
    await api.trigger(host)
    await api.post(f"install-scanner/{host}")
    await api.post(f"upgrade-ssg/{host}")

    async def queue() -> tuple[dict[str, int], dict[str, str]]:
        found = await api.ask("GET", f"/hosts/{host}/agent-queue")
        return found["queue_status"], {one["job_name"]: one["status"] for one in found["job_history"]}

    names = ("Compliance scan", "Installing the scanner", "Upgrading the scanner's content")
    assert await queue() == (
        {"waiting": 3, "active": 0, "delayed": 0, "failed": 0}, dict.fromkeys(names, "waiting"),
    )  # fmt: skip
    page = await seen(client, f"/hosts/{host}/queue")
    assert 'data-reload="30"' in page
    for name in names:
        assert name.replace("'", "&#39;") in page, name
    await agent.connect()
    await agent.until(lambda body: body["type"] == "compliance_scan")
    await confirm(agent)
    await api.running()
    assert (await queue())[1]["Compliance scan"] == "active"
    await hand_in(agent, scan(*decided(4, 1)))
    await api.post(f"install-scanner/{host}/cancel")
    async with asyncio.timeout(10):
        while (await queue())[1]["Compliance scan"] != "completed":
            await asyncio.sleep(0.1)
    counts, states = await queue()
    assert (counts["failed"], states["Installing the scanner"]) == (1, "failed")


@pytest.mark.proves("DOCKER-14", "COMP-18")
async def test_docker_bench_runs_where_docker_is_on_and_the_host_says_so(
    api: Compliance, enrol: Enrol, call: Call
) -> None:
    agent, host = await enrol(bench=True)
    await agent.connect()
    await api.trigger(host)
    asked = await agent.until(lambda body: body["type"] == "compliance_scan")
    assert (asked["openscap_enabled"], asked["docker_bench_enabled"]) == (True, True)
    await confirm(agent)
    await hand_in(agent, scan(*decided(1, 0)), scan(result("bench", "warn"), kind="docker-bench"))
    assert {one["profile_type"] for one in await api.history()} == {"openscap", "docker-bench"}
    for column in ("docker_enabled", "compliance_docker_bench_enabled"):
        await call.db.execute(f"update hosts set {column} = false")
        assert (
            "Docker Bench is not enabled"
            in ((await api.trigger(host, profile_type="docker-bench", status=400))["error"])
        )
        await call.db.execute(f"update hosts set {column} = true")


async def test_a_guide_for_another_system_is_no_clean_bill(
    client: Browser, api: Compliance, enrol: Enrol, call: Call
) -> None:
    agent, host = await enrol()
    await hand_in(agent, scan(*(result(f"strange_{n}", "notapplicable") for n in range(3))))
    await sign_in_as(client, call, "superadmin")
    (found,) = await api.history()
    assert (found["status"], found["not_applicable"], found["score"]) == ("completed", 3, None)
    page = await seen(client, f"/compliance/hosts/{host}")
    assert "No rule of this guide applies to this host" in page
    for path in (f"/compliance/hosts/{host}", "/compliance/hosts"):
        text = (await seen(client, path)).partition('id="compliance-list"')[2] if "hosts/" not in path else page
        assert "No rule applies" in text, path


async def test_a_host_without_the_scanner_says_so_and_is_offered_it(
    client: Browser, api: Compliance, enrol: Enrol, call: Call
) -> None:
    agent, host = await enrol()
    why = "OpenSCAP is not installed on this host (no program oscap); install openscap-scanner"
    await hand_in(agent, scan(status="failed", error=why))
    assert [(one["status"], one["error_message"]) for one in await api.history()] == [("failed", why)]
    await sign_in_as(client, call, "superadmin")
    page = await seen(client, f"/compliance/hosts/{host}")
    assert why in page
    assert "Install Scanner" in page
