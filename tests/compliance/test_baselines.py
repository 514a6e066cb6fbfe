"""A host held against a scan that somebody called good, and against the hosts of a group."""

from typing import Any

import pytest

from server.compliance.comparing import side_of
from server.core.call import Call
from server.hosts import service as hosts
from tests.conftest import Browser
from tests.factories.compliance import PREFIX, Compliance, hand_in, result, scan
from tests.factories.overview import page
from tests.factories.people import HTML, form_token
from tests.factories.scopes import limited, program_of
from tests.stand_ins.existing_agent import Enrol

GOOD = (result("a"), result("b", "fail", "high"), result("c"))
WORSE = (result("a", "fail", "high"), result("b"), result("c", "fail", "low"))


async def held(api: Compliance, host: str, body: dict[str, str] | None = None, *, status: int = 200) -> Any:
    method = "GET" if body is None else "PUT"
    return await api.ask(method, f"/compliance/hosts/{host}/baseline", body, status=status)


async def test_later_scans_are_held_against_a_baseline(
    api: Compliance, enrol: Enrol, call: Call, as_admin: Browser
) -> None:
    agent, host = await enrol("web-01")
    other, _ = await enrol("web-02")
    await hand_in(other, scan(*GOOD))
    (foreign,) = await api.history()
    await hand_in(agent, scan(*GOOD, completed_at="2026-11-01T10:00:00Z"))
    first = (await api.get(f"scans/{host}/latest"))["id"]
    assert (await held(api, host))["baseline"] is None
    assert "of another host" in str(await held(api, host, {"scan_id": foreign["id"]}, status=400))
    await held(api, host, {"scan_id": "nothing"}, status=404)
    assert (await held(api, host, {"scan_id": first}))["baseline"]["scan_id"] == first
    assert "This scan is the host" in await page(as_admin, f"/compliance/hosts/{host}")
    await hand_in(agent, scan(*WORSE, completed_at="2026-11-02T10:00:00Z"))
    found = (await held(api, host))["baseline"]
    assert (found["scan_id"], found["worse"], found["better"]) == (first, 2, 1)
    seen = await page(as_admin, f"/compliance/hosts/{host}")
    assert "2 rules worse, 1 better" in seen
    # By hand: the newest becomes the baseline, then none is.
    second = (await api.get(f"scans/{host}/latest"))["id"]
    token = await form_token(as_admin, f"/compliance/hosts/{host}")
    here = f"/compliance/hosts/{host}/baseline"
    done = await as_admin.post(here, data={"csrf": token, "scan": second}, headers=HTML)
    assert "Later scans are held against this one" in await done.text()
    assert (await held(api, host))["baseline"]["scan_id"] == second
    await as_admin.post(here, data={"csrf": token, "forget": "openscap"}, headers=HTML)
    assert (await held(api, host))["baseline"] is None
    assert await api.ask("DELETE", f"/compliance/hosts/{host}/baseline") == {"success": False}
    words = await call.db.column("select action from audit_log where action like 'compliance.baseline%%' order by id")
    assert words == ["compliance.baseline_set", "compliance.baseline_set", "compliance.baseline_forgotten"]


async def test_a_host_stands_beside_a_group_where_they_differ_most_first(
    api: Compliance, enrol: Enrol, call: Call, as_admin: Browser
) -> None:
    group = str((await hosts.create_group(call, "Web <1>", "", "#112233"))["id"])
    for name, rows in (("web-02", GOOD), ("web-03", GOOD), ("web-04", (*GOOD, result("only")))):
        agent, member = await enrol(name)
        await hand_in(agent, scan(*rows))
        await hosts.set_groups(call, member, [group])
    agent, host = await enrol("web-01")
    never = await api.get(f"compare/group?host_id={host}&group_id={group}", status=409)
    assert "web-01 never completed a scan" in str(never)
    await hand_in(agent, scan(*WORSE))
    found = await api.get(f"compare/group?host_id={host}&group_id={group}")
    assert (found["group_name"], found["group_average_score"]) == ("Web <1>", 69.45)
    short = [
        (
            one["rule_ref"].removeprefix(PREFIX),
            one["status"],
            one["hosts_as_required"],
            one["hosts"],
            one["host_stands"],
        )
        for one in found["rules"]
    ]
    assert short == [("a", "fail", 3, 3, "worse"), ("c", "fail", 3, 3, "worse"), ("b", "pass", 0, 3, "better")]
    seen = await page(as_admin, f"/compliance/hosts/{host}/beside?group={group}")
    for words in ("Web &lt;1&gt;", "Worse than most", "Better than most", "3 of 3 hosts", "Rule a"):
        assert words in seen
    assert f'<option value="{group}">' in await page(as_admin, f"/compliance/hosts/{host}")
    assert "Name the group" in str(await api.get(f"compare/group?host_id={host}", status=400))
    await api.get(f"compare/group?host_id={host}&group_id=nothing", status=404)


async def test_who_sees_some_groups_compares_with_no_other(api: Compliance, enrol: Enrol, call: Call) -> None:
    mine, other = [str((await hosts.create_group(call, name, "", "#112233"))["id"]) for name in ("Mine", "Other")]
    agent, host = await enrol("web-01")
    await hand_in(agent, scan(*GOOD))
    await hosts.set_groups(call, host, [mine, other])
    theirs = Compliance(api.session, api.url, await program_of(call, await limited(call, mine)))
    assert (await theirs.get(f"compare/group?host_id={host}&group_id={mine}"))["group_name"] == "Mine"
    await theirs.get(f"compare/group?host_id={host}&group_id={other}", status=404)
    _, foreign = await enrol("db-01")
    await held(theirs, foreign, status=404)


@pytest.mark.parametrize(
    ("state", "good", "total", "side"),
    [("f", 3, 3, "worse"), ("f", 2, 4, "alike"), ("f", 0, 3, "alike"), ("p", 1, 3, "better"), ("p", 3, 3, "alike"),
     ("n", 0, 2, "better"), ("e", 2, 3, "worse"), ("s", 0, 3, "alike")],
)  # fmt: skip
def test_on_which_side_a_host_stands(state: str, good: int, total: int, side: str) -> None:
    assert side_of(state, good, total) == side
