"""How hosts stand, and which rules fail where, through the front door."""

import pytest

from server.compliance import service
from server.core.call import Call
from tests.factories.compliance import Compliance, decided, hand_in, result, scan
from tests.stand_ins.existing_agent import Enrol


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
    before = (await api.get("rules"))["rules"]
    await service.fold(call)
    assert (await call.db.value("select sum(passed + failed + warned) from compliance_tallies")) == 2
    assert (await api.get("rules"))["rules"] == before
