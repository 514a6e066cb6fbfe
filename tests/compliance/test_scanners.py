"""What hosts are scanned with: content, the schedule, installing, and what is on where."""

import asyncio
from typing import Any

import pytest
from yarl import URL

from server.compliance import projection, service
from server.core.call import Call
from tests.factories.compliance import Compliance, confirm, connect, decided, hand_in, result, scan
from tests.stand_ins.existing_agent import Enrol


@pytest.mark.proves("COMP-40", "COMP-41", "COMP-42", "COMP-44", "COMP-182")
async def test_content_is_handed_out_as_it_is(
    api: Compliance, enrol: Enrol, call: Call, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, _ = await enrol()
    folder = call.world.env.content_dir
    monkeypatch.chdir(tmp_path)
    assert await agent.ask("GET", "/compliance/ssg-version") == (
        503, {"error": "No SSG content available on server"},
    )  # fmt: skip
    assert await api.get("ssg-info") == {"version": None, "files": []}
    (tmp_path / folder).mkdir(parents=True)
    content = b"<ds:data-stream-collection>\xc3\xa4" + b"x" * 300_000
    for name in ("ssg-debian12-ds.xml", "ssg-rhel9-ds.xml"):
        (tmp_path / folder / name).write_bytes(content)
    (tmp_path / folder / "notes.txt").write_text("no content")
    (tmp_path / folder / ".ssg-version").write_text("0.1.77\n")
    files = {"version": "0.1.77", "files": ["ssg-debian12-ds.xml", "ssg-rhel9-ds.xml"]}
    assert await agent.ask("GET", "/compliance/ssg-version") == (200, files)
    assert await api.get("ssg-info") == files
    base = f"{agent.url}/api/v1/compliance/ssg-content/"
    plain = {**agent.headers, "Accept-Encoding": "identity"}
    async with agent.session.get(base + "ssg-rhel9-ds.xml", headers=plain) as answer:
        assert (answer.status, await answer.read()) == (200, content)
        assert answer.headers["Content-Type"] == "application/xml"
        assert answer.headers["Content-Length"] == str(len(content))
        assert answer.headers["ETag"]
    for name, status in (("..%2f..%2fetc%2fpasswd", 404), ("ssg-suse-ds.xml", 404), ("notes.txt", 400)):
        async with agent.session.get(URL(base + name, encoded=True), headers=agent.headers) as answer:
            assert answer.status == status, name
    async with agent.session.get(base + "ssg-rhel9-ds.xml") as answer:
        assert answer.status == 401


@pytest.mark.proves("A-10", "COMP-85", "COMP-86", "COMP-87", "COMP-88", "COMP-56", "COMP-33")
async def test_settings_and_the_schedule(api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol("old-01", "enabled")
    _, on_demand = await enrol("old-02", "on-demand")
    await agent.connect()
    for minutes, status in ((30, 400), (59, 400), (10_081, 400), (60, 200), (10_080, 200), (1440, 200)):
        await api.ask("PUT", "/compliance/settings", {"compliance_scan_interval": minutes}, status=status)
    pushed = await agent.until(lambda body: body.get("compliance_scan_interval") == 10_080)
    assert pushed["type"] == "settings_update"
    await api.ask("PUT", "/compliance/settings", {"default_compliance_mode": "on-demand"})
    made = await api.ask("POST", "/hosts/create", {"friendly_name": "new-01"}, status=201)
    modes = {
        row["uuid"]: row["compliance_mode"] for row in await call.db.all("select uuid, compliance_mode from hosts")
    }
    assert (modes[made["hostId"]], modes[host], modes[on_demand]) == ("on-demand", "enabled", "on-demand")
    await call.db.execute("update hosts set last_connected_at = now(), created_at = now() - interval '3 days'")
    assert await service.release_due(call) == 1
    assert await service.release_due(call) == 0, "it is asked once"
    await agent.until(lambda body: body["type"] == "compliance_scan")
    await confirm(agent)
    (running,) = await api.running()
    assert (running["host_id"], running["origin"]) == (host, "scheduled")
    await hand_in(agent, scan(*decided(1, 0)))
    assert await service.release_due(call) == 0, "it scanned within the interval"
    await call.db.execute("update compliance_scans set started_at = now() - interval '2 days'")
    await call.db.execute("update compliance_tasks set created_at = now() - interval '2 days'")
    assert await service.release_due(call) == 1


@pytest.mark.proves("AGENT-WS-05", "COMP-43", "COMP-95", "COMP-97", "COMP-98", "COMP-99", "COMP-170", "COMP-172")
async def test_setting_up_and_remediating_by_an_existing_agent(
    api: Compliance, enrol: Enrol, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    agent, host = await enrol(bench=True)
    assert (await api.get(f"install-job/{host}"))["status"] == "none"
    await api.post(f"install-scanner/{host}")
    assert (await api.get(f"install-job/{host}"))["status"] == "waiting"
    await api.post(f"install-scanner/{host}", status=409)
    await agent.connect()
    await agent.until(lambda body: body["type"] == "install_scanner")

    async def told(status: str, *steps: str) -> None:
        events = [
            {"step": step, "status": "done", "message": f"Did {step}", "timestamp": "2026-01-01T00:00:00Z"}
            for step in steps
        ]
        body = {"integration": "compliance", "enabled": True, "status": status, "install_events": events}
        assert (await agent.ask("POST", "/hosts/integration-status", body))[0] == 200

    async def job(kind: str, wanted: str) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while (found := await api.get(f"{kind}/{host}"))["status"] != wanted:
                await asyncio.sleep(0.1)
        return dict(found)

    await told("installing", "detect_os", "install_openscap", "verify_openscap")
    await job("install-job", "active")
    async with asyncio.timeout(10):
        while (found := await api.get(f"install-job/{host}"))["progress"] != 50:
            await asyncio.sleep(0.1)
    assert (found["message"], len(found["install_events"])) == ("Did verify_openscap", 3)
    await told("ready", "detect_os", "install_openscap", "verify_openscap", "sync_ssg", "docker_bench", "complete")
    assert (await job("install-job", "completed"))["progress"] == 100
    await api.post(f"install-scanner/{host}")
    await job("install-job", "active")
    await api.post(f"install-scanner/{host}/cancel")
    assert (await api.get(f"install-job/{host}"))["status"] == "cancelled"
    await api.post(f"upgrade-ssg/{host}", status=503)
    monkeypatch.chdir(tmp_path)
    (tmp_path / call.world.env.content_dir).mkdir(parents=True)
    (tmp_path / call.world.env.content_dir / "ssg-debian12-ds.xml").write_text("<x/>")
    (tmp_path / call.world.env.content_dir / ".ssg-version").write_text("0.1.77")
    assert (await api.post(f"upgrade-ssg/{host}"))["version"] == "0.1.77"
    assert (await agent.until(lambda body: body["type"] == "upgrade_ssg"))["version"] == "0.1.77"
    await told("failed")
    await job("ssg-upgrade-job", "failed")
    await hand_in(agent, scan(result("motd", "fail")), scan(result("bench", "warn"), kind="docker-bench"))
    rule = result("motd")["rule_ref"]
    await api.post(f"remediate/{host}", {}, status=400)
    await api.post(f"remediate/{host}", {"rule_id": result("bench")["rule_ref"]}, status=400)
    assert (await api.post(f"remediate/{host}", {"rule_id": rule}))["message"] == "Remediation triggered"
    assert (await agent.until(lambda body: body["type"] == "remediate_rule"))["rule_id"] == rule
    await agent.drop()
    await asyncio.sleep(0.5)
    assert "not currently connected" in (await api.post(f"remediate/{host}", {"rule_id": rule}, status=409))["error"]


@pytest.mark.proves(
    "COMP-15", "COMP-18", "COMP-19", "COMP-25", "COMP-26", "COMP-27", "COMP-28", "COMP-29", "COMP-31", "COMP-57",
)  # fmt: skip
async def test_what_a_host_is_scanned_by_is_staged_applied_and_confirmed(
    api: Compliance, enrol: Enrol, call: Call
) -> None:
    agent, host = await enrol()
    base = f"/hosts/{host}/integrations"
    found = await api.ask("GET", base)
    assert (found["compliance_openscap_enabled"], found["compliance_docker_bench_enabled"]) == (True, False)
    await api.trigger(host, profile_type="docker-bench", status=400)
    await call.db.execute("update hosts set compliance_docker_bench_enabled = true")
    await api.trigger(host, profile_type="docker-bench", status=400)
    await call.db.execute("update hosts set compliance_docker_bench_enabled = false")
    await connect(agent, call, host)
    await api.ask("POST", f"{base}/compliance/mode", {"mode": "enabled"})
    await api.ask("POST", f"{base}/compliance/scanners", {"openscap_enabled": True, "docker_bench_enabled": True})
    await api.ask("POST", f"{base}/compliance/mode", {"mode": "sometimes"}, status=400)
    stored = "select compliance_mode, compliance_docker_bench_enabled from hosts"
    assert await call.db.one(stored) == {"compliance_mode": "on-demand", "compliance_docker_bench_enabled": False}
    assert (await api.ask("GET", base))["pending_config_exists"] is True
    await api.ask("POST", f"{base}/apply")
    pushed = await agent.until(lambda body: body["type"] == "apply_config")
    assert pushed["config"]["compliance"] == {
        "enabled": True, "openscap_enabled": True, "docker_bench_enabled": True,
    }  # fmt: skip
    assert (await agent.ask("GET", "/hosts/integrations"))[0] == 200
    assert await call.db.one(stored) == {"compliance_mode": "enabled", "compliance_docker_bench_enabled": True}
    await api.ask("POST", f"{base}/compliance/default-profile", {"profile_id": "level2_server"})
    told = {"integration": "compliance", "enabled": True, "status": "ready", "scanner_info": {
        "available_profiles": [{"id": "standard", "name": "Standard", "type": "openscap"}]}}  # fmt: skip
    assert (await agent.ask("POST", "/hosts/integration-status", told))[0] == 200
    offered = [one["id"] for one in await api.get(f"profiles?host_id={host}")]
    assert offered == ["level1_server", "level2_server", "docker-bench", "standard"]


async def test_those_who_are_away_keep_nobody_waiting(
    api: Compliance, enrol: Enrol, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "_AT_ONCE", 2)
    for number in range(3):
        _, away = await enrol(f"away-{number}")
        await api.trigger(away)
        await api.post(f"install-scanner/{away}")
    agent, host = await enrol("here-01")
    await agent.connect()
    await api.post(f"install-scanner/{host}")
    await agent.until(lambda body: body["type"] == "install_scanner")
