"""Remediation by playbook: composed of the guide's fixes, tried, approved, applied, and both scans in the history."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

import pytest
import yaml

from server.compliance import fixes, rules
from server.compliance.errors import BadGuide
from server.compliance.models import RemedyRule
from server.compliance.queries import remedies as rows
from server.core.call import Call
from server.settings import service as settings
from tests.conftest import Browser
from tests.factories.compliance import PREFIX, Compliance, decided, hand_in, result, scan
from tests.factories.house import House
from tests.factories.openscap import RULE, guide, needs_oscap, scanned
from tests.factories.overview import page
from tests.factories.people import bearer, person
from tests.stand_ins.existing_agent import Enrol

RULES = {f"{RULE}fixable": "The missing file is there", f"{RULE}unfixable": "The unreachable file is there"}


async def until(api: Compliance, remedy: str, *states: str) -> dict[str, Any]:
    """Ask until the remediation is in one of these states."""
    async with asyncio.timeout(90):
        while (found := await api.get(f"remedies/{remedy}"))["status"] not in states:
            await asyncio.sleep(0.2)
    one: dict[str, Any] = found
    return one


@needs_oscap
@pytest.mark.real
@pytest.mark.timeout(240)
async def test_what_fails_is_tried_approved_applied_and_looked_at_again(
    house: House, unused_tcp_port_factory: Callable[[], int], tmp_path: Path
) -> None:
    async with scanned(house, unused_tcp_port_factory(), tmp_path) as box:
        api, host, missing = box.api, box.host, box.watched / "missing"
        # Composed: nothing was run.
        drafted = await api.post("remedies", {"host_id": host}, status=201)
        fixable, unfixable = drafted["rules"]
        assert (drafted["status"], fixable["before"], fixable["touches"]) == ("draft", "fail", [f"file {missing}"])
        assert unfixable["left_out"] == "The guide has no Ansible fix for it"
        remedy = drafted["id"]
        assert "not tried" in str(await api.post(f"remedies/{remedy}/apply", status=409))
        # Tried: it says what would change, and changed nothing.
        await api.post(f"remedies/{remedy}/check", status=202)
        tried = await until(api, remedy, "checked", "failed")
        assert (tried["status"], tried["reason"], tried["rules"][0]["predicted"]) == ("checked", None, "changes")
        assert not missing.exists()
        # Approved by somebody else, as the settings want it: applied with events like any job, and looked at again.
        await api.ask("PUT", "/compliance/settings", {"compliance_remediation_approval": "second_person"})
        assert "you asked for it" in str(await api.post(f"remedies/{remedy}/apply", status=409))
        second_person = Compliance(api.session, box.url, await bearer(house.call))
        await second_person.post(f"remedies/{remedy}/apply", status=202)
        done = await until(api, remedy, "applied", "failed")
        assert (done["status"], done["reason"], done["rules"][0]["after"]) == ("applied", None, "pass")
        assert missing.stat().st_mode & 0o777 == 0o600
        assert (await api.ask("GET", f"/jobs/{done['apply_job']}"))["status"] == "succeeded"
        assert "The missing file is there" in done["rules"][0]["title"]
        # The host was scanned again by itself; both stand in the history.
        second = await api.scanned(2)
        assert (second["passed"], second["failed"]) == (2, 1)
        assert [one["failed"] for one in await api.history()] == [1, 2]
        refused = await api.post("remedies", {"host_id": host}, status=400)
        assert "has no Ansible fix that agents can run for 1 rule" in str(refused)
        assert await house.call.db.value("select count(*) from playbooks where origin like 'remedy:%%'") == 0
        words = await house.call.db.column(
            "select action from audit_log where action like 'compliance.remedy%%' order by id"
        )
        assert words == ["compliance.remedy_drafted", "compliance.remedy_tried", "compliance.remedy_approved"]


@needs_oscap
@pytest.mark.real
@pytest.mark.timeout(240)
async def test_one_that_breaks_half_way_says_what_stands_and_can_be_tried_again(
    house: House, unused_tcp_port_factory: Callable[[], int], tmp_path: Path
) -> None:
    async with scanned(house, unused_tcp_port_factory(), tmp_path, breaks=True) as box:
        api = box.api
        remedy = (await api.post("remedies", {"host_id": box.host}, status=201))["id"]
        await api.post(f"remedies/{remedy}/check", status=202)
        tried = await until(api, remedy, "checked", "failed")
        assert [one["predicted"] for one in tried["rules"]] == ["changes", "unknown"]
        await api.post(f"remedies/{remedy}/apply", status=202)
        broken = await until(api, remedy, "applied", "failed")
        # The first fix stands, the second one's failure ended the play; both rules were looked at all the same.
        assert broken["status"] == "failed"
        assert [one["after"] for one in broken["rules"]] == ["pass", "fail"]
        assert broken["reason"].startswith(
            "1 rule of 2 still not as required. unfixable: Put the unreachable file there"
        )
        assert "No such file or directory" in broken["reason"]
        assert (box.watched / "missing").exists()
        second = await api.scanned(2)
        assert (second["passed"], second["failed"]) == (2, 1)
        assert "failed: try it again first" in str(await api.post(f"remedies/{remedy}/apply", status=409))
        # What stood in its way is gone: tried and applied again, it does what is left.
        (box.watched / "unreachable").mkdir()
        await api.post(f"remedies/{remedy}/check", status=202)
        tried = await until(api, remedy, "checked", "failed")
        assert [one["predicted"] for one in tried["rules"]] == ["nothing", "unknown"]
        await api.post(f"remedies/{remedy}/apply", status=202)
        done = await until(api, remedy, "applied", "failed")
        assert (done["status"], [one["after"] for one in done["rules"]]) == ("applied", ["pass", "pass"]), done
        assert (await api.scanned(3))["failed"] == 0


@needs_oscap
@pytest.mark.real
@pytest.mark.timeout(240)
async def test_a_host_that_runs_builtin_playbooks_alone_says_so(
    house: House, unused_tcp_port_factory: Callable[[], int], tmp_path: Path
) -> None:
    async with scanned(house, unused_tcp_port_factory(), tmp_path, automation="builtin") as box:
        api, host = box.api, box.host
        wanted = {"host_id": host, "rules": [f"{RULE}fixable"]}
        given_up = (await api.post("remedies", wanted, status=201))["id"]
        assert (await api.post(f"remedies/{given_up}/cancel"))["status"] == "cancelled"
        remedy = (await api.post("remedies", wanted, status=201))["id"]
        await api.post(f"remedies/{remedy}/check", status=202)
        refused = await until(api, remedy, "checked", "failed")
        assert (refused["status"], "builtin" in (refused["reason"] or "")) == ("failed", True), refused
        assert "failed: try it again" in str(await api.post(f"remedies/{remedy}/apply", status=409))


async def test_an_existing_agent_is_told_rule_by_rule(api: Compliance, enrol: Enrol) -> None:
    agent, host = await enrol("old")
    await hand_in(agent, scan(*decided(1, 1)))
    refused = await api.post("remedies", {"host_id": host}, status=409)
    assert "fixes one rule at a time" in str(refused)
    await api.get("remedies/00000000-0000-0000-0000-000000000001", status=404)
    assert (await api.get(f"remedies?host_id={host}"))["remedies"] == []


@needs_oscap
def test_values_of_the_profile_stand_in_the_fix(tmp_path: Path) -> None:
    path = guide(tmp_path / "content", tmp_path / "watched")
    (fixable, unfixable) = fixes.read(path, RULES, "level1_server")
    assert fixable.tasks[0]["ansible.builtin.copy"]["mode"] == "0600"
    assert unfixable.left_out
    (play,) = yaml.safe_load(fixes.playbook("Fix", "level1_server", [fixable, unfixable]))
    (one,) = play["tasks"][0]["block"]
    assert (one["tags"], one["block"][0]["name"]) == ([f"{RULE}fixable"], "fixable: Put the missing file there")
    assert play["tasks"][0]["always"][0]["patchmon.fleet.oscap_scan"]["rules"] == [f"{RULE}fixable"]
    (other,) = fixes.read(path, {f"{RULE}fixable": "{{ lookup('pipe', 'id') }} {% if x %}"}, "level2_server")
    told = yaml.safe_load(fixes.playbook("On {{ host }}", "level2_server", [other]))[0]
    assert "{{" not in told["name"] + told["tasks"][0]["block"][0]["name"]
    nested = fixes.Fix("a_rule_deep", "Deep", ({"block": [{"name": "In", "debug": {}}], "rescue": [{"debug": {}}]},))
    (block,) = yaml.safe_load(fixes.playbook("x", "p", [nested]))[0]["tasks"][0]["block"][0]["block"]
    assert (block["block"][0]["name"], block["rescue"][0]["name"]) == ("deep: In", "deep: Fix")
    assert other.tasks[0]["ansible.builtin.copy"]["mode"] == "0644"


FIX = '<fix system="urn:xccdf:fix:script:ansible">{}</fix>'
BENCHMARK = '<Benchmark xmlns="http://checklists.nist.gov/xccdf/1.2"><Rule id="r">{}</Rule></Benchmark>'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "- name: x\n  ansible.posix.sysctl: {name: a}",
            "needs modules that agents do not carry: ansible.posix.sysctl",
        ),
        ("- name: x\n  block:\n    - no_such_module: {}", "needs modules that agents do not carry: no_such_module"),
        ("just words", "not a list of tasks"),
        ("- [", "cannot be read"),
        ("- !!python/object/apply:os.system [id]", "cannot be read"),
        ("", "no Ansible fix"),
        ("- name: x\n  block: abc", "not a list of tasks"),
        ("- 7: x", "not a list of tasks"),
        ("- debug: {msg: 2024-13-45}", "cannot be read"),
        ("- command: rm x\n  check_mode: false", "even in a dry run"),
        ("- block:\n    - {command: rm x, check_mode: no}", "even in a dry run"),
        ("- patchmon.fleet.no_such: {}", "needs modules that agents do not carry: patchmon.fleet.no_such"),
        ("- &a\n  name: x\n  vars: {b: *a}", "refers to parts of itself"),
        ("- vars: {a: &a [x, x], b: &b [*a, *a], c: [*b, *b]}\n  debug: {}", "refers to parts of itself"),
    ],
)
def test_fixes_that_cannot_be_run_are_left_out_with_the_reason(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "guide.xml"
    path.write_text(BENCHMARK.format(FIX.format(escape(text))))
    (fix,) = fixes.read(path, {"r": "R"}, "p")
    assert (fix.tasks, why in fix.left_out) == ((), True), fix.left_out


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><Benchmark>&b;</Benchmark>',
        '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><Benchmark>&b;</Benchmark>',
        "<Benchmark><Rule>",
        "",
    ],
)
def test_a_hostile_guide_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "guide.xml").write_text(text)
    with pytest.raises(BadGuide):
        fixes.read(tmp_path / "guide.xml", {"r": "R"}, "p")


def test_nothing_is_applied_that_was_not_tried() -> None:
    into = {one for one, moves in rules.REMEDY_MOVES.items() if "applying" in moves}
    assert into == {"checked"}
    assert {one for one, moves in rules.REMEDY_MOVES.items() if "checked" in moves} == {"checking"}
    assert not rules.REMEDY_MOVES["applied"]
    assert set(rules.REMEDY_MOVES) == {to for moves in rules.REMEDY_MOVES.values() for to in moves} | {"draft"}


async def drafted(call: Call, host: str, *refs: str) -> str:
    """A remediation as if it was composed and tried for these rules."""
    lines = [asdict(RemedyRule(ref, ref, "high", "f")) for ref in refs]
    one, user = str(uuid4()), await person(call, "admin")
    row = {"profile": "level1_server", "guide": "A guide", "rules": lines, "playbook": "- hosts: all\n"}
    async with call.transaction() as tx:
        key = await tx.value("select id from hosts where uuid = %(host)s::uuid", host=host)
        await rows.insert(tx, one, key, {**row, "by": user.username, "by_id": str(user.id)}, call.now)
        await rows.move(tx, one, "checked", {"checked_at": call.now})
    return one


async def test_a_dry_run_grows_old_and_a_scan_since_makes_it_worthless(
    api: Compliance, enrol: Enrol, call: Call
) -> None:
    agent, host = await enrol("web-01")
    await hand_in(agent, scan(*decided(1, 2)))
    remedy = await drafted(call, host, f"{PREFIX}bad_0000", f"{PREFIX}bad_0001")
    assert (await api.get(f"remedies/{remedy}"))["checked_at"]
    # The same two fail still: nothing is different, so it gets as far as the agent that runs no playbook.
    await hand_in(agent, scan(*decided(1, 2)))
    assert await rows.count_changed(call.db, remedy) == 0
    await hand_in(agent, scan(result("bad_0000"), result("bad_0001", "fail")))
    refused = await api.post(f"remedies/{remedy}/apply", status=409)
    assert "1 rule of it stands differently: try it again" in str(refused)
    await call.db.execute("update compliance_remedies set checked_at = now() + interval '1 hour'")
    assert await rows.count_changed(call.db, remedy) == 0, "tried after that scan"
    await call.db.execute("delete from compliance_latest")
    await call.db.execute("update compliance_remedies set checked_at = now() - interval '8 days'")
    assert "older than 7 days" in str(await api.post(f"remedies/{remedy}/apply", status=409))


async def test_it_is_turned_down_with_a_reason_that_is_read(
    api: Compliance, enrol: Enrol, call: Call, as_admin: Browser
) -> None:
    agent, host = await enrol("web-01")
    await hand_in(agent, scan(*decided(1, 1)))
    first, remedy = await drafted(call, host, f"{PREFIX}bad_0000"), await drafted(call, host, f"{PREFIX}bad_0000")
    await call.db.execute(
        "update compliance_remedies set asked_at = asked_at - interval '1 day' where id = %(first)s::uuid", first=first
    )
    seen = await page(as_admin, f"/compliance/remedies/{remedy}")
    assert f"/compliance/remedies/{first}" in seen
    assert "it is the same playbook" in seen
    assert "Say why" in str(await api.post(f"remedies/{remedy}/reject", {"reason": "  "}, status=400))
    done = await api.post(f"remedies/{remedy}/reject", {"reason": "Not\nbefore the  audit"})
    assert (done["status"], done["reason"]) == ("rejected", "Not before the audit")
    seen = await page(as_admin, f"/compliance/remedies/{remedy}")
    assert f"{done['rejected_by']} turned it down" in seen
    assert "Approve and apply" not in seen
    assert "turned down" in str(await api.post(f"remedies/{remedy}/apply", status=409))
    assert "turned down" in str(await api.post(f"remedies/{remedy}/check", status=409))


async def test_who_asked_sees_that_somebody_else_has_to_approve(enrol: Enrol, call: Call, as_admin: Browser) -> None:
    agent, host = await enrol("web-01")
    await hand_in(agent, scan(*decided(1, 1)))
    remedy = await drafted(call, host, f"{PREFIX}bad_0000")
    await call.db.execute(
        "update compliance_remedies set asked_id = (select id::text from users where role = 'superadmin')"
    )
    assert "Approve and apply" in await page(as_admin, f"/compliance/remedies/{remedy}")
    await settings.change(call, {"compliance_remediation_approval": "second_person"})
    seen = await page(as_admin, f"/compliance/remedies/{remedy}")
    assert "somebody else has to approve it" in seen
    assert "Approve and apply" not in seen
    assert "Turn down" in seen


@pytest.mark.parametrize(
    ("rule", "asked", "asker", "may"),
    [
        ("anyone", "7", "7", True),
        ("second_person", "7", "7", False),
        ("second_person", "7", "8", True),
        ("second_person", "", "8", True),
    ],
)
def test_who_approves(rule: str, asked: str, asker: str, *, may: bool) -> None:
    assert rules.may_approve(rule, asked_id=asked, asker=asker) is may
