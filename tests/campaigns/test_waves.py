"""Campaigns from start to end, as programs and hosts see them."""

import asyncio
from functools import partial
from typing import Any

import pytest

from server.campaigns import advancing
from server.core.call import Call
from server.patching import projection
from server.settings.service import change as change_settings
from tests.factories.automation import Fleet
from tests.factories.campaigns import Campaigns, patched
from tests.factories.people import person, token_of
from tests.factories.scopes import fleet as grouped

CANARY = [{"hosts": 1}, {"rest": True}]


async def test_waves_follow_each_other_and_the_campaign_completes(api: Campaigns, fleet: Fleet) -> None:
    agents = {name: await fleet.online(name) for name in ("a", "b", "c")}
    made = await api.campaign(*fleet.ids.values(), waves=CANARY)
    assert (made["status"], made["wave"], made["wave_count"]) == ("running", 1, 2)
    assert await api.states(made) == {"a": "queued", "b": "waiting", "c": "waiting"}
    await patched(api, agents["a"], await agents["a"].job())
    for name in ("b", "c"):
        await patched(api, agents[name], await agents[name].job())
    done = await api.comes(made, "completed")
    assert done["counts"] == {"succeeded": 3}
    assert (done["progress"]["done"], done["progress"]["percent"]) == (3, 100)
    first, second = done["waves"]
    assert first["finished_at"] <= second["started_at"]
    hosts = await api.hosts(made)
    run = await api.run(hosts["b"]["run_id"])
    assert run["initiated_by"].startswith("superadmin")
    assert (hosts["b"]["packages"], hosts["b"]["wave"]) == (1, 2)


async def test_too_many_failures_stop_at_once_and_what_did_not_begin_is_taken_back(
    api: Campaigns, fleet: Fleet
) -> None:
    agents = {name: await fleet.online(name) for name in ("a", "b")}
    for name in ("c", "d"):
        await fleet.enrol(name)
    made = await api.campaign(*fleet.ids.values(), waves=[{"hosts": 3}, {}], max_failure_percent=20)
    await agents["b"].job()
    await patched(api, agents["a"], await agents["a"].job(), "failed", error="E: Could not get lock /var/lib/dpkg/lock")
    stopped = await api.comes(made, "stopped")
    assert stopped["reason"] == "1 of 3 hosts of wave 1 failed, more than 20 %"
    assert await api.states(made) == {"a": "failed", "b": "queued", "c": "waiting", "d": "waiting"}
    assert [(f["cause"], f["count"]) for f in stopped["failures"]] == [("Package manager locked", 1)]
    taken_back = (await api.hosts(made))["c"]["earlier_runs"]
    assert (await api.becomes(taken_back[0], "cancelled"))["error_message"] == (
        "The campaign Spring clean was stopped"
    )  # fmt: skip
    late = fleet.agents[2]
    await late.connect()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await late.job()


async def test_what_failed_is_launched_again_in_the_same_campaign_with_new_runs(api: Campaigns, fleet: Fleet) -> None:
    agents = {name: await fleet.online(name) for name in ("a", "b")}
    made = await api.campaign(*fleet.ids.values(), waves=CANARY)
    await patched(api, agents["a"], await agents["a"].job(), "failed")
    await api.comes(made, "stopped")
    before = (await api.hosts(made))["a"]["run_id"]
    again = await api.do(made, "relaunch")
    assert (again["status"], again["wave"]) == ("running", 1)
    host = (await api.hosts(made))["a"]
    assert (host["state"], host["earlier_runs"]) == ("queued", [before])
    await patched(api, agents["a"], await agents["a"].job(1))
    await patched(api, agents["b"], await agents["b"].job())
    assert (await api.comes(made, "completed"))["counts"] == {"succeeded": 2}
    await api.do(made, "relaunch", status=409)


