"""Reports, as the contract words them."""

import asyncio
import json
from typing import Any

import pytest

from server.core.call import Call
from tests.factories.hosts import Browser, enrolled, full_report, package, partial_report, repository

DEBIAN = "http://deb.debian.org/debian bookworm/main"


async def stored(call: Call) -> dict[str, tuple[str, str, bool, bool]]:
    rows = await call.db.all(
        """
        select p.name, h.current_version, h.available_version, h.needs_update, h.is_security_update
          from host_packages h join packages p on p.id = h.package_id
        """
    )
    return {
        row["name"]: (row["current_version"], row["available_version"], row["needs_update"], row["is_security_update"])
        for row in rows
    }


@pytest.mark.proves("INV-150", "AGENT-API-04")
async def test_a_full_report_is_stored(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    packages = [
        package("bash", "5.2.15", "5.2.21", isSecurityUpdate=True, sourceRepository=DEBIAN, description="shell <GNU> "),
        package("zlib1g", "1:1.2.13"),
        package("apt", "2.6.1", "2.6.2"),
    ]
    answer = await agent.update(full_report(packages))
    assert answer.status == 200
    assert await answer.json() == {
        "message": "Host updated successfully",
        "packagesProcessed": 3,
        "updatesAvailable": 2,
        "securityUpdates": 1,
    }
    assert await stored(call) == {
        "bash": ("5.2.15", "5.2.21", True, True),
        "zlib1g": ("1:1.2.13", "", False, False),
        "apt": ("2.6.1", "2.6.2", True, False),
    }
    host = await call.db.one(
        """
        select status, hostname, ip, os_type, os_version, architecture, kernel_version, installed_kernel_version,
               selinux_status,
               system_uptime, boot_time::text, load_average, cpu_model, cpu_cores, ram_installed, swap_size,
               gateway_ip, dns_servers,
               needs_reboot, reboot_reason, package_manager, machine_id, agent_version, network_interfaces->0->>'name'
               as nic
          from hosts
        """
    )
    assert host == {
        "status": "active",
        "hostname": "web-01.example.net",
        "ip": "10.20.0.12",
        "os_type": "Debian GNU/Linux",
        "os_version": "12 (bookworm)",
        "architecture": "x86_64",
        "kernel_version": "6.1.0-26-amd64",
        "installed_kernel_version": "6.1.0-28-amd64",
        "selinux_status": "disabled",
        "system_uptime": "41 days, 2 hours, 5 minutes",
        "boot_time": "2026-01-02 03:04:05+00",
        "load_average": [0.1, 0.2, 0.3],
        "cpu_model": "AMD EPYC 7402P",
        "cpu_cores": 4,
        "ram_installed": 7.75,
        "swap_size": 1.0,
        "gateway_ip": "10.20.0.1",
        "dns_servers": ["10.20.0.1", "9.9.9.9"],
        "needs_reboot": True,
        "reboot_reason": "kernel",
        "package_manager": "apt",
        "machine_id": "4c4c4544-0051",
        "agent_version": "3.0.0",
        "nic": "eth0",
    }
    activity = await call.db.one(
        "select kind, sections_sent, packages, updates, security_updates, agent_ms from host_activity"
    )
    assert activity == {
        "kind": "full",
        "sections_sent": ["hostname", "interfaces", "packages", "repos"],
        "packages": 3,
        "updates": 2,
        "security_updates": 1,
        "agent_ms": 1500,
    }


async def test_the_next_report_replaces_what_differs(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("a"), package("b"), package("c")]))
    before = await call.db.all("select package_id, xmin::text as written_by from host_packages order by package_id")
    answer = await agent.update(full_report([package("a"), package("b", "2.0"), package("d")]))
    assert (await answer.json())["packagesProcessed"] == 3
    assert await stored(call) == {
        "a": ("1.0", "", False, False),
        "b": ("2.0", "", False, False),
        "d": ("1.0", "", False, False),
    }
    after = await call.db.all("select package_id, xmin::text as written_by from host_packages order by package_id")
    assert before[0] in after
    assert before[1] not in after
    counts = await call.db.one("select packages, updates, security_updates, repositories from host_inventory")
    assert counts == {"packages": 3, "updates": 0, "security_updates": 0, "repositories": 1}


