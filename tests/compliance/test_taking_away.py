"""Reports of a scan: a page to print, a table, a JSON file."""

import csv
import io
import json

import pytest

from server.compliance import rules
from tests.factories.compliance import Compliance, hand_in, result, scan
from tests.stand_ins.existing_agent import Enrol


async def taken(api: Compliance, scan_id: str, ending: str, *, status: int = 200) -> tuple[str, str]:
    url = f"{api.url}/api/v1/compliance/results/{scan_id}/report.{ending}"
    async with api.session.get(url, headers=api.headers) as answer:
        assert answer.status == status
        return await answer.text(), answer.headers.get("Content-Disposition", "")


async def test_a_scan_can_be_kept_as_a_page_a_table_and_a_file(api: Compliance, enrol: Enrol) -> None:
    agent, _ = await enrol("web-01")
    await hand_in(
        agent,
        scan(
            result("sshd", "fail", "high", title="<script>alert(1)</script>", actual="yes", expected="no"),
            result("formula", "fail", "low", title="=cmd|' /C calc'!A0", remediation="chmod 0600 /x"),
            result("calm"),
            completed_at="2026-11-20T10:00:00Z",
        ),
    )
    (one,) = await api.history()
    page, name = await taken(api, one["id"], "html")
    assert name == f'attachment; filename="compliance-2026-11-20-{one["id"][:8]}.html"'
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    for words in ("web-01", "level1_server", "33.3 %, critical", "Not as required: 2", "Current: yes", "chmod 0600 /x"):
        assert words in page
    assert "http" not in page.replace("http-equiv", ""), "nothing of it is loaded from anywhere"
    table, _ = await taken(api, one["id"], "csv")
    rows = list(csv.DictReader(io.StringIO(table.lstrip("\ufeff"))))
    assert [(row["host"], row["status"]) for row in rows] == [
        ("web-01", "fail"),
        ("web-01", "fail"),
        ("web-01", "pass"),
    ]
    assert not any(row["title"].startswith("=") for row in rows)
    told = json.loads((await taken(api, one["id"], "json"))[0])
    assert [row["rule_ref"] for row in told] == [row["rule_ref"] for row in rows]
    assert told[0]["why"]
    await taken(api, "00000000-0000-0000-0000-000000000001", "html", status=404)


@pytest.mark.parametrize("ending", ["html", "csv", "json"])
async def test_who_may_not_export_gets_none(api: Compliance, enrol: Enrol, ending: str) -> None:
    agent, _ = await enrol("web-01")
    await hand_in(agent, scan(result("calm")))
    (one,) = await api.history()
    await api.ask("GET", f"/compliance/results/{one['id']}")
    api.headers = {}
    await taken(api, one["id"], ending, status=401)


async def test_without_the_scanners_own_result_it_says_why(api: Compliance, enrol: Enrol) -> None:
    agent, _ = await enrol("web-01")
    await hand_in(agent, scan(result("calm")))
    (one,) = await api.history()
    refused = await api.get(f"results/{one['id']}/arf.xml.gz", status=404)
    assert "There is no ARF of this scan" in str(refused)
    refused = await api.get("results/00000000-0000-0000-0000-000000000001/arf.xml.gz", status=404)
    assert "Scan not found" in str(refused)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"result": {"arf": 7}}', b'{"result": {"arf": "****"}}', b'{"result": {"arf": "aGVsbG8="}}'],
)
def test_what_is_no_packed_result_is_none(content: bytes) -> None:
    assert rules.arf_of(content) is None