async def test_a_pause_holds_what_did_not_begin_and_resuming_gives_it_one_run(
    api: Campaigns, fleet: Fleet, call: Call
) -> None:
    agents = {"a": await fleet.online("a"), "b": await fleet.enrol("b")}
    made = await api.campaign(*fleet.ids.values())
    held = await agents["a"].job()
    await agents["a"].tell(held, {"event": "live", "stdout": "Get:1\n"}, source="live")
    await api.host_comes(made, "a", "running")
    paused = await api.do(made, "pause")
    assert paused["status"] == "paused"
    assert await api.states(made) == {"a": "running", "b": "waiting"}
    await agents["b"].connect()
    await patched(api, agents["a"], held)
    await api.host_comes(made, "a", "succeeded")
    await api.do(made, "pause", status=409)
    assert await call.db.value("select count(*) from job_hosts where status in ('queued', 'dispatched')") == 0
    await api.do(made, "resume")
    job = await agents["b"].job()
    assert job.starts == 1
    await patched(api, agents["b"], job)
    await api.comes(made, "completed")
    assert await call.db.value("select count(*) from patch_runs where status = 'completed'") == 2


async def test_while_patching_is_switched_off_no_wave_begins(api: Campaigns, fleet: Fleet, call: Call) -> None:
    agents = {name: await fleet.online(name) for name in ("a", "b")}
    made = await api.campaign(*fleet.ids.values(), waves=CANARY)
    first = await agents["a"].job()
    await change_settings(call, {"disabled_modules": ["patching"]})
    await patched(api, agents["a"], first)
    async with asyncio.timeout(10):
        while await call.db.value("select count(*) from patch_runs where status = 'completed'") == 0:
            await asyncio.sleep(0.1)
    assert await advancing.advance_all(call) == 0
    assert await call.db.value("select count(*) from job_hosts") == 1
    await change_settings(call, {"disabled_modules": []})
    await patched(api, agents["b"], await agents["b"].job())
    await api.comes(made, "completed")


async def test_abandoning_lets_run_what_runs_and_nothing_else(api: Campaigns, fleet: Fleet) -> None:
    agent = await fleet.online("a")
    for name in ("b", "c"):
        await fleet.enrol(name)
    made = await api.campaign(*fleet.ids.values(), waves=[{"hosts": 2}, {}])
    held = await agent.job()
    await agent.tell(held, {"event": "live", "stdout": "Get:1\n"}, source="live")
    await api.host_comes(made, "a", "running")
    assert (await api.do(made, "abandon"))["status"] == "abandoned"
    assert await api.states(made) == {"a": "running", "b": "withdrawn", "c": "skipped"}
    await patched(api, agent, held)
    await api.host_comes(made, "a", "succeeded")
    await api.do(made, "resume", status=409)
    await api.do(made, "relaunch", status=409)


async def test_the_next_wave_waits_for_soaking_and_for_the_check(api: Campaigns, fleet: Fleet, call: Call) -> None:
    agents = {name: await fleet.online(name) for name in ("a", "b")}
    made = await api.campaign(*fleet.ids.values(), waves=CANARY, soak_minutes=30, check_playbook="ping")
    await patched(api, agents["a"], await agents["a"].job())
    assert (await api.comes(made, "soaking"))["progress"]["expected_end_at"] is not None
    await call.db.execute("update campaign_waves set finished_at = finished_at - interval '31 minutes'")
    await advancing.advance_all(call)
    checking = await api.comes(made, "checking")
    assert checking["waves"][0]["check_status"] == "running"
    assert (await api.states(made))["b"] == "waiting"
    check = await agents["a"].job(1)
    await agents["a"].end(check, "failed")
    stopped = await api.comes(made, "stopped")
    assert stopped["reason"] == "The check ping failed after wave 1"
    assert (await api.do(made, "resume"))["waves"][0]["check_status"] == "overruled"
    await patched(api, agents["b"], await agents["b"].job())
    await api.comes(made, "completed")


