"""One host that says nonsense harms nobody else, and nothing begins that nobody expects any more."""

import asyncio
import hashlib
import json

from agent.protocol.messages import JobOffer, JobPosition, Result
from server.automation import progress, rules
from server.automation.models import Status
from server.core.call import Call
from tests.automation.test_rules import standing
from tests.conftest import Browser
from tests.factories.automation import Api, Fleet
from tests.factories.people import HTML


async def test_an_absurd_greeting_holds_up_no_other_host(api: Api, fleet: Fleet) -> None:
    boastful = await fleet.online("web-01", changing_jobs=2**50)
    healthy = await fleet.online("web-02")
    job = await api.launch("web-01", "web-02")
    for agent in (healthy, boastful):
        await agent.end(await agent.job())
    await api.status(job, "succeeded")


async def test_values_that_json_cannot_carry_are_mended_without_ending_any_link(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    healthy = await fleet.online("web-02")
    job = await api.launch("web-01", "web-02")
    held, other = await agent.job(), await healthy.job()
    deep = json.loads("[" * 600 + "]" * 600)
    half = json.dumps({"stdout": "\ud800", "result": {"n": 2**70}, "counter": 2})
    await asyncio.gather(agent.tell(held, {"result": {"deep": deep}}), healthy.tell(other, {"stdout": "untouched"}))
    text = f'{{"type":"job_events","job":"{held.offer.job}","source":"runner","first":2,"items":[{half}]}}'
    await agent.send_text(text)
    held.spool["runner"].append({})
    await agent.end(held)
    await healthy.end(other)
    await api.status(job, "succeeded")
    assert agent.connected
    assert healthy.connected
    mine = [e for e in await api.events(job) if e["host"] == "web-01"]
    assert [e["counter"] for e in mine] == [1, 2]
    assert mine[1]["result"] == {"n": str(2**70)}


async def test_secrets_that_cannot_be_opened_end_their_job_host_with_a_sentence(
    api: Api, fleet: Fleet, call: Call
) -> None:
    agent = await fleet.enrol("web-01")
    job = await api.launch("web-01")
    await call.db.execute("update job_hosts set secrets_sealed = 'v1:of another key'")
    await agent.connect()
    done = await api.status(job, "failed")
    assert "launch again" in done["hosts"][0]["reason"]
    assert agent.connected


async def test_a_host_that_returns_behind_the_deadline_begins_nothing(api: Api, fleet: Fleet, call: Call) -> None:
    agent = await fleet.enrol("web-01")
    job = await api.launch("web-01", deadline_seconds=1)
    await asyncio.sleep(1.1)
    await agent.connect()
    await asyncio.sleep(0.3)
    await progress.sweep(Call(call.world, call.actor))
    await api.status(job, "unreachable")
    assert not [message for message in agent.heard if isinstance(message, JobOffer)]


def test_what_was_given_up_before_it_began_does_not_begin_later() -> None:
    verdicts = rules.judge_hello([standing("a", Status.LOST)], [JobPosition("a", "receiving")])
    assert verdicts.welcome == ()
    assert verdicts.offer == ()


async def test_a_result_that_is_none_or_never_came_does_not_take_the_page_away(
    as_admin: Browser, api: Api, fleet: Fleet
) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    nonsense = b"not JSON"
    name = hashlib.sha256(nonsense).hexdigest()
    async with api.session.put(
        f"{api.url}/api/v1/agent/results/{name}", data=nonsense, headers=agent.headers
    ) as answer:
        assert answer.status == 201
    results = (Result("package_update", name, 8), Result("package_update", "0" * 64, 8))
    await agent.end(held, results=results)
    await api.status(job, "succeeded")
    page = await as_admin.get(f"/jobs/{job['id']}", headers=HTML)
    assert page.status == 200


async def test_a_result_that_waited_for_its_job_is_kept_when_it_is_sent_again(
    api: Api, fleet: Fleet, call: Call
) -> None:
    agent = await fleet.online("web-01")
    name = hashlib.sha256(b"{}").hexdigest()
    url = f"{api.url}/api/v1/agent/results/{name}"
    for status in (201, 200):
        async with api.session.put(url, data=b"{}", headers=agent.headers) as answer:
            assert answer.status == status
        if status == 201:
            await call.db.execute("update result_blobs set created_at = created_at - interval '2 days'")
    await progress.tidy(call)
    assert await call.db.value("select count(*) from result_blobs") == 1
