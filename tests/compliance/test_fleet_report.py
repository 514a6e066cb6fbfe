"""Reports of the fleet and of one of its groups."""

import csv
import io

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from server.compliance import fleet_report
from server.core.call import Call
from server.hosts import service as hosts
from tests.conftest import Browser
from tests.factories.automation import url_of
from tests.factories.compliance import Compliance, decided, hand_in, scan
from tests.factories.overview import page
from tests.factories.people import token_of
from tests.factories.scopes import limited
from tests.stand_ins.existing_agent import Enrol

REPORT = "/compliance/report"


async def lines(api: Compliance, query: str = "") -> list[dict[str, str]]:
    async with api.session.get(f"{api.url}/api/v1{REPORT}.csv{query}", headers=api.headers) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["Content-Disposition"].endswith('.csv"')
        return list(csv.DictReader(io.StringIO(await answer.text())))


async def two(enrol: Enrol, call: Call) -> str:
    """Two hosts that were scanned and one that was not; the group of the second."""
    group = str((await hosts.create_group(call, "Web <servers>", "", "#112233"))["id"])
    for name, failed in (("=web-01", 1), ("web-02", 4)):
        agent, host = await enrol(name)
        await hand_in(agent, scan(*decided(4, failed)))
        if name == "web-02":
            await hosts.set_groups(call, host, [group])
    await enrol("idle")
    return group


async def test_a_table_of_every_host_and_of_one_group(api: Compliance, enrol: Enrol, call: Call) -> None:
    group = await two(enrol, call)
    found = await lines(api)
    assert [(one["host"], one["score"], one["failed"], one["status"]) for one in found] == [
        ("'=web-01", "80.0", "1", "compliant"),
        ("idle", "", "", "unscanned"),
        ("web-02", "50.0", "4", "critical"),
    ]
    assert found[2]["scanner"] == "OpenSCAP"
    assert [one["host"] for one in await lines(api, f"?group={group}")] == ["web-02"]


async def test_more_hosts_than_are_read_at_once_are_all_there(
    api: Compliance, enrol: Enrol, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two(enrol, call)
    monkeypatch.setattr(fleet_report, "_HANDFUL", 2)
    assert [one["host"] for one in await lines(api)] == ["'=web-01", "idle", "web-02"]


async def test_an_object_with_numbers_rules_and_hosts(api: Compliance, enrol: Enrol, call: Call) -> None:
    group = await two(enrol, call)
    whole = await api.get("report.json")
    assert (whole["place"], whole["numbers"]["total_hosts"], len(whole["hosts"])) == ("Whole fleet", 2, 3)
    assert whole["rules"][0]["hosts_failed"] == 2
    assert whole["failures_by_severity"] == {"critical": 0, "high": 5, "medium": 0, "low": 0, "unknown": 0}
    part = await api.get(f"report.json?group={group}")
    assert (part["place"], part["numbers"]["total_hosts"], len(part["hosts"])) == ("Web <servers>", 1, 1)
    assert {one["hosts_failed"] for one in part["rules"]} == {1}
    await api.get("report.json?group=00000000-0000-0000-0000-000000000001", status=404)
    await api.get("report.json?group=nonsense", status=404)


async def test_a_page_to_print_stands_alone(api: Compliance, enrol: Enrol, call: Call) -> None:
    group = await two(enrol, call)
    async with api.session.get(f"{api.url}/api/v1{REPORT}.html?group={group}", headers=api.headers) as answer:
        text = await answer.text()
        assert 'filename="compliance-' in answer.headers["Content-Disposition"]
    assert "Web &lt;servers&gt;" in text
    assert "<dt>Critical (below 60 %)</dt>" in text
    assert "web-02" in text
    assert "web-01" not in text
    assert "src=" not in text, "nothing is loaded from anywhere"
    assert "href=" not in text


async def test_who_sees_some_groups_gets_a_report_of_these(server: TestServer, enrol: Enrol, call: Call) -> None:
    group = await two(enrol, call)
    other = str((await hosts.create_group(call, "Other", "", "#112233"))["id"])
    async with ClientSession() as session:
        token = await token_of(call, await limited(call, group))
        theirs = Compliance(session, url_of(server), {"Authorization": f"Bearer {token}"})
        assert [one["host"] for one in await lines(theirs)] == ["web-02"]
        assert (await theirs.get("report.json"))["place"] == "All groups you see"
        await theirs.get(f"report.json?group={other}", status=404)


async def test_the_overview_offers_it(as_admin: Browser, enrol: Enrol, call: Call) -> None:
    assert "report-dialog" not in await page(as_admin, "/compliance")
    group = await two(enrol, call)
    seen = await page(as_admin, "/compliance")
    assert f'<option value="{group}">Web &lt;servers&gt;</option>' in seen