async def test_a_dry_campaign_changes_nothing_and_is_repeated_for_real(api: Campaigns, fleet: Fleet) -> None:
    agent = await fleet.online("a")
    made = await api.campaign(*fleet.ids.values(), dry_run=True)
    held = await agent.job()
    assert held.spec["check"] is True
    await patched(api, agent, held)
    dry = await api.comes(made, "completed")
    assert (dry["dry_run"], dry["counts"]) == (True, {"succeeded": 1})
    real = await api.do(made, "repeat", status=201)
    assert (real["dry_run"], real["rehearsal"], real["status"]) == (False, made["id"], "running")
    assert (await agent.job(1)).spec["check"] is False
    await api.do(real, "repeat", status=409)


async def test_a_draft_waits_an_approval_too_and_both_names_stay(api: Campaigns, fleet: Fleet) -> None:
    await fleet.enrol("a")
    draft = await api.campaign(*fleet.ids.values(), draft=True, approve_first=True)
    assert (draft["status"], draft["wave_count"]) == ("draft", 0)
    assert (await api.do(draft, "launch"))["status"] == "awaiting_approval"
    assert await api.hosts(draft) == {}
    running = await api.do(draft, "approve")
    assert running["status"] == "running"
    assert running["approved_by"].startswith("superadmin")
    run = await api.run((await api.hosts(draft))["a"]["run_id"])
    assert run["approved_by"] == running["approved_by"]
    await api.do(draft, "approve", status=409)
    again = await api.campaign(*fleet.ids.values(), draft=True)
    await api.ask("DELETE", f"/patching/campaigns/{again['id']}", status=204)
    await api.shown(again, status=404)
    await api.ask("DELETE", f"/patching/campaigns/{draft['id']}", status=409)


@pytest.mark.timeout(120)
async def test_a_thousand_hosts_are_released_within_seconds_and_followed_to_the_end(api: Campaigns, call: Call) -> None:
    await call.db.execute(
        "insert into hosts (friendly_name, api_id, api_key)"
        " select 'h' || lpad(n::text, 4, '0'), 'api' || n, '' from generate_series(1, 1000) n"
    )
    began = asyncio.get_running_loop().time()
    made = await api.campaign(all_hosts=True, waves=[{"percent": 90}, {}], max_failure_percent=100)
    # All of them are handed out in one transaction; the machine does other things as well.
    assert asyncio.get_running_loop().time() - began < 10
    assert [wave["hosts"] for wave in made["waves"]] == [900, 100]
    assert await call.db.value("select count(*) from job_hosts where status = 'queued'") == 900
    for wave in (1, 2):
        await api.until_campaign(made, partial(is_in_wave, wave), 60)
        await call.db.execute("update job_hosts set status = 'succeeded', started_at = now(), finished_at = now()")
        await projection.sweep(call)
        await advancing.advance_all(call)
    done = await api.comes(made, "completed", 60)
    assert done["counts"] == {"succeeded": 1000}
    assert await call.db.value("select count(*) from patch_runs") == 1000
    assert await call.db.value("select count(*) from jobs") == 2


def is_in_wave(wave: int, found: dict[str, Any]) -> bool:
    return bool(found["wave"] == wave)


async def test_the_report_says_who_asked_what_became_of_each_host_and_what_changed(
    api: Campaigns, fleet: Fleet
) -> None:
    agents = {name: await fleet.online(name) for name in ("=cmd|a", "b<i>")}
    made = await api.campaign(*fleet.ids.values(), name="<Q4>", max_failure_percent=50, hold_patterns=["linux-*"])
    await patched(api, agents["=cmd|a"], await agents["=cmd|a"].job())
    await patched(api, agents["b<i>"], await agents["b<i>"].job(), "failed", error="No space left on device")
    await api.comes(made, "completed")
    path = f"/patching/campaigns/{made['id']}/report"
    report = await api.ask("GET", path)
    assert report["terms"]["Options"] == "hold_patterns: linux-*"
    assert report["terms"]["Made by"].startswith("superadmin")
    assert [(one["text"], one["hosts"][0][1]) for one in report["failures"]] == [("Disk full", "b<i>")]
    first = next(row for row in report["hosts"] if row["host"] == "=cmd|a")
    assert (first["state"], first["changes"]) == ("succeeded", ["openssl 1.0 → 1.1"])
    table = await text_of(api, f"{path}.csv")
    assert "'=cmd|a" in table
    assert table.count("\n") == 3
    page = await text_of(api, f"{path}.html")
    assert "&lt;Q4&gt;" in page
    assert "b&lt;i&gt;" in page
    assert len(await api.ask("GET", f"{path}.json")) == 2


