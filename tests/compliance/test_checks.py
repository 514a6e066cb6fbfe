"""The life of scans as programs, people and existing agents see it, through the front door."""

import asyncio
from typing import Any

import pytest
from yarl import URL

from server.compliance import service
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


@pytest.mark.proves("COMP-121", "COMP-184")
async def test_the_four_kinds_of_hosts(api: Compliance, enrol: Enrol, call: Call) -> None:
    for name, score in (("a", 80), ("b", 79.9), ("c", 60), ("d", 59.9)):
        agent, _ = await enrol(name)
        await hand_in(agent, scan(*decided(1, 1), score=score))
    await enrol("e")
    summary = (await api.get("dashboard"))["summary"]
    assert [summary[f"hosts_{kind}"] for kind in ("compliant", "warning", "critical")] == [1, 2, 1]
    assert (summary["total_hosts"], summary["unscanned"], summary["total_scans"]) == (4, 1, 4)
    hosts = {one["name"]: one["status"] for one in (await api.get("hosts"))["hosts"]}
    assert hosts == {"a": "compliant", "b": "warning", "c": "warning", "d": "critical", "e": "unscanned"}
    assert [one["name"] for one in (await api.get("hosts?status=unscanned"))["hosts"]] == ["e"]
    scores = await call.db.column("select score from compliance_latest order by score")
    assert scores == [59.9, 60.0, 79.9, 80.0]


@pytest.mark.proves("COMP-20", "COMP-53", "COMP-173", "COMP-180")
async def test_profiles_and_remediation_reach_the_agent(api: Compliance, enrol: Enrol) -> None:
    agent, host = await enrol(bench=True)
    await agent.connect()
    await api.ask("POST", f"/hosts/{host}/integrations/compliance/default-profile", {"profile_id": "level2_server"})
    await api.trigger(host)
    told = await agent.until(lambda body: body["type"] == "compliance_scan")
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


@pytest.mark.proves("COMP-145", "COMP-146", "COMP-147", "COMP-110", "COMP-160")
async def test_rules_over_the_fleet_and_scores_over_time(api: Compliance, enrol: Enrol, call: Call) -> None:
    first, host = await enrol("a")
    second, other = await enrol("b")
    ssh = result("sshd_root", "fail", "high", finding="PermitRootLogin yes", title="SSH root login")
    await hand_in(first, scan(ssh, result("motd", "fail", "low"), result("sshd_old", "pass", "high")))
    await hand_in(second, scan({**ssh, "status": "pass"}, result("motd", "warn", "low")))
    listed = await api.get("rules?status=fail&severity=high&search=ssh")
    (rule,) = listed["rules"]
    assert (rule["title"], rule["hosts_failed"], rule["hosts_passed"], rule["total_hosts"]) == (
        "SSH root login", 1, 1, 2,
    )  # fmt: skip
    assert listed["pagination"]["total"] == 1
    assert len((await api.get(f"rules?host_id={other}"))["rules"]) == 2
    assert len((await api.get("rules?status=warning"))["rules"]) == 1
    await api.get("rules?status=nonsense", status=400)
    await api.get("rules/nonsense", status=404)
    found = await api.get(f"rules/{rule['id']}")
    assert found["summary"] == {"affected_hosts": 2, "passing": 1, "failing": 1, "warnings": 0}
    assert [(one["host_name"], one["status"], one["why"]) for one in found["affected_hosts"]] == [
        ("a", "fail", "PermitRootLogin yes"), ("b", "pass", "PermitRootLogin yes"),
    ]  # fmt: skip
    await hand_in(first, scan({**ssh, "status": "pass"}))
    assert (await api.get(f"rules/{rule['id']}"))["summary"]["failing"] == 0
    assert {one["title"] for one in (await api.get("rules?status=fail"))["rules"]} == set(), "its rules are gone"
    for days in ("0", "366", "x"):
        await api.get(f"trends/{host}?days={days}", status=400)
    await call.db.execute(
        """
        update compliance_scans set completed_at = now() - interval '31 days'
         where id = (select min(id) from compliance_scans)
        """
    )
    series = await api.get(f"trends/{host}")
    assert [(one["score"], one["profile_type"]) for one in series] == [(100.0, "openscap")]
    assert len(await api.get(f"trends/{host}?days=365")) == 2
    await call.db.execute("delete from hosts where uuid = %(host)s", host=host)
    assert (await call.db.value("select sum(passed + failed + warned) from compliance_tallies")) == 2


@pytest.mark.proves("COMP-85", "COMP-86", "COMP-87", "COMP-88", "COMP-56", "COMP-33")
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


@pytest.mark.proves("COMP-43", "COMP-95", "COMP-97", "COMP-98", "COMP-99", "COMP-170", "COMP-172")
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
    await agent.connect()
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
