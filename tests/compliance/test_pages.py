"""Every page of compliance answers, whatever there is to show, and says no to who may not."""

import asyncio

import pytest
from aiohttp import ClientResponse

from server.core.call import Call
from tests.conftest import Browser
from tests.factories.compliance import Compliance, confirm, decided, hand_in, result, scan
from tests.factories.people import HTML, role_with, sign_in_as
from tests.stand_ins.existing_agent import Enrol


async def seen(client: Browser, path: str, status: int = 200) -> str:
    answer: ClientResponse = await client.get(path, headers=HTML)
    text = await answer.text()
    assert answer.status == status, (path, answer.status, text[-2000:])
    return text


@pytest.mark.proves(
    "COMP-13",
    "COMP-128", "COMP-129", "COMP-130", "COMP-131", "COMP-132", "COMP-133", "COMP-134", "COMP-135", "COMP-145",
    "COMP-148", "COMP-149", "COMP-150", "COMP-151", "COMP-155", "COMP-156", "COMP-157", "COMP-158", "COMP-159",
)  # fmt: skip
async def test_what_people_see(client: Browser, api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol("web-01", bench=True)
    _, empty = await enrol("web-02", "enabled")
    found = [
        result("sshd", "fail", "high", actual="yes", expected="no", remediation="chmod 0600 /etc/ssh/sshd_config"),
        result("motd", "fail", "low", remediation=""),
        *decided(8, 0),
    ]
    await hand_in(agent, scan(*found), scan(result("bench", "warn"), kind="docker-bench"))
    await sign_in_as(client, call, "superadmin")
    hosts = await seen(client, "/compliance/hosts")
    for words in ("web-01", "web-02", "Scanned", "Enabled", "On-demand", "Scheduled", "OpenSCAP, Docker",
                  "Never scanned", "80 %"):  # fmt: skip
        assert words in hosts, words
    assert "web-02" not in (await seen(client, "/compliance/hosts?status=compliant"))
    assert "/compliance/hosts/" + host + "?status=fail" in hosts
    rules = await seen(client, "/compliance/rules?status=fail&severity=high&search=ssh")
    assert "Rule sshd" in rules
    assert "Rule motd" not in rules
    listed = (await api.get("rules?search=sshd"))["rules"]
    rule = await seen(client, f"/compliance/rules/{listed[0]['id']}")
    for words in ("Current: yes → Required: no", "This fix will update file permissions or ownership",
                  "Because of sshd", "About sshd", "chmod 0600 /etc/ssh/sshd_config", "Affected Hosts"):  # fmt: skip
        assert words in rule, words
    (motd,) = (await api.get("rules?search=motd"))["rules"]
    assert "No remediation steps available." in await seen(client, f"/compliance/rules/{motd['id']}")
    page = await seen(client, f"/compliance/hosts/{host}?status=fail&kind=openscap")
    for words in ("Disconnected", "Rule sshd", "Remediate this rule", "Why (this host)", "Docker Bench"):
        assert words in page, words
    assert "Rule good_0001" not in page
    assert "older than a week" not in page
    await call.db.execute("update compliance_latest set completed_at = completed_at - interval '8 days'")
    await call.db.execute("update compliance_scans set completed_at = completed_at - interval '8 days'")
    assert "older than a week" in await seen(client, f"/compliance/hosts/{host}")
    assert "never completed a scan" in await seen(client, f"/compliance/hosts/{empty}")
    for path in ("/compliance", "/compliance?profile_type=openscap", "/compliance/history"):
        assert "web-01" in await seen(client, path), path
    assert "Warnings by Section" in await seen(client, "/compliance?profile_type=docker-bench")
    settings = await seen(client, "/compliance/settings")
    for words in ("Default Compliance Mode", "Scan Interval", "OpenSCAP Content", "CIS Level 1 Server", "Ubuntu",
                  "Debian", "RHEL", "CentOS", "Rocky Linux", "AlmaLinux", "Fedora", "SLES", "OpenSUSE"):  # fmt: skip
        assert words in settings, words
    assert "Rule sshd" in await seen(client, f"/hosts/{host}/compliance")
    assert f"/hosts/{host}/compliance" in await seen(client, f"/hosts/{host}")
    assert f"/hosts/{empty}/compliance" not in await seen(client, f"/hosts/{empty}")
    await seen(client, "/compliance/rules/nonsense", 404)
    await seen(client, "/compliance/hosts/nonsense", 404)


@pytest.mark.proves("COMP-01", "COMP-02", "COMP-03", "COMP-04", "COMP-05")
async def test_who_may_what(client: Browser, api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol("web-01")
    await hand_in(agent, scan(*decided(3, 1)))
    await role_with(call, "auditor", "can_view_reports", "can_view_hosts")
    await role_with(call, "owner", "can_manage_hosts", "can_view_hosts")
    await role_with(call, "operator", "can_view_reports", "can_manage_compliance")
    looks = ("dashboard", "scans/history", f"scans/{host}", "rules", f"trends/{host}", "scans/active", "hosts")
    deeds = (f"trigger/{host}", f"cancel/{host}", f"remediate/{host}", f"install-scanner/{host}", f"upgrade-ssg/{host}",
             "scans/cleanup", "trigger/bulk")  # fmt: skip
    may = {"auditor": (200, 403, 403), "owner": (403, 403, 200), "operator": (200, 0, 403)}
    for role, (look, deed, mode) in may.items():
        await sign_in_as(client, call, role)
        for path in looks:
            assert (await client.get(f"/api/v1/compliance/{path}")).status == look, (role, path)
        for path in deeds:
            status = (await client.post(f"/api/v1/compliance/{path}", json={})).status
            assert status == deed or (not deed and status not in {401, 403}), (role, path, status)
        answer = await client.post(f"/api/v1/hosts/{host}/integrations/compliance/mode", json={"mode": "enabled"})
        assert answer.status == mode, role
    await sign_in_as(client, call, "superadmin")
    assert "Security Compliance" in await seen(client, "/hosts")
    await api.ask("PUT", "/settings", {"disabled_modules": ["compliance"]})
    for path in looks:
        assert (await client.get(f"/api/v1/compliance/{path}")).status == 403
    for path in deeds:
        assert (await client.post(f"/api/v1/compliance/{path}", json={})).status == 403
    assert "Security Compliance" not in await seen(client, "/hosts")
    for path in ("/compliance", "/compliance/hosts", f"/hosts/{host}/compliance"):
        assert "Upgrade required" in await seen(client, path)


@pytest.mark.proves("COMP-52", "COMP-65", "COMP-66", "COMP-67", "COMP-69", "COMP-90", "COMP-181")
async def test_scanning_from_the_pages(client: Browser, api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol("web-01")
    _, other = await enrol("web-02")
    await sign_in_as(client, call, "superadmin")
    page = await seen(client, f"/compliance/hosts/{host}")
    assert 'title="Host is disconnected"' in page
    assert "Disconnected" in page
    assert 'data-reload="120"' in await seen(client, "/compliance")
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    await agent.connect()
    async with asyncio.timeout(10):
        while (await api.get("hosts?search=web-01"))["hosts"][0]["connected"] is not True:
            await asyncio.sleep(0.05)
    page = await seen(client, f"/compliance/hosts/{host}")
    for words in ("Connected", "Run Scan", "Profile Type", "Enable Remediation", "CIS Level 2 Server"):
        assert words in page, words
    answer = await client.post("/compliance/choose", data={"csrf": csrf, "row": [host, other]}, headers=HTML)
    chosen = await answer.text()
    for words in ("All Profiles", "OpenSCAP Only", "Docker Bench Only", "Enable Remediation", "Scan 2 Hosts", "web-02"):
        assert words in chosen, words
    answer = await client.post("/compliance/scan-many", data={"csrf": csrf, "row": [host, other]}, headers=HTML)
    assert "Compliance scan triggered on 2 hosts" in await answer.text()
    page = await seen(client, "/compliance")
    assert "Triggering…" in page
    assert 'data-reload="5"' in page
    await agent.until(lambda body: body["type"] == "compliance_scan")
    await confirm(agent)
    await api.running()
    await api.post(f"cancel/{other}")
    page = await seen(client, "/compliance")
    for words in ("Scans in Progress", "web-01", 'data-reload="30"', 'aria-label="Connected"'):
        assert words in page, words
    page = await seen(client, "/compliance/hosts")
    for words in ("Cancel the scan of web-01", "OpenSCAP"):
        assert words in page, words
    answer = await client.post(f"/compliance/hosts/{host}/cancel", data={"csrf": csrf}, headers=HTML)
    assert "Cancel request sent for web-01" in await answer.text()