async def test_an_identical_report_writes_no_package(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    report = full_report([package("a", "1", "2"), package("b")])
    first = await (await agent.update(report)).json()
    before = await call.db.all("select xmin::text from host_packages union all select xmin::text from host_inventory")
    second = await agent.update({**report, "systemUptime": "42 days", "needsReboot": False, "rebootReason": ""})
    assert await second.json() == first
    assert before == await call.db.all(
        "select xmin::text from host_packages union all select xmin::text from host_inventory"
    )
    row = await call.db.one("select system_uptime, needs_reboot, reboot_reason from hosts")
    assert row == {"system_uptime": "42 days", "needs_reboot": False, "reboot_reason": ""}
    assert await call.db.column("select kind from host_activity order by id") == ["full", "full"]
    assert await call.db.column("select packages from host_activity order by id") == [2, 2]


async def test_an_identical_list_with_another_hash_is_refused(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    report = full_report([package("a")])
    await agent.update(report)
    answer = await agent.update({**report, "hashes": {**report["hashes"], "packagesHash": "0" * 64}})
    assert answer.status == 400
    assert await answer.json() == {"error": "packages hash mismatch"}


async def test_of_a_name_sent_twice_the_last_counts(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    answer = await agent.update(full_report([package("a", "1", "3"), package("b"), package("a", "2", "3")]))
    assert await answer.json() == {
        "message": "Host updated successfully",
        "packagesProcessed": 2,
        "updatesAvailable": 2,
        "securityUpdates": 0,
    }
    assert (await stored(call))["a"] == ("2", "3", True, False)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"packages": []}, "Packages array is required"),
        ({"packages": None}, "Packages array is required"),
        ({"packages": "text"}, "Invalid request body"),
        ({"packages": [1]}, "Invalid request body"),
        ({"packages": [{"name": 1}]}, "Invalid request body"),
        ({"cpuCores": 4.5}, "Invalid request body"),
        ({"cpuCores": "4"}, "Invalid request body"),
        ({"needsReboot": "yes"}, "Invalid request body"),
        ({"sections": "packages"}, "Invalid request body"),
        ({"networkInterfaces": "text"}, "invalid networkInterfaces"),
        ({"sections": []}, "sections must contain at least one of packages, repos, interfaces, hostname"),
        ({"sections": ["weather"]}, "sections must contain at least one of packages, repos, interfaces, hostname"),
        ({"sections": ["packages"], "packages": []}, "sections claims 'packages' but packages array is empty"),
        ({"sections": ["packages"], "packages": None}, "sections claims 'packages' but packages array is empty"),
        ({"sections": ["repos"]}, "packages provided but 'packages' not in sections"),
        ({"sections": ["packages"]}, "repositories provided but 'repos' not in sections"),
        ({"hashes": {"packagesHash": "0" * 64}}, "packages hash mismatch"),
        ({"hashes": {"reposHash": "0" * 64}}, "repos hash mismatch"),
        ({"hashes": {"interfacesHash": "0" * 64}}, "interfaces hash mismatch"),
        ({"hashes": {"hostnameHash": "0" * 64}}, "hostname hash mismatch"),
    ],
)
async def test_what_is_refused_and_why(client: Browser, call: Call, changes: dict[str, Any], text: str) -> None:
    agent = await enrolled(call, client)
    answer = await agent.update({**full_report([package("a")], hashes={}), **changes})
    assert answer.status == 400
    assert await answer.json() == {"error": text}
    assert await call.db.one("select kind, error from host_activity") == {"kind": "error", "error": text}
    assert await call.db.value("select status from hosts") == "pending"
    assert await stored(call) == {}