async def text_of(api: Campaigns, path: str) -> str:
    async with api.session.get(f"{api.url}/api/v1{path}", headers=api.headers) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Disposition"].startswith("attachment; ")
        return await answer.text()


async def test_who_may_only_look_changes_nothing_and_without_the_module_nothing_answers(
    api: Campaigns, fleet: Fleet, call: Call
) -> None:
    await fleet.enrol("a")
    made = await api.campaign(*fleet.ids.values())
    token = await token_of(call, await person(call, "readonly"))
    reader = Campaigns(api.session, api.url, {"Authorization": f"Bearer {token}", "Accept": "application/json"})
    assert (await reader.shown(made))["status"] == "running"
    for verb in ("pause", "resume", "abandon", "relaunch", "approve", "launch", "repeat"):
        await reader.do(made, verb, status=403)
    await reader.campaign(*fleet.ids.values(), status=403)
    await reader.window(*fleet.ids.values(), status=403)
    entries = await call.db.column("select action from audit_log where action like 'campaigns.%' order by id")
    assert entries == ["campaigns.created", "campaigns.started"]
    await change_settings(call, {"disabled_modules": ["patching"]})
    await api.shown(made, status=403)
    await api.ask("GET", "/patching/calendar", status=403)


async def test_hosts_are_meant_by_group_and_tag_as_they_are_when_it_starts(api: Campaigns, call: Call) -> None:
    there = await grouped(call)
    await put_tags(call, there.alone, {"env": "prod"})
    body: dict[str, Any] = {
        "host_group_ids": [there.north],
        "tags": ["env=prod", "env=test"],
        "waves": [{"host_ids": [there.both]}],
    }
    preview = await api.ask("POST", "/patching/campaigns/preview", body)
    assert [[host["host_name"] for host in wave["hosts"]] for wave in preview["waves"]] == [
        ["both"], ["alone", "inside"],
    ]  # fmt: skip
    draft = await api.campaign(draft=True, **body)
    await put_tags(call, there.outside, {"env": "test"})
    await api.do(draft, "launch")
    assert {name: host["wave"] for name, host in (await api.hosts(draft)).items()} == {
        "both": 1, "alone": 2, "inside": 2, "outside": 2,
    }  # fmt: skip


async def put_tags(call: Call, host: str, tags: dict[str, str]) -> None:
    for key, value in tags.items():
        await call.db.execute(
            "insert into host_tags (host_id, key, value)"
            " select id, %(key)s, %(value)s from hosts where uuid = %(host)s",
            host=host, key=key, value=value,
        )  # fmt: skip


async def test_a_host_that_is_deleted_stays_in_the_record_and_holds_nothing_up(
    api: Campaigns, fleet: Fleet, call: Call
) -> None:
    agent = await fleet.online("a")
    for name in ("b", "c"):
        await fleet.enrol(name)
    made = await api.campaign(*fleet.ids.values(), waves=[{"hosts": 2}, {}])
    await call.db.execute("delete from hosts where friendly_name in ('b', 'c')")
    await patched(api, agent, await agent.job())
    await api.comes(made, "completed")
    hosts = await api.hosts(made)
    assert {name: (host["state"], host["reason"]) for name, host in hosts.items()} == {
        "a": ("succeeded", ""),
        "b": ("withdrawn", "The run was deleted before it began"),
        "c": ("skipped", "The host was deleted"),
    }
