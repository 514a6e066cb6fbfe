"""What a host is offered: when again, in which turn, and what is told of those who refuse it."""

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from agent.protocol.archive import digest as name_of
from agent.protocol.archive import pack
from agent.protocol.messages import JobOffer
from server.automation import progress
from server.automation.models import Playbook, Project
from server.automation.queries import library
from server.core import clock
from server.core.call import Call
from tests.factories.automation import Api, Fleet


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
