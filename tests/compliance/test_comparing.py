"""Two scans beside each other: what got better, what got worse."""

import pytest

from server.compliance.comparing import change_of
from server.core.call import Call
from tests.conftest import Browser
from tests.factories.compliance import Compliance, hand_in, result, scan
from tests.factories.people import HTML, sign_in_as
from tests.stand_ins.existing_agent import Enrol


async def test_differences_come_worst_first(api: Compliance, enrol: Enrol, client: Browser, call: Call) -> None:
    agent, host = await enrol("web-01")
    was = [result("a"), result("b", "fail", "high"), result("c"), result("d", "skipped"), result("e")]
    now = [result("a", "fail", "high"), result("b"), result("c"), result("d", "error"), result("f")]
    await hand_in(agent, scan(*was, completed_at="2026-11-01T10:00:00Z"))
    await hand_in(agent, scan(*now, completed_at="2026-11-02T10:00:00Z"))
    second, first = [one["id"] for one in await api.history()]
    found = await api.get(f"compare?first={first}&second={second}")
    short = [(one["rule_ref"][-1], one["before"], one["after"], one["change"]) for one in found["differences"]]
    assert short == [
        ("a", "pass", "fail", "worse"),
        ("b", "fail", "pass", "better"),
        ("f", None, "pass", "new"),
        ("e", "pass", None, "gone"),
        ("d", "skipped", "error", "other"),
    ]
    assert found["same"] == 1
    other, _ = await enrol("web-02")
    await hand_in(other, scan(*now))
    alike = (await api.history())[0]["id"]
    assert (await api.get(f"compare?first={second}&second={alike}"))["differences"] == []
    await api.get(f"compare?first={second}&second=nothing", status=404)
    await sign_in_as(client, call, "superadmin")
    page = await (await client.get(f"/compliance/compare?first={first}&second={second}", headers=HTML)).text()
    for words in ("Compare scans", "Worse", "Rule a", "Not looked at", "web-01"):
        assert words in page
    tab = await (await client.get(f"/compliance/hosts/{host}", headers=HTML)).text()
    assert f"/compliance/compare?first={first}&amp;second={second}" in tab


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [("p", "f", "worse"), ("n", "w", "worse"), ("e", "p", "better"), ("f", "n", "better"), ("p", "n", "other"),
     ("f", "w", "other"), ("", "f", "new"), ("f", "", "gone"), ("s", "p", "other")],
)  # fmt: skip
def test_what_a_change_is(before: str, after: str, change: str) -> None:
    assert change_of(before, after) == change
