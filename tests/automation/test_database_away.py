"""PostgreSQL refuses connections for a while: nothing is acknowledged, nothing is lost."""

import asyncio

from server.core.call import Call
from tests.factories.automation import Api, Fleet


async def test_events_wait_until_the_database_is_back(api: Api, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    await agent.tell(held, {"stdout": "before"})
    await agent.until(lambda: held.acked == (1, 0))
    blocker = call.world.db.transaction()
    tx = await blocker.__aenter__()
    await tx.execute("lock table job_events in access exclusive mode")
    for number in range(5):
        await agent.tell(held, {"stdout": f"{number}"})
    await asyncio.sleep(0.5)
    assert held.acked == (1, 0)
    own = await tx.value("select pg_backend_pid()")
    # Everyone else's connection is cut in the middle of what it does.
    await tx.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> %(own)s",
        own=own,
    )
    await blocker.__aexit__(None, None, None)
    await agent.until(lambda: held.acked == (6, 0))
    await agent.end(held)
    await api.status(job, "succeeded")
    assert [e["stdout"] for e in await api.events(job)] == ["before", "0", "1", "2", "3", "4"]
