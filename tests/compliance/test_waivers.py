"""Waivers: a rule may fail somewhere for a reason and until a day, and a second score says what stands without it."""

from datetime import date, timedelta
from typing import Any

from server.compliance import waivers
from server.compliance.events import ComplianceWaiverExpired, ComplianceWaiverExpiring
from server.compliance.queries import remedies
from server.core.call import Call
from tests.conftest import Browser
from tests.factories.compliance import Compliance, hand_in, result, scan
from tests.factories.people import HTML, form_token, role_with, sign_in_as
from tests.factories.scopes import limited, program_of
from tests.stand_ins.existing_agent import Enrol

FOUND = (
    result("good", "pass"), result("bad", "fail", "high"), result("worse", "fail", "critical"),
    result("odd", "error", "low"),
)  # fmt: skip


def in_days(call: Call, days: int) -> str:
    return (waivers.today(call) + timedelta(days=days)).isoformat()


async def waive(
    api: Compliance, call: Call, host: str, rule: str = "bad", *, status: int = 201, **more: Any
) -> dict[str, Any]:
    """Waive a rule on a host for 90 days."""
    body = {
        "rule_id": f"xccdf_org.ssgproject.content_rule_{rule}", "target": "host", "target_id": host,
        "reason": "The vendor's image needs it", "owner": "Ada Obi", "expires_on": in_days(call, 90), **more,
    }  # fmt: skip
    found: dict[str, Any] = await api.post("waivers", body, status=status)
    return found


async def stands(api: Compliance, name: str = "old-01") -> tuple[float, int, float]:
    """How a host stands: its score, what is waived, its score with waivers."""
    (row,) = [one for one in (await api.get("hosts"))["hosts"] if one["name"] == name]
    return row["score"], row["waived"], row["score_with_waivers"]


async def test_a_waived_rule_still_fails_and_a_second_score_leaves_it_out(
    api: Compliance, enrol: Enrol, call: Call
) -> None:
    agent, host = await enrol()
    await hand_in(agent, scan(*FOUND))
    assert await stands(api) == (25.0, 0, 25.0)
    made = await waive(api, call, host)
    assert (made["where"], made["state"], made["hosts_covered"], made["owner"]) == ("old-01", "active", 1, "Ada Obi")
    assert await stands(api) == (25.0, 1, 33.33)
    # The plain numbers mean what they did, and both stand beside each other.
    summary = (await api.get("dashboard"))["summary"]
    assert (summary["average_score"], summary["average_score_with_waivers"]) == (25.0, 33.33)
    assert (summary["total_failed"], summary["total_waived"], summary["hosts_waived"]) == (2, 1, 1)
    latest = await api.get(f"scans/{host}/latest")
    assert (latest["failed"], latest["waived"], latest["score_with_waivers"]) == (2, 1, 33.33)
    until = {one["rule_ref"][-5:]: one["waived_until"] for one in latest["compliance_results"]}
    assert until == {"_good": None, "e_bad": made["expires_on"], "worse": None, "e_odd": None}
    detail = await api.get(f"rules/{made['rule_id']}")
    assert (detail["summary"]["failing"], detail["waived_hosts"]) == (1, 1)
    assert detail["affected_hosts"][0]["waived_until"] == made["expires_on"]
    assert await call.db.value("select waived_by from compliance_latest") == [0, 1, 0, 0, 0]
    # Revoked: it counts again, and who did it says why.
    await api.post(f"waivers/{made['id']}/revoke", {"reason": " "}, status=400)
    gone = await api.post(f"waivers/{made['id']}/revoke", {"reason": "The image was replaced"})
    assert (gone["state"], gone["revoked_reason"]) == ("revoked", "The image was replaced")
    assert gone["revoked_by"]
    assert await stands(api) == (25.0, 0, 25.0)
    await api.post(f"waivers/{made['id']}/revoke", {"reason": "Once more"}, status=409)
    await api.ask("PATCH", f"/compliance/waivers/{made['id']}", {"owner": "Bo"}, status=409)
    words = await call.db.column("select action from audit_log where action like 'compliance.waiver%%' order by id")
    assert words == ["compliance.waiver_created", "compliance.waiver_revoked"]


