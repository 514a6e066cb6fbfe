"""Windows updates as existing agents install them, word for word."""

import pytest

from server.core.call import Call
from tests.factories.hosts import full_report, package
from tests.factories.patching import Patching, heard
from tests.stand_ins.existing_agent import Enrol

BASE = "/patching/windows-updates"
ONE, TWO, THREE = (f"0000000{number}-aaaa-bbbb-cccc-0123456789ab" for number in (1, 2, 3))


@pytest.mark.proves("PATCH-84")
async def test_updates_are_approved_installed_failed_and_forgotten(enrol: Enrol, call: Call) -> None:
    agent, _ = await enrol("win-01", "windows")
    found = [
        package("KB1", "0", "1", wuaGuid=ONE, wuaKb="KB1"),
        package("KB2", "0", "1", wuaGuid=TWO, wuaKb="KB2"),
        package("KB3", "0", "2", wuaGuid=THREE, wuaKb="KB3", isSecurityUpdate=True),
    ]
    status, answer = await agent.ask("POST", "/hosts/update", full_report(found))
    assert status == 200, answer
    assert await agent.ask("GET", f"{BASE}/approved") == (200, {"guids": [THREE, ONE, TWO]})
    ok = (200, {"status": "ok"})
    said = {"patch_run_id": "x", "guid": THREE, "success": True}
    assert await agent.ask("POST", f"{BASE}/result", said) == ok
    assert await agent.ask("POST", f"{BASE}/result", {"guid": ONE, "success": False, "error": "0x80070005"}) == ok
    assert await agent.ask("POST", f"{BASE}/result", {"guid": "unknown", "success": True}) == ok
    assert await agent.ask("GET", f"{BASE}/approved") == (200, {"guids": [ONE, TWO]})
    rows = await call.db.all(
        """
        select p.name, i.current_version, i.needs_update, i.wua_last_result, i.wua_last_error,
               i.wua_installed_at is not null as installed
          from host_packages i join packages p on p.id = i.package_id order by p.name
        """
    )
    assert [tuple(row.values()) for row in rows] == [
        ("KB1", "0", True, "failed", "0x80070005", False), ("KB2", "0", True, None, None, False),
        ("KB3", "2", False, "success", None, True),
    ]  # fmt: skip
    counts = "select packages, updates, security_updates from host_inventory"
    assert await call.db.one(counts) == {"packages": 3, "updates": 2, "security_updates": 0}
    assert await call.db.value("select to_version from host_package_changes") == "2"
    assert await agent.ask("POST", f"{BASE}/superseded", {"guids": []}) == ok
    assert await agent.ask("POST", f"{BASE}/superseded", {"guids": [TWO.upper()]}) == (200, {"removed": "ok"})
    assert await agent.ask("GET", f"{BASE}/approved") == (200, {"guids": [ONE]})
    assert await call.db.value("select updates from host_inventory") == 1
    # The next report is looked at in full, and what it says counts.
    assert (await agent.ask("POST", "/hosts/update", full_report(found)))[0] == 200
    assert await call.db.value("select updates from host_inventory") == 3


@pytest.mark.proves("PATCH-84", "A-14")
async def test_a_restart_is_noted_and_announced(api: Patching, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol("win-01", "windows")
    other, _ = await enrol("win-02", "windows")
    await agent.connect()
    run = (await api.trigger(host))["patch_run_id"]
    await agent.told("run_patch", run)
    path = f"{BASE}/reboot"
    async with call.world.bus.following("patch_reboot_required") as bell:
        assert (await agent.ask("POST", path, {"patch_run_id": run, "needs_reboot": False}))[0] == 200
        assert await call.db.value("select bool_or(needs_reboot) from hosts") is False
        assert await other.ask("POST", path, {"patch_run_id": run, "needs_reboot": True}) == (200, {"status": "ok"})
        assert await agent.ask("POST", path, {"patch_run_id": run, "needs_reboot": True}) == (200, {"status": "ok"})
        news = await heard(bell, "patch_reboot_required")
    assert (news["host"], news["error"]) == (host, "Windows Update installation requires a restart")
    assert await call.db.column("select distinct reboot_reason from hosts") == [news["error"]]


async def test_refusals_are_the_contracts(enrol: Enrol) -> None:
    agent, _ = await enrol("win-01", "windows")
    for name in ("result", "reboot", "superseded"):
        path = f"{BASE}/{name}"
        assert await agent.ask("POST", path, {}, headers={}) == (401, {"error": "Invalid API credentials"})
        assert await agent.ask("POST", path, data=b"{") == (400, {"error": "Invalid JSON"})
    assert await agent.ask("GET", f"{BASE}/approved", headers={}) == (401, {"error": "Invalid API credentials"})
    assert await agent.ask("POST", f"{BASE}/result", {"success": True}) == (400, {"error": "guid is required"})
    assert await agent.ask("POST", f"{BASE}/superseded", {"guids": "x"}) == (400, {"error": "Invalid JSON"})


@pytest.mark.proves("PATCH-83")
async def test_windows_runs_look_like_all_others(api: Patching, enrol: Enrol) -> None:
    agent, host = await enrol("win-01", "windows")
    await agent.connect()
    run = (await api.trigger(host))["patch_run_id"]
    assert (await agent.told("run_patch", run))["patch_type"] == "patch_all"
    # Agents on Windows repeat everything with each piece.
    text = ""
    for line in ("PS> Install-Update\n", "KB1 installed\n", "winget upgrade --all\n"):
        text += line
        await agent.say(run, "progress", text)
    assert (await api.run(run))["shell_output"] == text
    await agent.say(run, "completed", text)
    done = await api.run(run)
    assert (done["status"], done["shell_output"]) == ("completed", text)
    named = await api.trigger(host, patch_type="patch_package", package_names=["KB5034441", "Mozilla.Firefox"])
    sent = await agent.told("run_patch", named["patch_run_id"])
    assert sent["package_names"] == ["KB5034441", "Mozilla.Firefox"]
    dry = (await api.dry(host, "KB5034441"))["patch_run_id"]
    assert "it would install them" in (await api.becomes(dry, "failed"))["error_message"]
    harmless = (await api.dry(host, "Mozilla.Firefox"))["patch_run_id"]
    assert (await agent.told("run_patch", harmless))["dry_run"] is True