async def test_more_packages_than_any_host_has_are_refused(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    answer = await agent.update({"packages": [{"name": f"p{number}"} for number in range(10_001)]})
    assert answer.status == 400
    assert await answer.json() == {"error": "Packages array exceeds maximum size"}
    answer = await agent.update({"packages": [{"name": f"p{number}"} for number in range(10_000)]})
    assert (await answer.json())["packagesProcessed"] == 10_000


async def test_a_report_that_is_too_large_is_refused_before_it_is_read(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    answer = await client.post("/api/v1/hosts/update", headers=agent.headers, data=b"{" + b" " * (5 * 1024 * 1024))
    assert answer.status == 413
    assert answer.content_type == "application/json"
    assert await answer.json() == {"error": "Request Entity Too Large"}
    assert await call.db.value("select error from host_activity") == "Request Entity Too Large"


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[]", b'{"packages": [}', b'{"a": 1e999999', b"[" * 200_000, b"\xff\xfe"]
)
async def test_what_is_no_report_is_refused(client: Browser, call: Call, body: bytes) -> None:
    agent = await enrolled(call, client)
    answer = await client.post("/api/v1/hosts/update", headers=agent.headers, data=body)
    assert answer.status == 400
    assert await answer.json() == {"error": "Invalid request body"}


async def test_a_partial_report_speaks_only_for_its_sections(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    told = full_report([package("a")])
    await agent.update(told)
    newer = full_report(
        [package("b")], [repository(components="contrib")], hostname="other.example.net", osVersion="13"
    )
    answer = await agent.update(partial_report(["packages", "unheard-of"], newer))
    assert answer.status == 200, await answer.text()
    assert (await answer.json())["packagesProcessed"] == 1
    assert list(await stored(call)) == ["b"]
    row = await call.db.one(
        """
        select hostname, os_version, swap_size, needs_reboot, cpu_cores, load_average,
               jsonb_array_length(network_interfaces) as nics,
               packages_hash = %(hash)s as packages_known, hostname_hash = %(other)s as hostname_known
          from hosts
        """,
        hash=newer["hashes"]["packagesHash"],
        other=newer["hashes"]["hostnameHash"],
    )
    assert row == {
        "hostname": "web-01.example.net",
        "os_version": "13",
        "swap_size": 1.0,
        "needs_reboot": True,
        "cpu_cores": 4,
        "load_average": [0.1, 0.2, 0.3],
        "nics": 1,
        "packages_known": True,
        "hostname_known": False,
    }
    assert await call.db.column("select components from repositories join host_repositories on repository_id = id") == [
        "main"
    ]
    assert await call.db.value("select kind from host_activity order by id desc limit 1") == "partial"


async def test_a_claimed_hostname_that_is_empty_is_dropped(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    told = full_report([package("a")])
    body = {**partial_report(["packages", "hostname"], told), "hostname": ""}
    assert (await agent.update(body)).status == 200
    row = await call.db.one("select hostname, hostname_hash, sections_sent from hosts, host_activity")
    assert row == {"hostname": "", "hostname_hash": "", "sections_sent": ["packages"]}


async def test_claimed_repositories_may_be_none_and_are_cleared(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("a")]))
    none = full_report([package("a")], [])
    assert (await agent.update(partial_report(["repos"], none))).status == 200
    assert await call.db.value("select count(*) from host_repositories") == 0
    assert await call.db.value("select repositories from host_inventory") == 0


async def test_a_full_report_without_repositories_leaves_them_alone(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("a")]))
    await agent.update(full_report([package("b")], []))
    assert await call.db.value("select count(*) from host_repositories") == 1