async def test_numbers_follow_scans_groups_and_waivers(api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol()
    other, away = await enrol("other")
    await hand_in(agent, scan(*FOUND))
    await hand_in(other, scan(*FOUND))
    group = (await api.ask("POST", "/host-groups", {"name": "Kiosks"}, status=201))["id"]
    made = await waive(api, call, group, target="group")
    assert (made["where"], made["hosts_covered"]) == ("Kiosks", 0)
    assert (await stands(api))[1] == 0
    # Who comes into the group is covered, and who leaves it is not.
    await api.ask("PUT", f"/hosts/{host}/groups", {"groupIds": [group]})
    assert [(await stands(api, name))[1] for name in ("old-01", "other")] == [1, 0]
    # Two waivers of one rule count once.
    both = await waive(api, call, host)
    assert (await stands(api))[1] == 1
    await api.ask("PUT", f"/hosts/{host}/groups", {"groupIds": []})
    assert (await stands(api))[1] == 1
    await api.post(f"waivers/{both['id']}/revoke", {"reason": "Enough"})
    assert (await stands(api))[1] == 0
    # The whole fleet, a scan that comes later, and one in which the rule passes.
    assert (await waive(api, call, "", "worse", target="fleet"))["hosts_covered"] == 2
    assert [(await stands(api, name))[1] for name in ("old-01", "other")] == [1, 1]
    third, _ = await enrol("third")
    await hand_in(third, scan(*FOUND))
    assert (await stands(api, "third"))[1] == 1
    await hand_in(third, scan(result("good"), result("worse", "pass", "critical")))
    assert await stands(api, "third") == (100.0, 0, 100.0)
    # Tallies of rules are those of the letters alone.
    listed = {one["rule_ref"][-5:]: one["hosts_failed"] for one in (await api.get("rules"))["rules"]}
    assert (listed["e_bad"], listed["worse"]) == (2, 2)
    assert await call.db.value("select count(*) from compliance_latest where standing") == 3
    # A group that goes takes its waivers along; a host takes its own.
    await api.ask("DELETE", f"/host-groups/{group}")
    await waive(api, call, away)
    await call.db.execute("delete from hosts where uuid = %(host)s", host=away)
    assert [one["target"] for one in (await api.get("waivers?status=active"))["waivers"]] == ["fleet"]


async def test_docker_bench_warns_where_openscap_fails(api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol(bench=True)
    found = (result("good"), result("bad", "warn", "high"))
    await hand_in(agent, scan(*found, kind="docker-bench"))
    await waive(api, call, host)
    assert await stands(api) == (50.0, 1, 100.0)
    assert await call.db.value("select waived_by from compliance_latest") == [0, 0, 0, 0, 0]


async def test_what_is_asked_for_must_make_sense(api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol()
    await hand_in(agent, scan(*FOUND))
    for wrong, said in (
        ({"reason": "  "}, "Say why the rule may fail"),
        ({"owner": ""}, "Say who answers for it"),
        ({"owner": "x" * 201}, "owner may have at most 200 characters"),
        ({"expires_on": None}, "a waiver needs a last day"),
        ({"expires_on": in_days(call, -1)}, "The last day must be today or later"),
        ({"expires_on": in_days(call, 732)}, "at most two years ahead"),
        ({"expires_on": "soon"}, "expires_on"),
        ({"target": "planet"}, "target"),
    ):
        assert said in str(await waive(api, call, host, status=400, **wrong))
    await waive(api, call, host, "nobody_knows", status=404)
    await waive(api, call, "nobody", status=404)
    await waive(api, call, host, target="group", status=404)
    await waive(api, call, host, expires_on=in_days(call, 0))
    assert "waived there already" in str(await waive(api, call, host, status=409))
    await api.get("waivers?status=nonsense", status=400)
    await api.get("waivers/nonsense", status=404)
    await api.post("waivers/nonsense/revoke", {"reason": "x"}, status=404)


async def test_lists_are_narrowed_and_taken_away(api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol()
    _, other = await enrol("other")
    await hand_in(agent, scan(*FOUND))
    await waive(api, call, host, expires_on=in_days(call, 30), reason="=cmd()")
    await waive(api, call, other, "worse")
    await waive(api, call, "", "odd", target="fleet", owner="Bo Lind")

    async def refs(query: str) -> list[str]:
        return [one["rule_ref"][-5:] for one in (await api.get(f"waivers?{query}"))["waivers"]]

    assert await refs("") == ["e_bad", "e_odd", "worse"], "what ends first is on top"
    assert await refs("status=expiring") == ["e_bad"]
    assert len(await refs("status=active")) == 3
    assert await refs("status=revoked") == []
    assert await refs(f"host_id={host}") == ["e_bad", "e_odd"]
    assert await refs("search=bo+lind") == ["e_odd"]
    assert await refs(f"rule={FOUND[2]['rule_ref']}") == ["worse"]
    assert (await api.get("waivers?limit=1"))["pagination"]["total"] == 3
    async with api.session.get(f"{api.url}/api/v1/compliance/waivers/export.csv", headers=api.headers) as answer:
        lines = (await answer.text()).splitlines()
    assert lines[0].startswith("rule_ref,rule_title,severity,target,where,state,owner,reason,expires_on")
    assert "'=cmd()" in lines[1]
    assert f",{in_days(call, 30)},1," in lines[1]
    assert len(lines) == 4


async def test_it_ends_by_the_clock_and_its_end_is_announced_before(api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol()
    await hand_in(agent, scan(*FOUND))
    made = await waive(api, call, host, expires_on=in_days(call, 7))
    async with call.world.bus.following(ComplianceWaiverExpiring.name) as bell:
        assert await waivers.keep(call) == (0, 1)
        assert await bell.ring(within=5)
    assert await waivers.keep(call) == (0, 0), "once"
    # Extended: it is announced again when that day is near.
    later = await api.ask("PATCH", f"/compliance/waivers/{made['id']}", {"expires_on": in_days(call, 5)})
    assert (later["expires_on"], later["reason"]) == (in_days(call, 5), made["reason"])
    assert await waivers.keep(call) == (0, 1)
    await _age(call, made["id"])
    assert (await stands(api))[1] == 1
    async with call.world.bus.following(ComplianceWaiverExpired.name) as bell:
        assert await waivers.keep(call) == (1, 0)
        assert await bell.ring(within=5)
    assert (await stands(api))[1] == 0
    assert (await api.get(f"waivers/{made['id']}"))["state"] == "expired"
    # A later day brings it back, unless there is another one by now.
    other = await waive(api, call, host)
    change = {"expires_on": in_days(call, 20)}
    await api.ask("PATCH", f"/compliance/waivers/{made['id']}", change, status=409)
    await api.post(f"waivers/{other['id']}/revoke", {"reason": "Enough"})
    assert (await api.ask("PATCH", f"/compliance/waivers/{made['id']}", change))["state"] == "expiring"
    assert (await stands(api))[1] == 1
    await api.ask("PATCH", f"/compliance/waivers/{made['id']}", {"owner": " "}, status=400)
    words = await call.db.column("select detail from audit_log where action = 'compliance.waiver_changed' order by id")
    assert words[0]["expires_on"]["after"] == in_days(call, 5)


async def _age(call: Call, waiver: str) -> None:
    yesterday: date = waivers.today(call) - timedelta(days=1)
    await call.db.execute(
        "update compliance_waivers set expires_on = %(day)s where id = %(waiver)s::uuid", day=yesterday, waiver=waiver
    )


async def test_who_is_limited_waives_within_their_groups(api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol("mine")
    other, away = await enrol("theirs")
    await hand_in(agent, scan(*FOUND))
    await hand_in(other, scan(*FOUND))
    group = (await api.ask("POST", "/host-groups", {"name": "Mine"}, status=201))["id"]
    foreign = (await api.ask("POST", "/host-groups", {"name": "Theirs"}, status=201))["id"]
    await api.ask("PUT", f"/hosts/{host}/groups", {"groupIds": [group]})
    everywhere = await waive(api, call, "", "worse", target="fleet")
    hidden = await waive(api, call, away)
    mine = Compliance(api.session, api.url, await program_of(call, await limited(call, group, role="admin")))
    assert (await waive(mine, call, host))["where"] == "mine"
    await waive(mine, call, group, target="group")
    await waive(mine, call, away, status=404)
    await waive(mine, call, foreign, target="group", status=404)
    await waive(mine, call, "", target="fleet", status=403)
    listed = (await mine.get("waivers"))["waivers"]
    assert sorted(one["target"] for one in listed) == ["fleet", "group", "host"]
    assert {one["hosts_covered"] for one in listed} == {1}, "hosts of others are not counted"
    await mine.get(f"waivers/{hidden['id']}", status=404)
    await mine.post(f"waivers/{everywhere['id']}/revoke", {"reason": "x"}, status=403)


async def test_what_is_waived_is_remediated_only_where_it_is_named(api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol()
    await hand_in(agent, scan(*FOUND))
    await waive(api, call, host)

    async def failing(refs: list[str] | None, *, waived: bool) -> list[str]:
        found = await remedies.list_failing(call.db, None, host, refs, waived=waived)
        return [one["ref"].rpartition("_")[2] for one in found]

    assert await failing(None, waived=False) == ["worse"]
    assert await failing(None, waived=True) == ["bad", "worse"]
    refs = [one["rule_ref"] for one in FOUND]
    assert await failing(refs, waived=True) == ["bad", "worse"]


async def test_reports_say_what_is_waived(api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol()
    await hand_in(agent, scan(*FOUND))
    report = f"results/{(await api.get(f'scans/{host}/latest'))['id']}/report"
    assert "waivers" not in await text_of(api, f"{report}.html")
    until = (await waive(api, call, host))["expires_on"]
    page = await text_of(api, f"{report}.html")
    assert "33.3 %: 1 of the rules below is waived" in page
    assert f"waived until {until}" in page
    rows = {one["rule_ref"][-5:]: one for one in await api.get(f"{report}.json")}
    assert (rows["e_bad"]["waived_until"], rows["worse"]["waived_until"]) == (until, None)
    assert rows["e_bad"]["status"] == "fail"
    lines = (await text_of(api, f"{report}.csv")).splitlines()
    assert lines[0].endswith(",waived_until")
    assert sum(line.endswith(f",{until}") for line in lines) == 1


async def text_of(api: Compliance, path: str) -> str:
    async with api.session.get(f"{api.url}/api/v1/compliance/{path}", headers=api.headers) as answer:
        assert answer.status == 200
        return await answer.text()


# ---------------------------------------------------------------- in the browser


async def shown(client: Browser, path: str, status: int = 200) -> str:
    answer = await client.get(path, headers=HTML)
    text = await answer.text()
    assert answer.status == status, (path, answer.status, text[-2000:])
    return " ".join(text.split())


async def test_people_waive_change_and_revoke_on_pages(
    client: Browser, api: Compliance, enrol: Enrol, call: Call
) -> None:
    agent, host = await enrol()
    await hand_in(agent, scan(*FOUND))
    (rule,) = (await api.get("rules?search=worse"))["rules"]
    await sign_in_as(client, call, "superadmin")
    home = f"/compliance/hosts/{host}"
    before = await shown(client, home)
    assert "Waive this rule…" in before
    assert "Score with waivers" not in before
    form = f"/compliance/waivers/new?rule={rule['id']}&host={host}&here={home}"
    page = await shown(client, form)
    assert "Host old-01" in page
    assert "Whole fleet" in page
    token = await form_token(client, form)
    typed = {
        "csrf": token, "rule": rule["id"], "here": home, "place": f"host:{host}", "reason": "", "owner": "Ada Obi",
        "expires_on": in_days(call, 20),
    }  # fmt: skip
    refused = await client.post("/compliance/waivers", data=typed)
    text = await refused.text()
    assert refused.status == 400
    assert "Say why the rule may fail" in text
    assert in_days(call, 20) in text, "what was typed stays"
    for wrong in ({"place": "planet:"}, {"expires_on": "soon"}, {"expires_on": ""}):
        answer = await client.post("/compliance/waivers", data={**typed, "reason": "Legacy", **wrong})
        assert answer.status == 400, wrong
    made = await client.post("/compliance/waivers", data={**typed, "reason": "Legacy"}, allow_redirects=False)
    assert (made.status, made.headers["Location"]) == (303, home)
    again = await client.post("/compliance/waivers", data={**typed, "reason": "Legacy"})
    assert again.status == 409
    assert "waived there already" in await again.text()
    until = f"Waived until {in_days(call, 20)}"
    for path, words in (
        (home, (until, "Score with waivers", "33.3 %", "25 %", "Fail")),
        (f"/hosts/{host}/compliance", (until, "Score with waivers")),
        (f"{home}?waived=yes", (until,)),
        (f"/compliance/rules/{rule['id']}", (until, "Waivers in force", "Ada Obi", "Legacy", "Expires soon")),
        ("/compliance/hosts", ("With waivers", "33.3 %")),
        ("/compliance/hosts?sort=waived_score&direction=desc", ("old-01",)),
        ("/compliance/hosts?sort=waived", ("old-01",)),
        ("/compliance", ("1 failing result on 1 host is waived", "33.3 %")),
        ("/compliance?profile_type=openscap", ("1 failing result on 1 host is waived",)),
        ("/compliance/waivers?status=expiring", ("Rule worse", "Expires soon", "Ada Obi", "/waivers/export.csv")),
        (f"/compliance/waivers?host={host}&sort=owner", ("Rule worse",)),
        ("/compliance/waivers?status=revoked", ("No waiver",)),
    ):
        page = await shown(client, path)
        for word in words:
            assert word in page, (path, word)
    assert "Rule bad" not in await shown(client, f"{home}?waived=yes")
    assert "Rule worse" not in await shown(client, f"{home}?waived=no")
    await shown(client, f"/compliance/waivers/new?rule={rule['id']}&host=nonsense", 404)
    await shown(client, "/compliance/waivers/new?rule=nonsense", 404)


async def test_people_extend_and_revoke_on_pages(client: Browser, api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol()
    await hand_in(agent, scan(*FOUND))
    await sign_in_as(client, call, "superadmin")
    one = await waive(api, call, host)
    url = f"/compliance/waivers/{one['id']}"
    assert "Change or extend" in await shown(client, url)
    token = await form_token(client, url)
    late = {"csrf": token, "reason": "Legacy", "owner": "Bo Lind", "expires_on": in_days(call, 1000)}
    answer = await client.post(url, data=late)
    assert answer.status == 400
    assert "at most two years ahead" in await answer.text()
    answer = await client.post(url, data={**late, "expires_on": in_days(call, 100)})
    assert f"In force until {in_days(call, 100)}" in await answer.text()
    assert "Bo Lind" in await shown(client, url)
    answer = await client.post(f"{url}/revoke", data={"csrf": token, "reason": ""})
    assert "Say why the waiver is revoked" in await answer.text()
    answer = await client.post(f"{url}/revoke", data={"csrf": token, "reason": "Replaced"})
    text = await answer.text()
    assert "the rule counts again" in text
    assert "Replaced" in text
    assert "Change or extend" not in text
    await shown(client, "/compliance/waivers/nonsense", 404)


async def test_who_may_only_look_changes_nothing_on_pages(
    client: Browser, api: Compliance, enrol: Enrol, call: Call
) -> None:
    agent, host = await enrol()
    await hand_in(agent, scan(*FOUND))
    one = await waive(api, call, host)
    await role_with(call, "auditor", "can_view_reports", "can_view_hosts")
    await sign_in_as(client, call, "auditor")
    url = f"/compliance/waivers/{one['id']}"
    assert "Change or extend" not in await shown(client, url)
    assert "/waivers/export.csv" not in await shown(client, "/compliance/waivers")
    assert "/compliance/waivers/new" not in await shown(client, f"/compliance/rules/{one['rule_id']}")
    assert "/compliance/waivers/new" not in await shown(client, f"/compliance/hosts/{host}")
    await shown(client, f"/compliance/waivers/new?rule={one['rule_id']}", 403)
    token = await form_token(client, url)
    for path in (url, f"{url}/revoke", "/compliance/waivers"):
        answer = await client.post(path, data={"csrf": token, "reason": "x"})
        assert answer.status == 403, path
