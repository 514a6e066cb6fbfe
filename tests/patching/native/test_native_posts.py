"""What existing agents post about runs: refusals word for word, the table of stages, bodies nobody should send."""

import asyncio
from uuid import uuid4

import pytest

from server.core.call import Call
from server.core.db import DatabaseError
from server.patching.queries import native as rows
from tests.factories.automation import Fleet
from tests.factories.patching import Patching
from tests.stand_ins.existing_agent import Enrol, ExistingAgent


async def running(api: Patching, agent: ExistingAgent, host: str, **more: object) -> str:
    run: str = (await api.trigger(host, **more))["patch_run_id"]  # type: ignore[arg-type]
    await agent.told("run_patch", run)
    await api.becomes(run, "running")
    return run


@pytest.mark.proves("PATCH-109")
async def test_refusals_come_in_the_contracts_order_and_words(api: Patching, enrol: Enrol) -> None:
    agent, host = await enrol()
    other, _ = await enrol("old-02")
    run = (await api.trigger(host))["patch_run_id"]
    path = f"/patching/runs/{run}/output"
    assert await agent.ask("POST", "/patching/runs/nonsense/output", data=b"{", headers={}) == (
        401, {"error": "API ID and Key required"},
    )  # fmt: skip
    wrong = {**agent.headers, "X-API-KEY": "0" * 64}
    assert await agent.ask("POST", path, {}, headers=wrong) == (401, {"error": "Invalid API credentials"})
    assert await agent.ask("POST", "/patching/runs/nonsense/output", data=b"{") == (
        400, {"error": "Invalid patch run ID"},
    )  # fmt: skip
    unknown = f"/patching/runs/{uuid4()}/output"
    for broken in (
        b"",
        b"{",
        b"[]",
        b"NaN",
        b'{"stage": 1}',
        b'{"stage": "progress", "output": ["x"]}',
        b"[" * 100_000,
    ):
        assert await agent.ask("POST", unknown, data=broken) == (400, {"error": "Invalid JSON"})
    said = {"stage": "progress", "output": "x"}
    assert await agent.ask("POST", unknown, said) == (404, {"error": "Patch run not found"})
    assert await other.ask("POST", path, said) == (403, {"error": "Patch run does not belong to this host"})
    huge = b'{"stage":"progress","output":"' + b"x" * (5 * 1024**2) + b'"}'
    status, answer = await agent.ask("POST", path, data=huge)
    assert (status, set(answer)) == (413, {"error"})
    assert (await api.run(run))["status"] == "queued"


async def test_a_database_that_does_not_take_it_is_said_in_the_contracts_words(
    api: Patching, enrol: Enrol, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, host = await enrol()
    run = (await api.trigger(host))["patch_run_id"]

    async def fail(*_: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(rows, "lock_addressed", fail)
    answer = await agent.ask("POST", f"/patching/runs/{run}/output", {"stage": "started"})
    assert answer == (500, {"error": "Failed to save patch output"})


@pytest.mark.proves("PATCH-109")
async def test_odd_bodies_are_read_as_agents_mean_them(api: Patching, enrol: Enrol) -> None:
    agent, host = await enrol()
    await agent.connect()
    run = await running(api, agent, host)
    path = f"/patching/runs/{run}/output"
    for body in (
        b'\xef\xbb\xbf{"Stage":"progress","OUTPUT":"a\\n","error_message":null} trailing',
        b'{"stage":"progress","output":"\xff\\u0000\\ud800b\\n","unknown":{"deep":[1]}}',
        b'{"stage":"progress","output":"same\\n"}',
        b'{"stage":"progress","output":"same\\n"}',
        b'{"stage":"progress"}',
        b'{"stage":"dancing","output":"never"}',
        b'{"output":"never"}',
    ):
        assert await agent.ask("POST", path, data=body) == (200, {"ok": True})
    assert (await api.run(run))["shell_output"] == "a\n\ufffd\ufffd\ufffdb\nsame\nsame\n"
    await agent.say(run, "failed", "a\n", "x" * 20_000)
    assert (await api.run(run))["error_message"] == "x" * 20_000


@pytest.mark.parametrize("ended", ["completed", "failed", "cancelled", "dry_run_completed"])
async def test_what_is_over_stays_over(api: Patching, enrol: Enrol, ended: str) -> None:
    agent, host = await enrol()
    await agent.connect()
    dry = {"patch_type": "patch_package", "package_name": "curl", "dry_run": True} if ended.startswith("dry") else {}
    run = await running(api, agent, host, **dry)
    await agent.say(run, ended, "the end\n", "" if ended != "failed" else "exit status 1")
    before = await api.run(run)
    assert before["status"] == {"dry_run_completed": "validated"}.get(ended, ended)
    for stage in (
        "started",
        "progress",
        "completed",
        "failed",
        "cancelled",
        "dry_run_completed",
        "validated",
        "running",
    ):
        await agent.say(run, stage, "later\n", "later")
    assert await api.run(run) == before


async def test_posts_in_any_order_end_in_the_text_of_the_last_word(api: Patching, enrol: Enrol) -> None:
    agent, host = await enrol()
    await agent.connect()
    run = await running(api, agent, host)
    await agent.say(run, "progress", "two\n")
    await agent.say(run, "started")
    await agent.say(run, "progress", "one\n")
    assert (await api.run(run))["status"] == "running"
    await asyncio.gather(*(agent.say(run, "completed", "one\ntwo\n") for _ in range(5)))
    done = await api.run(run)
    assert (done["status"], done["shell_output"]) == ("completed", "one\ntwo\n")


async def test_an_agent_that_is_at_a_run_already_is_believed(api: Patching, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol()
    run = (await api.trigger(host))["patch_run_id"]
    await agent.say(run, "running")
    assert (await api.run(run))["status"] == "running"
    await agent.connect()
    await asyncio.sleep(0.5)
    assert agent.raw == [], "it is not sent again"
    await agent.say(run, "completed")
    assert (await api.run(run))["status"] == "completed"
    waits = (await api.trigger(host, pending_approval=True))["patch_run_id"]
    await agent.say(waits, "completed", "never\n")
    assert (await api.run(waits))["status"] == "pending_approval"
    assert await call.db.value("select count(*) from patch_native") == 1


async def test_a_run_that_our_own_agent_carries_is_not_touched(api: Patching, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    run = (await api.trigger(fleet.ids["web-01"]))["patch_run_id"]
    await agent.tell(await agent.job(), {"event": "live", "stdout": "truth\n"}, source="live")
    await api.becomes(run, "running")
    other = ExistingAgent(api.session, api.url, agent.headers["X-API-ID"], agent.headers["X-API-KEY"])
    for stage in ("started", "progress", "completed"):
        await other.say(run, stage, "lies\n")
    found = await api.run(run)
    assert (found["status"], found["shell_output"]) == ("running", "truth\n")