async def test_a_report_without_hashes_leaves_the_stored_ones_alone(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    told = full_report([package("a")])
    await agent.update(told)
    await agent.update({**full_report([package("b")]), "hashes": None})
    assert await call.db.value("select packages_hash from hosts") == told["hashes"]["packagesHash"]
    assert list(await stored(call)) == ["b"]
    # And with hashes again: the list is looked at, whatever is remembered of it.
    assert (await agent.update(full_report([package("b")]))).status == 200


@pytest.mark.parametrize(
    ("source", "component"),
    [
        ("debian", "main contrib"),
        ("http://deb.debian.org/debian bookworm/contrib", "main contrib"),
        ("http://deb.debian.org/debian/ bookworm/main", "main contrib"),
        ("main contrib", "main contrib"),
        ("", None),
        ("local", None),
        ("unknown", None),
        ("foreign", None),
        ("@System", None),
        ("http://elsewhere.example.org/ bookworm/main", None),
    ],
)
async def test_where_a_package_comes_from(client: Browser, call: Call, source: str, component: str | None) -> None:
    agent = await enrolled(call, client)
    repositories = [
        repository("@System", "system", url="http://system.example.org"),
        repository("other", "main", url="http://other.example.org"),
        repository("debian", "main contrib"),
    ]
    await agent.update(full_report([package("a", sourceRepository=source)], repositories))
    row = await call.db.one(
        """
        select r.components, h.source_repository
          from host_packages h left join repositories r on r.id = h.repository_id
        """
    )
    assert row == {"components": component, "source_repository": source}


async def test_packages_find_their_repository_when_it_is_reported_later(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    packages = [package("a", sourceRepository="late")]
    await agent.update(full_report(packages))
    await agent.update(full_report(packages, [repository(), repository("late", "late")]))
    assert (
        await call.db.value("select r.name from host_packages h join repositories r on r.id = h.repository_id")
        == "late"
    )


async def test_repositories_are_shared_and_the_first_of_the_same_address_counts(client: Browser, call: Call) -> None:
    first = await enrolled(call, client, "web-01")
    second = await enrolled(call, client, "web-02")
    rows = [repository("one"), repository("two", isEnabled=False)]
    assert (await first.update(full_report([package("a")], rows))).status == 200
    assert (await second.update(full_report([package("a")], [repository("three", isEnabled=False)]))).status == 200
    assert await call.db.all("select name, description, repo_type from repositories") == [
        {"name": "one", "description": "deb repository for bookworm", "repo_type": "deb"}
    ]
    assert await call.db.column("select is_enabled from host_repositories order by host_id") == [True, False]
    assert await call.db.value("select count(*) from packages") == 1


async def test_the_chosen_interface_decides_the_address(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await call.db.execute("update hosts set primary_interface = 'eth0'")
    await agent.update(full_report([package("a")], ip="192.0.2.99"))
    assert await call.db.value("select ip from hosts") == "10.20.0.12"
    await call.db.execute("update hosts set primary_interface = 'eth9'")
    await agent.update(full_report([package("a")], ip="192.0.2.99"))
    assert await call.db.value("select ip from hosts") == "192.0.2.99"


async def test_empty_values_never_overwrite(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("a")]))
    empty: dict[str, Any] = {
        "osType": "",
        "cpuModel": "",
        "cpuCores": 0,
        "ramInstalled": 0,
        "swapSize": 0,
        "diskDetails": [],
        "dnsServers": [],
        "networkInterfaces": [],
        "loadAverage": [],
        "gatewayIp": "",
        "ip": "",
        "kernelVersion": "",
    }
    await agent.update(full_report([package("a")], **empty))
    row = await call.db.one(
        """
        select os_type, cpu_model, cpu_cores, ram_installed, swap_size, gateway_ip, ip, kernel_version,
               jsonb_array_length(disk_details) as disks, jsonb_array_length(dns_servers) as dns,
               jsonb_array_length(network_interfaces) as nics, jsonb_array_length(load_average) as load
          from hosts
        """
    )
    assert row == {
        "os_type": "Debian GNU/Linux",
        "cpu_model": "AMD EPYC 7402P",
        "cpu_cores": 4,
        "ram_installed": 7.75,
        "swap_size": 0.0,
        "gateway_ip": "10.20.0.1",
        "ip": "10.20.0.12",
        "kernel_version": "6.1.0-26-amd64",
        "disks": 1,
        "dns": 2,
        "nics": 1,
        "load": 3,
    }


async def test_the_documented_form_is_understood(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    body = {
        "packages": [{"name": "a", "currentVersion": "1", "needsUpdate": False}],
        "diskDetails": [
            {"device": "/dev/sda1", "mountPoint": "/", "size": "50GB", "used": "10GB", "available": "40GB"}
        ],
        "networkInterfaces": [{"name": "eth0", "ip": "192.0.2.7", "mac": "0A:1B"}],
        "executionTime": "1.5s",
        "vendor": "ACME",
    }
    answer = await agent.update(body)
    assert answer.status == 200, await answer.text()
    row = await call.db.one("select disk_details->0 as disk, network_interfaces->0 as nic from hosts")
    assert row is not None
    assert row["disk"] == {"name": "/dev/sda1", "size": "50GB", "mountpoint": "/", "used": "10GB", "available": "40GB"}
    assert row["nic"]["mac_address"] == "0A:1B"
    assert row["nic"]["addresses"] == [{"address": "192.0.2.7", "family": "inet", "netmask": "", "gateway": ""}]


async def test_poisonous_text_is_hashed_as_sent_and_stored_clean(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    packages = [
        package("na\0me", "1\0", description="d\0\\u0000 é e\u0301", sourceRepository="\0"),
        package("x" * 5000, "v" * 100_000, description="d" * 100_000),
        package("\0"),
    ]
    report = full_report(
        packages, [repository("r\0", "c" * 9000)], hostname="h\0ost", cpuModel="\0", reboot_reason="\0"
    )
    answer = await agent.update(report)
    assert answer.status == 200, await answer.text()
    assert "name" in await stored(call)
    assert await call.db.value("select hostname from hosts") == "host"
    assert await call.db.value("select description from packages where name = 'name'") == "d\\u0000 é e\u0301"


async def test_windows_updates_keep_what_only_they_have(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    row = package(
        "Cumulative Update",
        "pending",
        category="Windows Update",
        sourceRepository="Microsoft Update",
        wuaGuid="abc",
        wuaKb="KB5",
        wuaSeverity="Critical",
        wuaCategories=["Windows 11", "Security Updates"],
        wuaSupportUrl="https://x/?a=1&b=2",
        wuaRevisionNumber=200,
    )
    answer = await agent.update(full_report([row]))
    assert answer.status == 200, await answer.text()
    found = await call.db.one(
        "select wua_guid, wua_kb, wua_severity, wua_categories, wua_revision_number from host_packages"
    )
    assert found == {
        "wua_guid": "abc",
        "wua_kb": "KB5",
        "wua_severity": "Critical",
        "wua_categories": ["Windows 11", "Security Updates"],
        "wua_revision_number": 200,
    }


async def test_names_in_another_case_and_what_follows_the_report_do_not_matter(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    body = (
        json.dumps({"PACKAGES": [{"NAME": "a", "currentversion": "1", "needsupdate": None}], "OSTYPE": "Debian"}) + "{}"
    )
    answer = await client.post("/api/v1/hosts/update", headers=agent.headers, data=body.encode())
    assert answer.status == 200, await answer.text()
    assert await stored(call) == {"a": ("1", "", False, False)}
    assert await call.db.value("select os_type from hosts") == "Debian"


async def test_the_same_report_at_the_same_moment_is_stored_once(client: Browser, call: Call) -> None:
    agents = [await enrolled(call, client, f"web-{number}") for number in range(4)]
    packages = [package(f"p{number:03}", sourceRepository=DEBIAN) for number in range(200)]
    bodies = [full_report(packages), full_report(packages[::-1])]
    answers = await asyncio.gather(*(agent.update(body) for agent in agents for body in bodies))
    assert {answer.status for answer in answers} == {200}
    assert await call.db.value("select count(*) from packages") == 200
    assert await call.db.value("select count(*) from host_packages") == 800


async def test_a_report_that_cannot_be_stored_is_said_so(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await call.db.execute("alter table host_packages rename to hidden")
    answer = await agent.update(full_report([package("a")]))
    assert answer.status == 500
    assert await answer.json() == {"error": "Failed to update host"}
    assert await call.db.value("select status from hosts") == "pending"


@pytest.mark.proves("INV-152")
async def test_a_report_clears_the_mark_of_a_changed_host(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    report = full_report([package("a")])
    await agent.update(report)
    for body in (report, full_report([package("b")])):
        await call.db.execute("update hosts set awaiting_report = true")
        await agent.ping()
        assert await call.db.value("select awaiting_report from hosts") is True
        await agent.update(body)
        assert await call.db.value("select awaiting_report from hosts") is False
