"""What goes wrong between a server and its hosts, and that nothing is lost or done twice by it."""

import asyncio
import hashlib
import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientSession

from agent.protocol.archive import digest as name_of
from agent.protocol.archive import pack
from agent.protocol.messages import JobAck, JobDrop, JobEnded, JobEvents, JobOffer, JobStop, Result
from server.automation import progress
from server.automation.models import Playbook, Project
from server.automation.queries import library
from server.core import clock
from server.core.call import Call
from tests.factories.automation import Api, Fleet
from tests.factories.people import bearer, role_with


async def test_what_was_sent_before_the_cable_broke_is_stored_once_and_the_rest_follows(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    for number in range(30):
        await agent.tell(held, {"stdout": f"{number}"})
    await agent.drop()
    for number in range(30, 50):
        await agent.tell(held, {"stdout": f"{number}"})
    await agent.connect()
    await agent.drop()
    await agent.end(held)
    await agent.connect()
    await agent.dropped(held)
    await api.status(job, "succeeded")
    assert [e["stdout"] for e in await api.events(job)] == [str(number) for number in range(50)]
    assert held.starts == 1


async def test_repeated_batches_change_nothing(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    await agent.tell(held, {"stdout": "one"}, {"stdout": "two"})
    for _ in range(3):
        await agent.send(JobEvents(held.offer.job, "runner", 1, tuple(held.spool["runner"])))
    await agent.tell(held, {"stdout": "three"})
    await agent.send(JobEvents(held.offer.job, "runner", 2, tuple(held.spool["runner"][1:])))
    await agent.end(held)
    await api.status(job, "succeeded")
    assert [e["stdout"] for e in await api.events(job)] == ["one", "two", "three"]


async def test_a_gap_makes_the_host_send_again_from_what_is_stored(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    await agent.tell(held, {"stdout": "1"})
    agent.spool(held, {"stdout": "2"}, {"stdout": "3"}, {"stdout": "4"})
    await agent.send(JobEvents(held.offer.job, "runner", 4, tuple(held.spool["runner"][3:])))
    await agent.until(lambda: not agent.connected)
    await agent.connect()
    await agent.end(held)
    await api.status(job, "succeeded")
    assert [e["stdout"] for e in await api.events(job)] == ["1", "2", "3", "4"]


async def test_a_host_that_counted_events_it_does_not_have_ends_all_the_same(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    await agent.tell(held, {"stdout": "1"})
    held.ended = JobEnded(held.offer.job, "succeeded", runner=7)
    held.state = "ended"
    await agent.send(held.ended)
    for _ in range(3):
        await agent.until(lambda: not agent.connected)
        await agent.connect()
    done = await api.status(job, "succeeded")
    assert "never arrived" in done["hosts"][0]["reason"]


async def test_poison_is_made_storable_and_holds_nobody_up(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    healthy = await fleet.online("web-02")
    job = await api.launch("web-01", "web-02")
    held, other = await agent.job(), await healthy.job()
    await agent.tell(
        held,
        {"stdout": "zero\0byte", "result": {"a\0": ["\0"]}},
        {"at": "yesterday", "duration": "long", "changed": "perhaps", "stdout": {"not": "text"}},
        {"duration": 1e300, "stdout": "fine"},
    )
    await healthy.tell(other, {"stdout": "untouched"})
    half = json.dumps({"stdout": "half \ud800 character", "counter": 4})
    await agent.send_text(
        f'{{"type":"job_events","job":"{held.offer.job}","source":"runner","first":4,"items":[{half}]}}'
    )
    held.spool["runner"].append({})
    await agent.end(held)
    await healthy.end(other)
    await api.status(job, "succeeded")
    events = await api.events(job)
    mine = [e for e in events if e["host"] == "web-01"]
    assert [e["counter"] for e in mine] == [1, 2, 3, 4]
    assert mine[0]["stdout"] == "zero\ufffdbyte"
    assert mine[0]["result"] == {"a\ufffd": ["\ufffd"]}
    assert mine[2]["stdout"] == "fine"
    assert mine[2]["duration"] is None
    assert mine[3]["stdout"].startswith("half ")
    assert [e["stdout"] for e in events if e["host"] == "web-02"] == ["untouched"]


async def test_malformed_messages_are_ignored_and_the_link_lives_on(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    for text in (
        "no json", "[1, 2]", "null", '{"no":"type"}', '{"type":7}', '{"type":"unheard_of"}',
        '{"type":"job_events","job":5}', '{"type":"job_events","job":"x","items":["text"]}',
        f'{{"type":"job_events","job":"{held.offer.job}","source":"third","first":1,"items":[{{}}]}}',
        f'{{"type":"job_chunk_ok","job":"{held.offer.job}","part":"project","offset":99999999}}',
        f'{{"type":"job_need","job":"{held.offer.job}","part":"kitchen"}}',
        '{"type":"job_ended","job":"unknown"}', '{"type":"hello","jobs":"many"}',
        '{"type":"docker_status","event":{}}', '{"type":"compliance_scan_progress","progress":5}',
        '{"type":"ssh_proxy_data"}',
    ):  # fmt: skip
        await agent.send_text(text)
    await agent.send_text(b"binary")
    await agent.tell(held, {"stdout": "still here"})
    await agent.end(held)
    await api.status(job, "succeeded")
    assert [e["stdout"] for e in await api.events(job)] == ["still here"]


async def test_nobody_speaks_about_another_hosts_job(api: Api, fleet: Fleet) -> None:
    agent, stranger = await fleet.online("web-01"), await fleet.online("web-02")
    job = await api.launch("web-01")
    held = await agent.job()
    await stranger.send(JobEvents(held.offer.job, "runner", 1, ({"stdout": "forged"},)))
    await stranger.send(JobEnded(held.offer.job, "succeeded"))
    await stranger.until(lambda: stranger.heard_of(JobDrop))
    await agent.tell(held, {"stdout": "true"})
    await agent.end(held, "failed", reason="as it was")
    await api.status(job, "failed")
    assert [e["stdout"] for e in await api.events(job)] == ["true"]


async def test_an_offer_that_is_repeated_three_times_runs_once(api: Api, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("web-01")
    agent.silent = True
    job = await api.launch("web-01")
    await agent.until(lambda: agent.heard_of(JobOffer))
    for number in (2, 3):
        await call.db.execute("update job_hosts set dispatched_at = now() - interval '1 hour'")
        await progress.sweep(Call(call.world, call.actor))
        await agent.heard_times(JobOffer, number)
    agent.silent = False
    for offer in agent.heard_of(JobOffer):
        await agent._consider(offer)
    held = await agent.job()
    await agent.tell(held, {"stdout": "once"})
    await agent.end(held)
    await api.status(job, "succeeded")
    assert held.starts == 1
    assert [e["stdout"] for e in await api.events(job)] == ["once"]


async def test_a_broken_transfer_of_a_large_project_resumes_where_it_stopped(
    api: Api, fleet: Fleet, call: Call
) -> None:
    content = pack({"big.yml": b"[]", "files/data.bin": random.Random(7).randbytes(2 * 1024**2)})
    async with call.transaction() as tx:
        await library.insert_project(tx, Project(name_of(content), content, "test"))
        await library.upsert_playbooks(tx, (Playbook("big", "big.yml", "Big", "", name_of(content), origin="test"),))
    agent = await fleet.online("web-01")
    agent.deaf_after = 500_000
    job = await api.launch("web-01", playbook="big")
    await agent.until(lambda: agent.jobs and not agent.connected)
    agent.deaf_after = None
    half = next(iter(agent.jobs.values()))
    assert 500_000 <= len(half.parts["project"]) < len(content)
    await agent.connect()
    held = await agent.job()
    assert bytes(held.parts["project"]) == content
    assert all(len(json.dumps(body)) <= 64 * 1024 for body in agent.raw)
    offsets = [body["offset"] for body in agent.raw if body["type"] == "job_chunk" and body["part"] == "project"]
    assert len(offsets) < len(content) // (32 * 1024) + 25, "what had arrived is not sent again"
    await agent.end(held)
    await api.status(job, "succeeded")
    assert held.starts == 1


async def test_an_offer_lost_with_its_connection_is_made_again(api: Api, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("web-01")
    agent.refuse_with = ("busy", "not now")
    job = await api.launch("web-01")
    await agent.until(lambda: agent.heard_of(JobOffer))
    await api.until(job, lambda found: found["hosts"][0]["reason"] == "not now")
    await call.db.execute("update job_hosts set status = 'dispatched', retry_at = null")
    agent.refuse_with = None
    await agent.drop()
    await agent.connect()
    held = await agent.job()
    await agent.end(held)
    await api.status(job, "succeeded")
    assert held.starts == 1


async def test_a_busy_host_is_asked_again(api: Api, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("web-01")
    agent.refuse_with = ("busy", "another job is changing this host")
    job = await api.launch("web-01", check=False)
    waiting = await api.until(job, lambda found: found["hosts"][0]["reason"])
    assert waiting["hosts"][0]["status"] == "queued"
    agent.refuse_with = None
    clock.set_source(lambda: datetime.now(UTC) + timedelta(seconds=30))
    try:
        await progress.sweep(Call(call.world, call.actor))
        held = await agent.job()
    finally:
        clock.set_source(None)
    await agent.end(held)
    await api.status(job, "succeeded")


async def test_changing_jobs_take_turns_and_dry_runs_overlap(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01", changing_jobs=1)
    first = await api.launch("web-01", check=False)
    second = await api.launch("web-01", check=False)
    dry = await api.launch("web-01", check=True)
    await agent.until(lambda: len(agent.jobs) == 2)
    assert (await api.show(second))["status"] == "queued"
    by_check = {held.offer.check: held for held in agent.jobs.values()}
    await agent.end(by_check[True])
    await api.status(dry, "succeeded")
    assert (await api.show(second))["status"] == "queued"
    await agent.end(by_check[False])
    await api.status(first, "succeeded")
    await agent.until(lambda: any(held.state == "running" for held in agent.jobs.values()))
    await agent.end(next(held for held in agent.jobs.values() if held.state == "running"))
    await api.status(second, "succeeded")


@pytest.mark.parametrize("code", ["forbidden", "digest", "no_room", "invalid"])
async def test_a_refusal_ends_the_job_host_with_the_hosts_reason(api: Api, fleet: Fleet, code: str) -> None:
    agent = await fleet.online("web-01")
    agent.refuse_with = (code, "the local file says no")
    job = await api.launch("web-01")
    done = await api.status(job, "failed")
    assert done["hosts"][0]["reason"] == f"refused by the host ({code}): the local file says no"


async def test_an_existing_agent_is_refused_with_a_reason(api: Api, fleet: Fleet, call: Call) -> None:
    agent = await fleet.enrol("old-01")
    await agent.connect(greet=False)
    job = await api.launch("old-01")
    await asyncio.sleep(5.2)
    await progress.sweep(call)
    done = await api.status(job, "failed")
    assert "existing PatchMon agent" in done["hosts"][0]["reason"]
    assert not agent.raw, "an agent that never said hello is sent nothing of the job channel"


async def test_a_slow_agent_of_ours_is_waited_for(api: Api, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("web-01")
    await agent.drop()
    await agent.connect(greet=False)
    job = await api.launch("web-01")
    await asyncio.sleep(5.2)
    await progress.sweep(call)
    await asyncio.sleep(0.3)
    assert (await api.show(job))["status"] == "queued"


async def test_a_host_too_old_for_plays_is_refused_with_a_reason(api: Api, fleet: Fleet) -> None:
    await fleet.online("old-02", python="3.9.2", executors=())
    job = await api.launch("old-02")
    done = await api.status(job, "failed")
    assert "Python 3.9.2" in done["hosts"][0]["reason"]


async def test_a_running_job_the_host_no_longer_knows_is_lost(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    await agent.tell(held, {"stdout": "begun"})
    await api.until(job, lambda found: found["status"] == "running")
    await agent.drop()
    agent.jobs.clear()
    await agent.connect()
    done = await api.status(job, "lost")
    assert "no longer knows" in done["hosts"][0]["reason"]
    assert done["exit_code"] == 3


async def test_stopping_cancels_what_waits_and_interrupts_what_runs(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    await fleet.enrol("web-02")
    job = await api.launch("web-01", "web-02")
    held = await agent.job()
    await agent.tell(held, {"stdout": "partial"})
    await api.ask("POST", f"/jobs/{job['id']}/stop")
    await agent.until(lambda: agent.heard_of(JobStop))
    stopped = {host["name"]: host["status"] for host in (await api.show(job))["hosts"]}
    assert stopped["web-02"] == "cancelled"
    await agent.end(held, "cancelled")
    await api.status(job, "cancelled")
    assert [e["stdout"] for e in await api.events(job)] == ["partial"]
    await api.ask("POST", f"/jobs/{job['id']}/stop", status=409)


async def test_a_stop_reaches_a_host_that_was_away(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    await agent.tell(held, {"stdout": "begun"})
    await api.until(job, lambda found: found["status"] == "running")
    await agent.drop()
    await api.ask("POST", f"/jobs/{job['id']}/stop")
    await agent.connect()
    await agent.until(lambda: agent.heard_of(JobStop))
    await agent.end(held, "cancelled")
    await api.status(job, "cancelled")


async def test_hosts_that_stay_away_are_given_up_at_the_deadline(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    job = await api.launch("web-01", deadline_seconds=1)
    await asyncio.sleep(1.1)
    await progress.sweep(Call(call.world, call.actor))
    done = await api.status(job, "unreachable")
    assert done["exit_code"] == 3


async def test_a_silent_host_is_given_up_and_its_later_word_counts(api: Api, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01", timeout_seconds=1)
    held = await agent.job()
    await agent.tell(held, {"stdout": "begun"})
    await api.until(job, lambda found: found["status"] == "running")
    await agent.drop()
    await call.db.execute("update job_hosts set started_at = now() - interval '1 hour'")
    await progress.sweep(Call(call.world, call.actor))
    await api.status(job, "lost")
    await agent.end(held)
    await agent.connect()
    await api.status(job, "succeeded")


async def test_the_same_idempotency_key_launches_once(api: Api, fleet: Fleet) -> None:
    await fleet.enrol("web-01")
    jobs = await asyncio.gather(*(api.launch("web-01", idempotency_key="night 7") for _ in range(5)))
    assert len({job["id"] for job in jobs}) == 1
    other = await api.launch("web-01", idempotency_key="night 8")
    assert other["id"] != jobs[0]["id"]


async def test_an_order_is_refused_with_every_complaint(api: Api, fleet: Fleet) -> None:
    await fleet.enrol("web-01")
    body = await api.ask(
        "POST", "/jobs",
        {
            "playbook": "patch", "hosts": ["web-09"], "groups": ["none"], "timeout_seconds": 0,
            "variables": {
                "patch_scope": "some", "patch_packages": ["bash", 7], "patch_refresh_cache": "yes", "unheard_of": 1,
                "patch_lock_timeout_seconds": "soon",
            },
        },
        status=400,
    )  # fmt: skip
    assert set(body["complaints"]) == {
        "hosts", "groups", "timeout_seconds", "variables.patch_scope", "variables.patch_packages",
        "variables.patch_refresh_cache", "variables.unheard_of", "variables.patch_lock_timeout_seconds",
    }  # fmt: skip
    await api.ask("POST", "/jobs", {"playbook": "no_such", "hosts": ["web-01"]}, status=404)


async def test_patching_may_be_launched_with_the_patching_permission_alone(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    await role_with(call, "patcher", "can_view_hosts", "can_manage_patching")
    await role_with(call, "viewer", "can_view_hosts")
    patcher = Api(api.session, api.url, await bearer(call, "patcher"))
    viewer = Api(api.session, api.url, await bearer(call, "viewer"))
    job = await patcher.launch("web-01", playbook="patch")
    await patcher.ask("POST", "/jobs", {"playbook": "ping", "hosts": ["web-01"]}, status=403)
    assert (await viewer.show(job))["status"] == "queued"
    await viewer.ask("POST", f"/jobs/{job['id']}/stop", status=403)
    await viewer.ask("POST", "/jobs", {"playbook": "patch", "hosts": ["web-01"]}, status=403)
    await patcher.ask("POST", f"/jobs/{job['id']}/stop")
    actions = await call.db.column("select action from audit_log where action like 'automation.%%' order by id", x=1)
    assert actions == ["automation.job_launched", "automation.job_stopped"]


async def test_results_are_kept_by_their_digest_and_shown_with_the_job_host(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01", playbook="patch")
    held = await agent.job()
    content = b'{"module":"package_update","result":{"changes":[]}}'
    digest = hashlib.sha256(content).hexdigest()
    async with ClientSession(headers=agent.headers) as session:
        url = f"{api.url}/api/v1/agent/results"
        for name, status in ((digest, 201), (digest, 200), ("0" * 64, 400), ("nonsense", 400)):
            async with session.put(f"{url}/{name}", data=content) as answer:
                assert answer.status == status, await answer.text()
    async with api.session.put(f"{url}/{digest}", data=content, headers={"X-API-ID": "x", "X-API-KEY": "y"}) as answer:
        assert answer.status == 401
    await agent.end(held, results=(Result("package_update", digest, len(content)),))
    done = await api.status(job, "succeeded")
    assert done["hosts"][0]["results"] == [{"module": "package_update", "digest": digest, "size": len(content)}]
    found = await api.ask("GET", f"/jobs/{job['id']}/hosts/web-01/results/{digest}")
    assert found["module"] == "package_update"
    await api.ask("GET", f"/jobs/{job['id']}/hosts/web-01/results/{'0' * 64}", status=404)


async def test_relaunching_takes_only_the_hosts_that_failed(api: Api, fleet: Fleet) -> None:
    good, bad = await fleet.online("web-01"), await fleet.online("web-02")
    job = await api.launch("web-01", "web-02")
    await good.end(await good.job())
    await bad.end(await bad.job(), "failed", reason="no")
    await api.status(job, "failed")
    again = await api.ask("POST", f"/jobs/{job['id']}/relaunch", status=201)
    assert [host["name"] for host in again["hosts"]] == ["web-02"]
    await bad.until(lambda: len([h for h in bad.jobs.values() if h.state == "running"]) == 1)
    await bad.end(next(h for h in bad.jobs.values() if h.state == "running"))
    await api.status(again, "succeeded")
    await api.ask("POST", f"/jobs/{again['id']}/relaunch", status=409)


async def test_acknowledgements_never_run_ahead_of_what_is_stored(api: Api, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("web-01")
    await api.launch("web-01")
    held = await agent.job()
    for number in range(50):
        await agent.tell(held, {"stdout": f"{number}"})
    await agent.until(lambda: held.acked == (50, 0))
    stored = await call.db.value("select count(*) from job_events where source = %(source)s", source=0)
    assert stored == 50
    acks = [ack.runner for ack in agent.heard_of(JobAck)]
    assert acks == sorted(acks)


async def test_a_null_character_anywhere_is_refused_not_a_crash(api: Api, fleet: Fleet) -> None:
    await fleet.enrol("web-01")
    job = await api.launch("web-01")
    for order in (
        {"hosts": ["a\0"]},
        {"groups": ["\0"]},
        {"title": "\0"},
        {"idempotency_key": "\0"},
        {"playbook": "\0"},
    ):
        await api.ask("POST", "/jobs", {"playbook": "ping", "hosts": ["web-01"], **order}, status=400)
    variables = {"patch_packages": ["a\0"]}
    await api.ask("POST", "/jobs", {"playbook": "patch", "hosts": ["web-01"], "variables": variables}, status=400)
    await api.ask("GET", f"/jobs/{job['id']}/hosts/web%00/results/{'0' * 64}", status=404)
    await api.ask("GET", f"/jobs/{job['id']}/events?host=%00", status=404)
    await api.ask("GET", "/jobs?q=%00&playbook=%00&only=%00")
    await api.ask("GET", "/jobs/%00", status=404)
    await api.ask("POST", f"/jobs/{job['id']}/stop", {"hosts": ["\0"]}, status=400)
