"""The record of a host: what is kept of it, what reports refresh, and what goes with it."""

from typing import Any

import pytest

from server.automation import tasks
from server.core.call import Call
from tests.factories.hosts import Browser, added, enrolled, full_report, package
from tests.hosts.test_host_page import host_of, page


async def one(browser: Browser, uuid: str) -> dict[str, Any]:
    found: dict[str, Any] = await (await browser.get(f"/api/v1/hosts/{uuid}")).json()
    return found


@pytest.mark.proves("A-15", "INV-153")
async def test_a_report_refreshes_what_was_typed_unless_an_interface_is_chosen(
    as_admin: Browser, client: Browser, call: Call
) -> None:
    agent = await enrolled(call, client)
    _, uuid = await host_of(call)
    await agent.update(full_report([package("a")], hostname="real.example.net", ip="198.51.100.1"))
    typed = {"hostname": "typed.example.net", "ip": "192.0.2.9"}
    assert (await as_admin.patch(f"/api/v1/hosts/{uuid}/connection", json=typed)).status == 200
    assert {name: (await one(as_admin, uuid))[name] for name in typed} == typed
    await agent.update(full_report([package("a")], hostname="real.example.net", ip="198.51.100.1"))
    found = await one(as_admin, uuid)
    assert (found["hostname"], found["ip"], found["friendly_name"]) == ("real.example.net", "198.51.100.1", "web-01")
    chosen = {"interface_name": "eth0"}
    assert (await as_admin.patch(f"/api/v1/hosts/{uuid}/primary-interface", json=chosen)).status == 200
    await agent.update(full_report([package("a")], hostname="real.example.net", ip="203.0.113.5"))
    assert (await one(as_admin, uuid))["ip"] == "10.20.0.12"


async def test_everything_a_report_says_is_kept_and_shown(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    _, uuid = await host_of(call)
    fresh = await one(as_admin, uuid)
    assert (fresh["status"], fresh["hostname"], fresh["last_update"]) == ("pending", "", None)
    await agent.update(full_report([package("a", "1", "2")]))
    kept = await one(as_admin, uuid)
    for name, value in {
        "hostname": "web-01.example.net", "ip": "10.20.0.12", "machine_id": "4c4c4544-0051", "status": "active",
        "os_type": "Debian GNU/Linux", "os_version": "12 (bookworm)", "architecture": "x86_64",
        "kernel_version": "6.1.0-26-amd64", "installed_kernel_version": "6.1.0-28-amd64",
        "selinux_status": "disabled", "package_manager": "apt", "cpu_model": "AMD EPYC 7402P", "cpu_cores": 4,
        "ram_installed": 7.75, "swap_size": 1, "load_average": [0.1, 0.2, 0.3], "gateway_ip": "10.20.0.1",
        "system_uptime": "41 days, 2 hours, 5 minutes", "dns_servers": ["10.20.0.1", "9.9.9.9"],
        "agent_version": "3.0.0", "needs_reboot": True, "reboot_reason": "kernel", "primary_interface": None,
        "auto_update": True, "docker_enabled": False, "compliance_enabled": False, "compliance_mode": "disabled",
        "compliance_openscap_enabled": True, "compliance_docker_bench_enabled": False,
        "compliance_default_profile_id": None, "host_down_alerts_enabled": None, "pending_config": None,
        "awaiting_post_patch_report_run_id": None, "host_groups": [],
    }.items():  # fmt: skip
        assert kept[name] == value, name
    assert kept["last_update"]
    assert kept["created_at"]
    shown = await page(as_admin, f"/hosts/{uuid}/system")
    for words in ("Debian GNU/Linux", "12 (bookworm)", "x86_64", "apt", "6.1.0-26-amd64", "6.1.0-28-amd64", "disabled",
                  "AMD EPYC 7402P", "7.8 GiB", "1.0 GiB", "40.00GB", "0.10, 0.20, 0.30"):  # fmt: skip
        assert words in shown, words
    assert "<form" not in shown.partition('<div class="columns">')[2].partition("</main>")[0]


@pytest.mark.proves("INV-106", "A-12")
async def test_a_host_goes_with_its_jobs_and_everybody_hears(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("a", "1", "2")]))
    stays = await added(call, "stays")
    _, uuid = await host_of(call)
    wanted = {"host_ids": [uuid, stays.uuid], "patch_type": "patch_all"}
    answer = await as_admin.post("/api/v1/patching/trigger", json=wanted)
    assert answer.status == 200, await answer.text()
    assert await call.db.value("select count(*) from patch_runs") == 2
    assert await call.db.value("select count(*) from job_hosts where status = 'queued'") == 2
    async with call.world.bus.following("host_deleted") as bell:
        assert (await as_admin.delete(f"/api/v1/hosts/{uuid}")).status == 200
        assert [news["api_id"] for news in await bell.ring(within=5)] == [agent.api_id]
    assert await call.db.column("select h.friendly_name from patch_runs r join hosts h on h.id = r.host_id") == [
        "stays"
    ]
    assert await call.db.value("select count(*) from patch_runs") == 1
    # What waited for it ends with the next sweep, which runs every minute.
    await tasks.sweep(call)
    assert await call.db.column("select status from job_hosts where host_id is null") == ["unreachable"]
    assert await call.db.value("select count(*) from job_hosts where status = 'queued'") == 1
    assert (await agent.ping()).status == 401
