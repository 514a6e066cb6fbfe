"""Rows of runs when something ends half-way, and when old ones are taken out."""

import pytest

from server.core.call import Call
from server.core.db import DatabaseError
from server.patching import schedule
from server.patching.queries import runs
from tests.factories.automation import Fleet
from tests.factories.patching import Patching


async def test_a_release_that_fails_half_way_is_as_if_it_never_began(api: Patching, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    await api.assign(await api.policy("Later", "delayed", delay_minutes=1), "host", fleet.ids["web-01"])
    made = await api.trigger(fleet.ids["web-01"])
    await call.db.execute("update patch_runs set scheduled_at = now() - interval '1 day'")
    with pytest.raises(DatabaseError):  # noqa: PT012 (what fails is the end of the transaction)
        async with call.transaction() as tx:
            await schedule.release_in(tx, call, await runs.lock_due(tx, call.now, 10))
            await tx.execute("select 1 / 0")
    assert (await api.run(made["patch_run_id"]))["status"] == "scheduled"
    assert await call.db.value("select count(*) from jobs") == 0
    assert await schedule.release_due(call) == 1


@pytest.mark.proves("PATCH-97")
async def test_finished_runs_may_be_purged_by_a_query(api: Patching, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    made = await api.trigger(fleet.ids["web-01"], submit_for_approval=True)
    approved = await api.act(made["patch_run_id"], "approve")
    await call.db.execute("delete from patch_runs where status = 'approved' and created_at < now() + interval '1 day'")
    assert (await api.run(approved["patch_run_id"]))["validation_run_id"] is None
    assert (await api.ask("GET", "/patching/runs"))["total"] == 1
    assert (await api.ask("GET", "/patching/dashboard"))["summary"]["total"] == 1
