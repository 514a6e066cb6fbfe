"""What goes wrong between a server and its hosts, and that nothing is lost or done twice by it."""

import asyncio
import hashlib
import json

from aiohttp import ClientSession

from agent.protocol.messages import JobAck, JobDrop, JobEnded, JobEvents, JobStop, Result
from server.automation import progress
from server.core.call import Call
from tests.factories.automation import Api, Fleet


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
