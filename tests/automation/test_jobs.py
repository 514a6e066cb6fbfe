"""A job from launch to end, as a program and a host see it."""

import asyncio

from tests.factories.automation import Api, Fleet


async def test_a_job_runs_on_a_connected_host_and_everything_it_says_is_stored(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    assert held.spec["playbook"] == "ping.yml"
    assert held.spec["host"] == "web-01"
    assert held.spec["check"] is True
    await agent.tell(
        held, {"event": "playbook_on_play_start", "play": "Ping"}, {"task": "Ping", "stdout": "ok: [web-01]"}
    )
    await agent.tell(held, {"event": "live", "stdout": "one line\n"}, source="live")
    await agent.end(held)
    await agent.dropped(held)
    done = await api.status(job, "succeeded")
    assert done["exit_code"] == 0
    assert done["hosts"][0]["counters"] == {"ok": 2}
    events = await api.events(job)
    assert [(e["source"], e["counter"], e["event"]) for e in events] == [
        ("runner", 1, "playbook_on_play_start"), ("runner", 2, "runner_on_ok"), ("live", 1, "live"),
    ]  # fmt: skip
    positions = [e["position"] for e in events]
    assert positions == sorted(set(positions))
    assert held.starts == 1


async def test_an_offline_host_gets_its_job_when_it_returns(api: Api, fleet: Fleet) -> None:
    agent = await fleet.enrol("web-01")
    job = await api.launch("web-01")
    assert job["status"] == "queued"
    await agent.connect()
    held = await agent.job()
    await agent.end(held)
    await api.status(job, "succeeded")


async def test_stream_delivers_everything_once_to_a_reader_who_leaves_and_returns(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    seen: list[int] = []
    last = 0
    async with api.following(job) as frames:
        for number in range(40):
            await agent.tell(held, {"stdout": f"line {number}"})
        async for name, position, data in frames:
            last = position or last
            if name == "event":
                seen.append(data["counter"])
            if len(seen) == 25:
                break
    for number in range(40, 60):
        await agent.tell(held, {"stdout": f"line {number}"})
    await agent.end(held)
    async with api.following(job, after=last) as frames, asyncio.timeout(10):
        names = []
        async for name, _, data in frames:
            names.append(name)
            if name == "event":
                seen.append(data["counter"])
    assert seen == list(range(1, 61))
    assert names[-1] == "end"
