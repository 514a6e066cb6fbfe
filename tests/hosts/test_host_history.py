"""What became of a host over time: its reports, its timeline, and how it differs from others."""

import pytest

from server.core.call import Call
from tests.factories.hosts import Browser, enrolled, full_report, package
from tests.factories.people import bearer, role_with
from tests.hosts.test_host_page import host_of, page


@pytest.mark.proves("INV-81", "INV-151")
async def test_reports_tell_what_they_changed_and_what_was_there(
    as_admin: Browser, client: Browser, call: Call
) -> None:
    agent = await enrolled(call, client)
    first = [package("a", "1", "2", isSecurityUpdate=True), package("b", "1"), package("c", "1")]
    await agent.update(full_report(first))
    await agent.update(full_report([package("a", "2"), package("b", "1"), package("d", "5")]))
    await agent.update(full_report([package("a", "2"), package("b", "2"), package("d", "5")]))
    _, uuid = await host_of(call)
    here = f"/api/v1/hosts/{uuid}/package-reports"
    listed = (await (await as_admin.get(here)).json())["reports"]
    assert [one["total_packages"] for one in listed] == [3, 3, 3]
    assert set(listed[0]) == {"id", "status", "date", "total_packages", "outdated_packages", "security_updates",
                              "payload_kb", "execution_time_seconds", "error_message"}  # fmt: skip
    newest, middle, oldest = (one["id"] for one in listed)
    second = await (await as_admin.get(f"{here}/{middle}")).json()
    assert {one["name"]: one["change"] for one in second["changes"]} == {
        "a": "upgraded", "c": "removed", "d": "installed",
    }  # fmt: skip
    then = await (await as_admin.get(f"{here}/{oldest}")).json()
    assert then["packages"] == [{"name": name, "version": "1"} for name in "abc"]
    both = await (await as_admin.get(f"{here}/between?from={newest}&to={oldest}")).json()
    assert [one["name"] for one in both["changes"]] == ["a", "b", "c", "d"]
    assert (await as_admin.get(f"{here}/999999")).status == 404
    assert (await as_admin.get(f"{here}/nonsense")).status == 404
    pages = f"/hosts/{uuid}/reports"
    shown = await page(as_admin, f"{pages}?open={middle}")
    assert shown.count('class="row-detail"') == 1
    assert [word in shown for word in ("Installed", "Removed", "Upgraded")] == [True, True, True]
    assert "was a security update" in shown
    assert "What was installed then" in await page(as_admin, f"{pages}/{oldest}")
    assert "Downgraded" not in await page(as_admin, f"{pages}/between?from={oldest}&to={newest}")


async def test_the_timeline_holds_all_of_it_in_one_column(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("openssl", "1")]))
    await agent.update(full_report([package("openssl", "2")], bootTime="2026-02-02T03:04:05Z"))
    _, uuid = await host_of(call)
    await as_admin.patch(f"/api/v1/hosts/{uuid}/friendly-name", json={"friendly_name": "renamed"})
    text = await page(as_admin, f"/hosts/{uuid}")
    for words in ("Full report", "Packages: 1 changed", "openssl", "Started", "Settings of the host changed",
                  "web-01 → renamed", "Host added"):  # fmt: skip
        assert words in text, words
    only = await page(as_admin, f"/hosts/{uuid}?show=reboots")
    assert only.count("timeline-mark") == 2
    assert "Full report" not in only
    await role_with(call, "watcher", "can_view_hosts")
    watcher = await bearer(call, "watcher")
    seen = await (await client.get(f"/api/v1/dashboard/hosts/{uuid}/activity", headers=watcher)).json()
    kinds = {one["type"] for one in seen["items"]}
    assert "report" in kinds
    assert not {"deed", "packages"} & kinds
    whole = await (await as_admin.get(f"/api/v1/dashboard/hosts/{uuid}/activity?direction=in&limit=2")).json()
    assert set(whole) == {"hostId", "apiId", "friendlyName", "stats", "items", "total"}
    assert len(whole["items"]) == 2 < whole["total"]


async def test_hosts_that_differ(as_admin: Browser, client: Browser, call: Call) -> None:
    same = [package("a", "1"), package("b", "1"), package("c", "1")]
    agent = await enrolled(call, client, "odd")
    await agent.update(full_report([package("a", "1"), package("b", "0"), package("x", "1")]))
    others = [await enrolled(call, client, f"plain-{number}") for number in range(3)]
    for other in others:
        await other.update(full_report(same))
    strange = await enrolled(call, client, "bsd")
    await strange.update(full_report(same, osType="FreeBSD", osVersion="14"))
    uuid = await call.db.value("select uuid from hosts where friendly_name = 'odd'")
    found = await (await as_admin.get(f"/api/v1/hosts/{uuid}/compare")).json()
    assert (found["alike"], found["compared"]) == (3, 3)
    assert {one["name"]: one["difference"] for one in found["packages"]} == {"b": "other", "c": "missing", "x": "extra"}
    assert [(one["missing"], one["extra"], one["other"]) for one in found["hosts"]] == [(1, 1, 1)] * 3
    peer = found["hosts"][0]["id"]
    pair = await (await as_admin.get(f"/api/v1/hosts/{uuid}/compare?with={peer}")).json()
    assert {(one["name"], one["here"], one["there"]) for one in pair["packages"]} == {
        ("b", "0", "1"), ("c", None, "1"), ("x", "1", None),
    }  # fmt: skip
    shown = await page(as_admin, f"/hosts/{uuid}/compare")
    assert "Compared with 3 of 3 hosts" in shown
    assert "plain-0" in await page(as_admin, f"/hosts/{uuid}/compare?with={peer}&only=missing")
